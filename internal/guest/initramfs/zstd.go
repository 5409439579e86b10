package initramfs

import (
	"encoding/binary"
	"io"
)

// Frames of zstd as in RFC 8878, section 3.1.
const (
	zstdMagic      = 0xfd2fb528
	zstdSkippable  = 0x184d2a50 // the low four bits are free
	zstdRLE        = 1          // a block of one byte
	zstdReserved   = 3
	zstdLastBlock  = 1
	zstdHasSum     = 4 // frame header descriptor
	zstdSingle     = 0x20
	zstdBlockBytes = 3 // of a block header
)

// zstdEnd returns the offset behind the frames that begin at at. The decompressor reads on as long as there is something, and what
// follows may be another archive, so its end must be known beforehand. Only headers are read.
func zstdEnd(r io.ReaderAt, at, size int64) (int64, error) {
	for off, first := at, true; ; first = false {
		var b [8]byte
		n, err := readSome(r, b[:], off, size)
		if err != nil {
			return 0, err
		}
		magic := binary.LittleEndian.Uint32(b[:])
		switch {
		case n >= 4 && magic == zstdMagic:
			if off, err = zstdFrame(r, off, size); err != nil {
				return 0, err
			}
		case n == 8 && magic&^0xf == zstdSkippable && !first:
			if off += 8 + int64(binary.LittleEndian.Uint32(b[4:])); off > size {
				return 0, io.ErrUnexpectedEOF
			}
		default:
			return off, nil
		}
	}
}

// zstdFrame returns the offset behind one frame.
func zstdFrame(r io.ReaderAt, off, size int64) (int64, error) {
	var b [5]byte
	if n, err := readSome(r, b[:], off, size); err != nil || n < len(b) {
		return 0, orShort(err)
	}
	descriptor := b[4]
	off += int64(len(b)) + [4]int64{0, 1, 2, 4}[descriptor&3] // the dictionary's id
	content := [4]int64{0, 2, 4, 8}[descriptor>>6]
	if descriptor&zstdSingle == 0 {
		off++ // window descriptor
	} else if content == 0 {
		content = 1
	}
	for off += content; ; {
		var h [4]byte
		if n, err := readSome(r, h[:zstdBlockBytes], off, size); err != nil || n < zstdBlockBytes {
			return 0, orShort(err)
		}
		block := binary.LittleEndian.Uint32(h[:])
		length, kind := int64(block>>3), block>>1&3
		switch kind {
		case zstdRLE:
			length = 1
		case zstdReserved:
			return 0, corrupt(off, "a zstd block of the reserved type")
		}
		if off += zstdBlockBytes + length; off > size {
			return 0, io.ErrUnexpectedEOF
		}
		if block&zstdLastBlock != 0 {
			break
		}
	}
	if descriptor&zstdHasSum != 0 {
		off += 4
	}
	if off > size {
		return 0, io.ErrUnexpectedEOF
	}
	return off, nil
}

// readSome reads as much of p as the image of size bytes holds at off.
func readSome(r io.ReaderAt, p []byte, off, size int64) (int, error) {
	p = p[:max(0, min(int64(len(p)), size-off))]
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		err = nil
	}
	return n, err
}

// orShort is the error of a read that gave too little.
func orShort(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}
