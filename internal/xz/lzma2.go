package xz

import (
	"encoding/binary"
	"io"
)

// The control bytes of LZMA2 chunks (section 5.3.1 names the format; its source is the LZMA SDK's Lzma2Dec.c).
const (
	chunkEnd       = 0x00 // of the LZMA2 data
	chunkCopyReset = 0x01 // stored, after a reset of the dictionary
	chunkCopy      = 0x02 // stored
	chunkLZMA      = 0x80 // compressed; below stand what is reset and the top bits of the size
	chunkState     = 0xa0 // from here on: with a new state
	chunkProps     = 0xc0 // from here on: with new properties
	chunkReset     = 0xe0 // from here on: with a new dictionary

	maxChunk = 64 << 10 // compressed bytes of a chunk
)

// lzma2 reads chunks of LZMA, each whole in memory, and hands out what they hold.
type lzma2 struct {
	in   *input
	d    *lzma // its input is the chunk, with maxSymbol zeroes behind it
	size int   // of the dictionary

	left      int  // bytes of content that the chunk still has
	stored    bool // the chunk is not compressed
	end       int  // of the chunk's compressed bytes
	needReset bool // no chunk has reset the dictionary yet
	needProps bool // no chunk has set properties since
	done      bool
}

func newLZMA2(in *input, d *lzma, size int) *lzma2 {
	if d.rc.in == nil {
		d.rc.in = make([]byte, maxChunk+maxSymbol)
	}
	return &lzma2{in: in, d: d, size: size, needReset: true, needProps: true}
}

// Read implements io.Reader.
func (z *lzma2) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for z.left == 0 {
		if z.done {
			return 0, io.EOF
		}
		if err := z.next(); err != nil {
			return 0, err
		}
	}
	n := min(len(p), z.left, z.d.dict.room())
	at := z.d.dict.pos
	if err := z.decode(n); err != nil {
		return 0, err
	}
	copy(p, z.d.dict.buf[at:at+n])
	z.left -= n
	if z.left == 0 && !z.stored && (z.d.pending > 0 || z.d.rc.pos != z.end || z.d.rc.code != 0) {
		return 0, fail(ErrCorrupt, z.in.off, "an LZMA2 chunk does not end where it says")
	}
	return n, nil
}

// decode puts the next n bytes into the dictionary, which has room for them.
func (z *lzma2) decode(n int) error {
	dict := &z.d.dict
	if z.stored {
		if err := z.in.full(dict.buf[dict.pos:dict.pos+n], "stored LZMA2 chunk"); err != nil {
			return err
		}
		dict.wrote(n)
		z.d.total += uint32(n)
		return nil
	}
	if got := z.d.run(n, z.end); got != filled || z.d.rc.pos > z.end {
		return fail(ErrCorrupt, z.in.off, "in an LZMA2 chunk that ends here")
	}
	return nil
}

// next reads the head of a chunk and, if it is compressed, the chunk.
func (z *lzma2) next() error {
	control, err := z.in.byte("LZMA2 data")
	if err != nil {
		return err
	}
	at := z.in.off - 1
	if control == chunkEnd {
		z.done = true
		return nil
	}
	if control > chunkCopy && control < chunkLZMA {
		return fail(ErrCorrupt, at, "no LZMA2 chunk begins with %#02x", control)
	}
	if control == chunkCopyReset || control >= chunkReset {
		z.d.dict.reset(z.size)
		z.d.total = 0
		z.needReset, z.needProps = false, true
	}
	if z.needReset {
		return fail(ErrCorrupt, at, "the first LZMA2 chunk does not reset the dictionary")
	}
	z.stored = control < chunkLZMA
	if z.stored {
		var size [2]byte
		if err := z.in.full(size[:], "head of an LZMA2 chunk"); err != nil {
			return err
		}
		z.left = int(binary.BigEndian.Uint16(size[:])) + 1
		return nil
	}
	return z.compressed(control, at)
}

// compressed reads the rest of the head of a compressed chunk, and the chunk.
func (z *lzma2) compressed(control byte, at int64) error {
	var sizes [4]byte
	if err := z.in.full(sizes[:], "head of an LZMA2 chunk"); err != nil {
		return err
	}
	z.left = int(control&0x1f)<<16 + int(binary.BigEndian.Uint16(sizes[:])) + 1
	z.end = int(binary.BigEndian.Uint16(sizes[2:])) + 1
	if control >= chunkProps {
		b, err := z.in.byte("head of an LZMA2 chunk")
		if err != nil {
			return err
		}
		if !z.d.properties(b) {
			return fail(ErrCorrupt, z.in.off-1, "%#02x are no properties of LZMA2", b)
		}
		z.needProps = false
	}
	if z.needProps {
		return fail(ErrCorrupt, at, "an LZMA2 chunk comes without properties")
	}
	if control >= chunkState {
		z.d.resetState()
	}
	chunk := z.d.rc.in
	if err := z.in.full(chunk[:z.end], "LZMA2 chunk"); err != nil {
		return err
	}
	clear(chunk[z.end : z.end+maxSymbol])
	z.d.rc.pos = 0
	if z.end < rangeStart || !z.d.rc.start() {
		return fail(ErrCorrupt, at, "an LZMA2 chunk does not begin as one")
	}
	return nil
}
