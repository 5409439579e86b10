package xz

import (
	"encoding/binary"
	"io"
	"math"
	"math/bits"
)

const (
	// aloneHeader is the length of a .lzma file's header: properties, size of the dictionary, size of the content.
	aloneHeader = 13
	// unknownSize stands for the size of content that ends with a marker.
	unknownSize = math.MaxUint64
	// maxAloneSize is what a .lzma file may say that it holds: a file without a magic number is told by its likely values, and this is
	// where xz(1) draws the line.
	maxAloneSize = 256 << 30
)

// likelyAlone reports whether b, at least a header long, is that of a .lzma file. There is no magic number: the properties must exist,
// the dictionary be 2^n or 2^n + 2^(n-1) bytes, as every program writes it, and the size be believable.
func likelyAlone(b []byte) bool {
	if len(b) < aloneHeader || b[0] >= 9*5*5 {
		return false
	}
	dict, size := binary.LittleEndian.Uint32(b[1:]), binary.LittleEndian.Uint64(b[5:])
	ones := bits.OnesCount32(dict)
	round := ones == 1 || ones == 2 && bits.Len32(dict)-bits.TrailingZeros32(dict) == 2 || dict == math.MaxUint32
	return round && (size < maxAloneSize || size == unknownSize)
}

// alone reads the one stream of LZMA that a .lzma file is.
type alone struct {
	in    *input
	d     *lzma  // its input is a part of the file, with maxSymbol zeroes behind it
	valid int    // bytes of that part
	last  bool   // the file has no more
	known bool   // the header states the size
	left  uint64 // bytes of content, if it does
	ended bool   // the end marker was there
}

// newAlone reads the header of a .lzma file.
func newAlone(in *input) (*alone, error) {
	var b [aloneHeader]byte
	if err := in.full(b[:], ".lzma header"); err != nil {
		return nil, err
	}
	d := &lzma{}
	if !d.properties(b[0]) {
		return nil, fail(ErrUnsupported, 0, "properties %#02x of LZMA", b[0])
	}
	size := binary.LittleEndian.Uint32(b[1:])
	if size > MaxDictionary {
		return nil, fail(ErrLimit, 1, "a dictionary of %d bytes; %d are allowed", size, MaxDictionary)
	}
	d.dict.reset(int(size))
	d.resetState()
	d.rc.in = make([]byte, inputBytes+maxSymbol)
	a := &alone{in: in, d: d, left: binary.LittleEndian.Uint64(b[5:])}
	a.known = a.left != unknownSize
	if err := a.refill(); err != nil {
		return nil, err
	}
	if a.valid < rangeStart {
		return nil, fail(ErrTruncated, in.off, "at the beginning of the data")
	}
	if !d.rc.start() {
		return nil, fail(ErrCorrupt, aloneHeader, "the data does not begin with a zero")
	}
	return a, nil
}

// refill moves what is left of the compressed bytes to the front and reads more.
func (a *alone) refill() error {
	rc := &a.d.rc
	a.valid = copy(rc.in, rc.in[min(rc.pos, a.valid):a.valid])
	rc.pos = 0
	for a.valid < inputBytes && !a.last {
		n, err := a.in.some(rc.in[a.valid:inputBytes])
		if err != nil {
			return err
		}
		a.valid += n
		a.last = n == 0
	}
	clear(rc.in[a.valid:])
	return nil
}

// bound is how far the decoder may read before it has to ask.
func (a *alone) bound() int {
	if a.last {
		return a.valid
	}
	return a.valid - maxSymbol
}

// Read implements io.Reader.
func (a *alone) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if a.ended || a.known && a.left == 0 {
		return 0, a.finish()
	}
	n := min(len(p), a.d.dict.room())
	if a.known {
		n = int(min(uint64(n), a.left))
	}
	at := a.d.dict.pos
	got, err := a.decode(n)
	if err != nil {
		return 0, err
	}
	if a.known {
		a.left -= uint64(got)
	}
	copy(p, a.d.dict.buf[at:at+got])
	if got == 0 { // the end marker
		return 0, a.finish()
	}
	return got, nil
}

// decode puts up to n bytes into the dictionary; fewer only before the end marker.
func (a *alone) decode(n int) (int, error) {
	at := a.d.dict.pos
	for {
		got := a.d.run(n-(a.d.dict.pos-at), a.bound())
		if a.last && (got == starved || a.d.rc.pos > a.valid) {
			return 0, fail(ErrTruncated, a.in.off, "in the data")
		}
		switch got {
		case filled:
			return n, nil
		case starved:
			if err := a.refill(); err != nil {
				return 0, err
			}
		case ended:
			n = a.d.dict.pos - at
			a.ended, a.d.pending = true, 0
			if a.known && uint64(n) < a.left {
				return 0, fail(ErrCorrupt, a.in.off, "the content ends %d bytes before its stated size", a.left-uint64(n))
			}
			return n, nil
		default:
			return 0, fail(ErrCorrupt, a.in.off, "in the LZMA data before")
		}
	}
}

// finish checks that the data ends with the content, and the file with the data.
func (a *alone) finish() error {
	if !a.ended && a.d.pending == 0 && a.d.rc.code != 0 { // the size is stated, and a marker stands there besides
		a.d.dict.room()
		if _, err := a.decode(1); err != nil {
			return err
		}
	}
	b, err := a.in.peek(1)
	if err != nil {
		return err
	}
	if a.d.pending > 0 || a.d.rc.code != 0 || a.d.rc.pos < a.valid || len(b) > 0 {
		return fail(ErrCorrupt, a.in.off, "the data does not end with the content")
	}
	return io.EOF
}
