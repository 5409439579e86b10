// Package initramfstest builds initramfs images for tests.
package initramfstest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Archive builds a cpio archive of format newc. Names that end with a slash are directories, content that begins with "-> " makes a
// symbolic link.
func Archive(files map[string]string) []byte {
	var b bytes.Buffer
	for i, name := range slices.Sorted(maps.Keys(files)) {
		content, mode := files[name], 0o100644
		if to, ok := strings.CutPrefix(content, "-> "); ok {
			content, mode = to, 0o120777
		}
		if dir, ok := strings.CutSuffix(name, "/"); ok {
			name, mode = dir, 0o040755
		}
		Entry(&b, "070701", i+1, mode, name, content)
	}
	Entry(&b, "070701", 0, 0, "TRAILER!!!", "")
	return b.Bytes()
}

// Entry writes one entry of an archive.
func Entry(b *bytes.Buffer, magic string, inode, mode int, name, content string) {
	start := b.Len()
	fmt.Fprintf(b, "%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", magic, inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0)
	b.WriteString(name + "\x00")
	pad(b, start)
	b.WriteString(content)
	pad(b, start)
}

func pad(b *bytes.Buffer, start int) {
	for (b.Len()-start)%4 != 0 {
		b.WriteByte(0)
	}
}

// Modules returns the files of an image with these modules of a kernel: virtio_blk becomes
// lib/modules/VERSION/kernel/drivers/virtio_blk.ko, with content.
func Modules(version string, names ...string) map[string]string {
	files := map[string]string{"init": "#!/bin/sh\n", "lib/modules/" + version + "/modules.dep": ""}
	for _, n := range names {
		files["lib/modules/"+version+"/kernel/drivers/"+n+".ko"] = "\x7fELF " + n
	}
	return files
}
