package packed

import (
	"bytes"
	"strings"

	"hyper2kvm/internal/disk"
)

// The methods, as reports name them.
const (
	Gzip  = "gzip"
	XZ    = "xz"
	Zstd  = "zstd"
	Bzip2 = "bzip2"
)

// methods are told by their first bytes.
var methods = []struct {
	name   string
	ending string
	is     func(head []byte) bool
}{
	// RFC 1952 section 2.3: magic, deflate, no reserved flag.
	{Gzip, ".gz", func(b []byte) bool { return begins(b, "\x1f\x8b\x08") && len(b) > 3 && b[3]&0xe0 == 0 }},
	{XZ, ".xz", func(b []byte) bool { return begins(b, "\xfd7zXZ\x00") }},
	{Zstd, ".zst", func(b []byte) bool { return begins(b, "\x28\xb5\x2f\xfd") }}, // RFC 8878 section 3.1.1
	{Bzip2, ".bz2", isBzip2},
}

// headBytes is how much Detect looks at.
const headBytes = 16

func begins(b []byte, magic string) bool { return bytes.HasPrefix(b, []byte(magic)) }

// isBzip2 asks for the digit of the block size and for what a block, or the end of an empty stream, begins with: pi and its root, in
// decimal digits. "BZh" alone stands at the beginning of texts, too.
func isBzip2(b []byte) bool {
	if len(b) < 10 || !begins(b, "BZh") || b[3] < '1' || b[3] > '9' {
		return false
	}
	return begins(b[4:], "\x31\x41\x59\x26\x53\x59") || begins(b[4:], "\x17\x72\x45\x38\x50\x90")
}

// Detect tells by its first bytes how a file is compressed as a whole: Gzip, XZ, Zstd or Bzip2. A file that cannot be read is not
// compressed; whoever reads it next learns why.
func Detect(f disk.File) (method string, ok bool) {
	b := make([]byte, min(f.Size(), headBytes))
	if _, err := f.ReadAt(b, 0); err != nil && int64(len(b)) < f.Size() {
		return "", false
	}
	return detect(b)
}

// IsMethod says whether name is that of a method.
func IsMethod(name string) bool {
	for _, m := range methods {
		if m.name == name {
			return true
		}
	}
	return false
}

func detect(head []byte) (string, bool) {
	for _, m := range methods {
		if m.is(head) {
			return m.name, true
		}
	}
	return "", false
}

// Endings lists the endings of file names that stand for a method, in lower case: .gz .xz .zst .bz2.
func Endings() []string {
	var all []string
	for _, m := range methods {
		all = append(all, m.ending)
	}
	return all
}

// PlainName returns a file's name without the ending that stands for a method, whatever its case: disk.img for disk.img.gz. Any other
// name comes back as it is.
func PlainName(name string) string {
	for _, ending := range Endings() {
		if cut := len(name) - len(ending); cut > 0 && name[cut-1] != '/' && strings.EqualFold(name[cut:], ending) {
			return name[:cut]
		}
	}
	return name
}
