package initramfs

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// Stream footer of "The .xz File Format", section 2.1.2: CRC32 of the next six bytes, size of the index, flags, magic.
const (
	xzFooter = 12
	xzAlign  = 4
	// xzAhead is more than what the decompressor has read ahead when it complains.
	xzAhead = 256 << 10
)

// xzEnd returns the offset behind the last whole stream of the file that begins at begin and of which the bytes up to to were read.
// Package xz reads stream after stream and takes what follows for damage; the footers tell how far the streams go.
func xzEnd(r io.ReaderAt, begin, to int64) (int64, bool) {
	from := max(begin, to-xzAhead)
	from += (begin - from) & (xzAlign - 1) // streams are multiples of four bytes from begin on
	if to <= from {
		return 0, false
	}
	b := make([]byte, to-from)
	if _, err := io.ReadFull(io.NewSectionReader(r, from, to-from), b); err != nil {
		return 0, false
	}
	for end := len(b) / xzAlign * xzAlign; end >= xzFooter; end -= xzAlign {
		f := b[end-xzFooter : end]
		if bytes.HasSuffix(f, []byte("YZ")) && crc32.ChecksumIEEE(f[4:10]) == binary.LittleEndian.Uint32(f) {
			return from + int64(end), true
		}
	}
	return 0, false
}
