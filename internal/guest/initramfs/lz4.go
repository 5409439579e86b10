package initramfs

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/pierrec/lz4/v4"
)

// The legacy framing of lz4 (lz4_Frame_format.md, "Legacy frame"; lib/decompress_unlz4.c): a magic number, then blocks of which each
// unpacks to 8 MiB but for the last, each after its compressed size. Nothing marks the end: the next magic number, zeros, the end of
// the file, or a size that no block can have end it.
const (
	lz4LegacyMagic = 0x184c2102
	lz4LegacyBlock = 8 << 20
	// lz4LegacyMost is the largest compressed block (LZ4_COMPRESSBOUND).
	lz4LegacyMost = lz4LegacyBlock + lz4LegacyBlock/255 + 16
)

// lz4Legacy unpacks the legacy framing.
type lz4Legacy struct {
	r         io.ReaderAt
	off, size int64
	in, out   []byte
	ready     []byte // of out, not yet given away
}

func openLZ4Legacy(l *lister, at int64) (part, error) {
	z := &lz4Legacy{r: l.r, off: at + 4, size: l.size, out: make([]byte, lz4LegacyBlock)}
	return part{content: z, end: func() int64 { return z.off }}, nil
}

// Read implements io.Reader.
func (z *lz4Legacy) Read(p []byte) (int, error) {
	for len(z.ready) == 0 {
		if err := z.block(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.ready)
	z.ready = z.ready[n:]
	return n, nil
}

// block unpacks the next block; io.EOF where none follows, with off behind the last.
func (z *lz4Legacy) block() error {
	var b [4]byte
	n, err := readSome(z.r, b[:], z.off, z.size)
	if err != nil {
		return err
	}
	length := int64(binary.LittleEndian.Uint32(b[:]))
	switch {
	case n == len(b) && length == lz4LegacyMagic:
		z.off += 4
		return nil
	case n < len(b), length == 0, length > lz4LegacyMost:
		return io.EOF
	case length > z.size-z.off-4:
		return io.ErrUnexpectedEOF
	}
	if int64(cap(z.in)) < length {
		z.in = make([]byte, length)
	}
	z.in = z.in[:length]
	if _, err := io.ReadFull(io.NewSectionReader(z.r, z.off+4, length), z.in); err != nil {
		return unexpected(err)
	}
	if n, err = lz4.UncompressBlock(z.in, z.out); err != nil {
		return fmt.Errorf("a block of %d bytes at %#x: %w", length, z.off, err)
	}
	z.ready, z.off = z.out[:n], z.off+4+length
	return nil
}

// The newer framing (lz4_Frame_format.md): header, blocks with their sizes, an end mark of zeros, checksums as the flags say.
const (
	lz4Magic      = 0x184d2204
	lz4BlockSum   = 0x10
	lz4HasSize    = 0x08
	lz4ContentSum = 0x04
	lz4HasDict    = 0x01
	lz4Stored     = 1 << 31 // in a block's size: the block is not compressed
)

func openLZ4(l *lister, at int64) (part, error) {
	end, err := lz4End(l.r, at, l.size)
	if err != nil {
		return part{}, err
	}
	return part{content: lz4.NewReader(l.rest(at, end)), end: func() int64 { return end }}, nil
}

// lz4End returns the offset behind the one frame at off, so that the decompressor does not look for another one behind it.
func lz4End(r io.ReaderAt, off, size int64) (int64, error) {
	var b [5]byte
	if n, err := readSome(r, b[:], off, size); err != nil || n < len(b) {
		return 0, orShort(err)
	}
	flags := b[4]
	off += 4 + 2 + 1 // magic, flags and block size, header checksum
	if flags&lz4HasSize != 0 {
		off += 8
	}
	if flags&lz4HasDict != 0 {
		off += 4
	}
	for {
		if n, err := readSome(r, b[:4], off, size); err != nil || n < 4 {
			return 0, orShort(err)
		}
		length := int64(binary.LittleEndian.Uint32(b[:]) &^ lz4Stored)
		off += 4
		if length == 0 {
			break
		}
		if off += length; flags&lz4BlockSum != 0 {
			off += 4
		}
		if off > size {
			return 0, io.ErrUnexpectedEOF
		}
	}
	if flags&lz4ContentSum != 0 {
		off += 4
	}
	if off > size {
		return 0, io.ErrUnexpectedEOF
	}
	return off, nil
}
