package xz

import (
	"encoding/binary"
	"errors"
	"io"
)

// The filters (section 5.3).
const (
	filterDelta    = 0x03
	filterX86      = 0x04
	filterPowerPC  = 0x05
	filterARM      = 0x07
	filterARMThumb = 0x08
	filterSPARC    = 0x09
	filterARM64    = 0x0a
	filterLZMA2    = 0x21
)

// converter undoes a filter in place.
type converter interface {
	// convert works on the next bytes of the content and returns how many of them are final; the others are shown again, with what
	// follows them.
	convert(b []byte) int
}

// newConverter returns what undoes a filter that is not the last one of a chain.
func newConverter(id uint64, props []byte, off int64) (converter, error) {
	if id == filterDelta {
		if len(props) != 1 {
			return nil, fail(ErrCorrupt, off, "the delta filter has %d bytes of properties; 1 is needed", len(props))
		}
		return &delta{distance: int(props[0]) + 1}, nil
	}
	var rewrite func(b []byte, pos uint32) int
	align := uint32(4)
	switch id {
	case filterX86:
		rewrite, align = newX86(), 1
	case filterPowerPC:
		rewrite = powerPC
	case filterARM:
		rewrite = arm
	case filterARMThumb:
		rewrite, align = armThumb, 2
	case filterSPARC:
		rewrite = sparc
	case filterARM64:
		rewrite = arm64
	case filterLZMA2:
		return nil, fail(ErrCorrupt, off, "LZMA2 is not the last filter")
	default:
		return nil, fail(ErrUnsupported, off, "filter %#x", id)
	}
	b := &branches{rewrite: rewrite}
	switch len(props) {
	case 0:
	case 4:
		b.pos = binary.LittleEndian.Uint32(props)
	default:
		return nil, fail(ErrCorrupt, off, "filter %#x has %d bytes of properties; 0 or 4 are needed", id, len(props))
	}
	if b.pos%align != 0 {
		return nil, fail(ErrCorrupt, off, "filter %#x begins at %d, which is no multiple of %d", id, b.pos, align)
	}
	return b, nil
}

// branches undoes the conversion of the targets of jumps from relative to absolute.
type branches struct {
	pos     uint32 // of the next byte in the program
	rewrite func(b []byte, pos uint32) int
}

func (f *branches) convert(b []byte) int {
	n := f.rewrite(b, f.pos)
	f.pos += uint32(n)
	return n
}

// delta undoes the difference to the byte that stands some bytes before.
type delta struct {
	distance int
	history  [256]byte
	pos      byte
}

func (f *delta) convert(b []byte) int {
	for i := range b {
		b[i] += f.history[byte(f.distance+int(f.pos))]
		f.history[f.pos] = b[i]
		f.pos--
	}
	return len(b)
}

// filterBytes is how much is filtered at a time.
const filterBytes = 32 << 10

// filtered reads what a converter makes of another reader's bytes.
type filtered struct {
	src      io.Reader
	c        converter
	mem      []byte
	from, to int   // what is final in mem
	end      int   // and what is not yet
	err      error // of src
}

func newFiltered(src io.Reader, c converter) *filtered {
	return &filtered{src: src, c: c, mem: make([]byte, filterBytes)}
}

// Read implements io.Reader.
func (f *filtered) Read(p []byte) (int, error) {
	for f.from == f.to {
		if f.err != nil {
			return 0, f.err
		}
		f.end = copy(f.mem, f.mem[f.to:f.end])
		n, err := f.src.Read(f.mem[f.end:])
		f.end += n
		f.err = err
		f.from, f.to = 0, f.c.convert(f.mem[:f.end])
		if errors.Is(err, io.EOF) {
			f.to = f.end // what is too short to be a jump is none
		}
	}
	n := copy(p, f.mem[f.from:f.to])
	f.from += n
	return n, nil
}
