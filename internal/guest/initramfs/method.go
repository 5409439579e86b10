package initramfs

import (
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"hyper2kvm/internal/xz"
)

// method is a way of compressing, told by how the data begins.
type method struct {
	name  string
	magic []byte
	open  func(l *lister, at int64) (part, error) // nil: recognised, and not supported
}

// part is one compressed part of an image.
type part struct {
	content io.Reader
	close   func()
	end     func() int64 // offset behind the part, when content has ended well
	// behind looks at the error that content ended with after whole archives: ok where it only speaks of what follows the part at the
	// offset end. nil for methods that end exactly.
	behind func(fail error) (end int64, ok bool)
}

// headBytes is how much of a part is looked at to tell what it is.
const headBytes = 16

// methods returns those of lib/decompress.c, and the newer framing of lz4, which only boot loaders and tools unpack.
func methods() []method {
	return []method{
		{"gzip", []byte{0x1f, 0x8b}, openGzip},
		{"xz", []byte("\xfd7zXZ\x00"), openXZ},
		{"zstd", []byte{0x28, 0xb5, 0x2f, 0xfd}, openZstd},
		{"lz4", []byte{0x02, 0x21, 0x4c, 0x18}, openLZ4Legacy},
		{"lz4", []byte{0x04, 0x22, 0x4d, 0x18}, openLZ4},
		{"bzip2", []byte("BZh"), openBzip2},
		{"lzma", []byte{0x5d, 0x00, 0x00}, openLZMA},
		{"the gzip of 1992", []byte{0x1f, 0x9e}, nil},
		{"LZO compression", []byte("\x89LZO\x00\r\n\x1a\n"), nil},
		{"the old cpio format odc", cpioOld, nil},
		{"the old binary cpio format", []byte{0xc7, 0x71}, nil},
		{"the old binary cpio format", []byte{0x71, 0xc7}, nil},
	}
}

// methodOf returns the method of a part that begins with head; the zero method for none.
func methodOf(head []byte) method {
	for _, m := range methods() {
		if bytes.HasPrefix(head, m.magic) {
			return m
		}
	}
	return method{}
}

// rest is the image from an offset on, with a count of what was read of it.
func (l *lister) rest(at, end int64) *counted {
	return &counted{r: io.NewSectionReader(l.r, at, end-at)}
}

type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func openGzip(l *lister, _ int64) (part, error) {
	// The reader takes single bytes from a bufio.Reader, and none that it does not need: the source stands behind the part at the end.
	z, err := gzip.NewReader(l.in.Reader)
	if err != nil {
		return part{}, err
	}
	z.Multistream(false)
	return part{content: z, end: l.in.offset}, nil
}

func openZstd(l *lister, at int64) (part, error) {
	end, err := zstdEnd(l.r, at, l.size)
	if err != nil {
		return part{}, err
	}
	z, err := zstd.NewReader(l.rest(at, end), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return part{}, err
	}
	return part{content: z, close: z.Close, end: func() int64 { return end }}, nil
}

func openXZ(l *lister, at int64) (part, error) {
	in := l.rest(at, l.size)
	x, err := xz.NewReader(in)
	if err != nil {
		return part{}, xzKind(err)
	}
	behind := func(error) (int64, bool) { return xzEnd(l.r, at, at+in.n) }
	return part{content: x, end: func() int64 { return l.size }, behind: behind}, nil
}

func openLZMA(l *lister, at int64) (part, error) {
	x, err := xz.NewReader(l.rest(at, l.size))
	if err != nil {
		return part{}, xzKind(err)
	}
	whole := func() int64 { return l.size }
	// Without a checksum and a mark behind it, nothing tells damage in the last bytes from something that follows.
	return part{content: x, end: whole, behind: func(error) (int64, bool) { l.trailing = true; return l.size, true }}, nil
}

// xzKind translates the kinds that have a counterpart.
func xzKind(err error) error {
	switch {
	case errors.Is(err, xz.ErrUnsupported):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	case errors.Is(err, xz.ErrLimit):
		return fmt.Errorf("%w: %w", ErrLimit, err)
	}
	return err
}

// bzip2Follows is what compress/bzip2 says of something that follows and is no bzip2.
const bzip2Follows = bzip2.StructuralError("bad magic value in continuation file")

func openBzip2(l *lister, at int64) (part, error) {
	behind := func(fail error) (int64, bool) {
		var s bzip2.StructuralError
		if !errors.As(fail, &s) || s != bzip2Follows {
			return 0, false
		}
		l.trailing = true
		return l.size, true
	}
	return part{content: bzip2.NewReader(l.rest(at, l.size)), end: func() int64 { return l.size }, behind: behind}, nil
}
