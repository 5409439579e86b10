package xz

import (
	"bytes"
	"hash"
	"io"
	"slices"
)

const (
	maxFilters      = 4    // of a block (section 3.1.2)
	blockReserved   = 0x3c // of the block flags
	blockCompressed = 0x40 // the header states the size of the compressed data
	blockContent    = 0x80 // the header states the size of the content
)

// block reads one block (section 3).
type block struct {
	in       *input
	chain    io.Reader // LZMA2, behind the filters
	sum      hash.Hash // nil for none
	header   int64     // bytes
	data     int64     // offset of the compressed data
	content  uint64    // bytes so far
	stated   blockSizes
	unpadded uint64 // by finish: what the index says of the block
}

// blockSizes are what a header may state; unknownSize where it does not.
type blockSizes struct{ compressed, content uint64 }

// openBlock reads a block header, of which the first byte was read.
func openBlock(in *input, d *lzma, check, size byte) (*block, error) {
	at := in.off - 1
	b := make([]byte, (int(size)+1)*4)
	b[0] = size
	if err := in.full(b[1:], "block header"); err != nil {
		return nil, err
	}
	if !crc32Fits(b) {
		return nil, fail(ErrCorrupt, at, "the block header's CRC32 is wrong")
	}
	flags := b[1]
	if flags&blockReserved != 0 {
		return nil, fail(ErrUnsupported, at, "block flags %#02x", flags)
	}
	f := fields{b: b[2 : len(b)-4]}
	stated := blockSizes{unknownSize, unknownSize}
	if flags&blockCompressed != 0 {
		stated.compressed = f.number()
	}
	if flags&blockContent != 0 {
		stated.content = f.number()
	}
	blk := &block{in: in, header: int64(len(b)), stated: stated}
	var err error
	if blk.chain, err = openChain(in, d, &f, int(flags&(maxFilters-1))+1, at); err != nil {
		return nil, err
	}
	if f.bad || stated.compressed == 0 || len(bytes.Trim(f.b, "\x00")) > 0 {
		return nil, fail(ErrCorrupt, at, "the block header does not fit together")
	}
	blk.sum, _ = newCheck(check) // the stream header was checked
	blk.data = in.off
	return blk, nil
}

// fields takes what a block header holds from its front.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) number() uint64 {
	v, n := number(f.b)
	f.b, f.bad = f.b[n:], f.bad || n == 0
	return v
}

func (f *fields) bytes(n uint64) []byte {
	if n > uint64(len(f.b)) {
		f.bad = true
		return nil
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

// openChain reads the flags of count filters and puts their readers together: they are undone from the last to the first.
func openChain(in *input, d *lzma, f *fields, count int, at int64) (io.Reader, error) {
	var converters []converter
	for i := range count {
		id := f.number()
		props := f.bytes(f.number())
		if f.bad {
			return nil, fail(ErrCorrupt, at, "the block header ends within its filters")
		}
		if i < count-1 {
			c, err := newConverter(id, props, at)
			if err != nil {
				return nil, err
			}
			converters = append(converters, c)
			continue
		}
		if id != filterLZMA2 {
			return nil, fail(ErrUnsupported, at, "filter %#x as the last one", id)
		}
		size, ok := uint64(0), len(props) == 1
		if ok {
			size, ok = dictionarySize(props[0])
		}
		if !ok {
			return nil, fail(ErrCorrupt, at, "the properties of LZMA2 are wrong")
		}
		if size > MaxDictionary {
			return nil, fail(ErrLimit, at, "a dictionary of %d bytes; %d are allowed", size, MaxDictionary)
		}
		var chain io.Reader = newLZMA2(in, d, int(size))
		for _, c := range slices.Backward(converters) {
			chain = newFiltered(chain, c)
		}
		return chain, nil
	}
	return nil, fail(ErrCorrupt, at, "the block has no filter")
}

// Read returns content; io.EOF at the end of the compressed data, when finish is due.
func (b *block) Read(p []byte) (int, error) {
	n, err := b.chain.Read(p)
	if b.sum != nil {
		b.sum.Write(p[:n])
	}
	b.content += uint64(n)
	if b.content > b.stated.content {
		return 0, fail(ErrCorrupt, b.in.off, "the block holds more than the %d bytes that its header states", b.stated.content)
	}
	return n, err
}

// finish verifies what stands behind the compressed data: its sizes, the padding, the check.
func (b *block) finish() error {
	compressed := uint64(b.in.off - b.data)
	if b.stated.compressed != unknownSize && b.stated.compressed != compressed || b.stated.content != unknownSize && b.stated.content != b.content {
		return fail(ErrCorrupt, b.in.off, "the block has %d bytes for %d of content; its header states others", compressed, b.content)
	}
	want := stored(b.sum)
	tail := make([]byte, int(-compressed&3)+len(want))
	at := b.in.off
	if err := b.in.full(tail, "check of a block"); err != nil {
		return err
	}
	pad := len(tail) - len(want)
	switch {
	case len(bytes.Trim(tail[:pad], "\x00")) > 0:
		return fail(ErrCorrupt, at, "the padding of a block is not zero")
	case !bytes.Equal(tail[pad:], want):
		return fail(ErrCorrupt, at, "the check of the block that ends here is wrong")
	}
	b.unpadded = uint64(b.header) + compressed + uint64(len(want))
	return nil
}
