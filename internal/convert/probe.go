package convert

import (
	"bytes"
	"errors"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"hyper2kvm/internal/disk"
)

// kind is what a source file is, told by its content.
type kind string

// The kinds of a source.
const (
	kindDisk kind = "disk"
	kindOVA  kind = "ova"
	kindOVF  kind = "ovf"
	kindVMX  kind = "vmx"
)

// probeBytes is how much of a file's head is looked at: an OVF's root element stands behind at most a licence in a comment.
const probeBytes = 64 << 10

// probe tells what a source is. Content decides; the ending counts only where the content is a text or nothing known, so that
// a broken description is reported as one and not as a strange disk.
func probe(f disk.File) (kind, error) {
	head := make([]byte, min(f.Size(), probeBytes))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	ending := strings.ToLower(path.Ext(f.Name()))
	switch text := plainText(head); {
	case isTar(head):
		return kindOVA, nil
	case isEnvelope(text):
		return kindOVF, nil
	case text != nil && vmxKey.Match(text) && !bytes.Contains(text, []byte("createType")):
		return kindVMX, nil
	case ending == ".ova":
		return kindOVA, nil
	case ending == ".ovf":
		return kindOVF, nil
	case ending == ".vmx" && text != nil:
		return kindVMX, nil
	}
	return kindDisk, nil
}

// isTar reports whether a file begins with a tar header: POSIX and GNU archives have "ustar" at byte 257.
func isTar(head []byte) bool { return len(head) >= 512 && string(head[257:262]) == "ustar" }

// vmxKey matches a line that every VMware configuration has and no VMDK descriptor does.
var vmxKey = regexp.MustCompile(`(?mi)^[ \t]*(config\.version|virtualHW\.version|guestOS|memsize|displayName)[ \t]*=`)

// envelope matches an OVF's root element, with or without a prefix.
var envelope = regexp.MustCompile(`<([A-Za-z_][\w.-]*:)?Envelope[\s>/]`)

func isEnvelope(text []byte) bool { return text != nil && envelope.Match(text) }

// plainText returns the head of a text file as bytes of which ASCII can be read, nil if it is none. Of UTF-16 only the ASCII
// is kept, which is all that probing asks for.
func plainText(head []byte) []byte {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		head = bytes.ReplaceAll(head[2:], []byte{0}, nil)
	case bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}):
		head = head[3:]
	}
	if len(head) == 0 || bytes.IndexByte(head, 0) >= 0 {
		return nil
	}
	return head
}

// rawEndings are the endings of files that are taken as raw disks when their content is of no known format. "" is no ending.
var rawEndings = []string{".raw", ".img", ".bin", ".dd", ".ami", ".iso", ""}

// imageEndings are the endings by which a folder's disks are found.
var imageEndings = append([]string{".vmdk", ".vhd", ".vhdx", ".avhd", ".avhdx", ".vdi", ".qcow2", ".qcow"}, rawEndings[:len(rawEndings)-1]...)

// mayBeRaw reports whether a file without a known format is taken as a raw disk though nobody said so.
func mayBeRaw(name string) bool {
	name = strings.ToLower(path.Base(name))
	return strings.HasSuffix(name, "-flat.vmdk") || slices.Contains(rawEndings, path.Ext(name))
}
