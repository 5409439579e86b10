package vdi

import (
	"context"
	"encoding/binary"
	"fmt"

	"hyper2kvm/internal/disk"
)

const opParent = "open parent"

// openParent finds the parent of a differencing image by its identifiers among the files of the job.
func (img *Image) openParent(ctx context.Context, env disk.Env) error {
	h := &img.head
	if env.OpenImage == nil {
		return fault(disk.ErrOutside, opParent, img.file.Name(), noOffset, "parent %s", uuid(h.link))
	}
	name, err := img.findParent(ctx, env)
	if err != nil {
		return err
	}
	parent, err := env.OpenImage(ctx, name, formatName)
	if err != nil {
		return &disk.Error{Format: formatName, Op: opParent, File: img.file.Name(), Off: noOffset, Detail: fmt.Sprintf("parent %q", name), Err: err}
	}
	img.parent = disk.Parent{Image: parent, Child: img.file.Name()}
	if p, ok := parent.(*Image); !ok || p.head.create != h.link {
		parent.Close()
		return fault(disk.ErrCorrupt, opParent, img.file.Name(), noOffset, "%q was the parent %s a moment ago and is not now", name, uuid(h.link))
	}
	if parent.Size() != h.size {
		img.note("the parent has %d bytes, this image %d", parent.Size(), h.size)
	}
	return nil
}

// findParent returns the name of the file that is the parent and was not changed since. Only headers are read: opening the other
// images of a job would open their parents too.
func (img *Image) findParent(ctx context.Context, env disk.Env) (string, error) {
	h := &img.head
	var changed error
	looked := 0
	name, err := env.Siblings.Find(ctx, func(name string, f disk.File) bool {
		looked++
		p, err := readHeader(f)
		if err != nil || p.create != h.link {
			return false
		}
		// Images of the first versions did not record the parent's last change.
		if p.modify == h.linkMod || h.linkMod == ([16]byte{}) {
			return true
		}
		changed = fault(disk.ErrCorrupt, opParent, img.file.Name(), 0x1b8,
			"parent %q was last changed as %s, the differencing image was made on %s: the parent was changed afterwards", name, uuid(p.modify), uuid(h.linkMod))
		return false
	})
	if name != "" || err != nil {
		return name, err
	}
	if changed != nil {
		return "", changed
	}
	return "", fault(disk.ErrMissing, opParent, img.file.Name(), 0x1a8,
		"none of the %d files of the job that were looked at is the VDI %s; put it beside this image", looked, uuid(h.link))
}

// uuid returns an identifier as VirtualBox writes it: the first three fields are little endian in the file.
func uuid(b [16]byte) string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(b[0:]), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:])
}
