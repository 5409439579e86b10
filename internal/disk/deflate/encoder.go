package deflate

import (
	"fmt"
)

// Levels of the encoder.
const (
	Fast  = 1 // about five per cent larger than zlib's default level with the same window, in about a fifth of its time
	Small = 2 // about two per cent larger, in less than a third
)

// Options say how hard an encoder searches, and where. The zero value is the fast level with a window of 4096 bytes.
type Options struct {
	Level  int // Fast or Small; 0 is Fast
	Window int // how far back a match may lie, in bytes: a power of two from 256 to 32768; 0 is 4096
}

// defaultWindow is what qemu gives its inflater for a qcow2 cluster.
const defaultWindow = 4096

// minWindow is the smallest window that the header of a zlib stream can tell.
const minWindow = 256

const (
	pieceSize   = 1 << 16       // what is searched, and written as blocks, at a time
	pieceSlack  = 16            // bytes beyond a piece that may be read
	pieceStride = pieceSize / 2 // what is new in every piece after the first, behind as much of the past
	maxSeqs     = pieceSize/4 + 1
)

// Encoder writes DEFLATE streams. It holds all that this takes: a call allocates nothing if the output has room for the stream and eight
// bytes more. Not safe for concurrent use. The output depends on the input and the options alone.
type Encoder struct {
	window   uint32
	maxParts int
	fast     *finder     // at level Fast
	deep     *deepFinder // at level Small
	block    block

	// What splitting takes.
	counter counter
	parts   [maxParts]part
	order   [maxParts]*part
	sum     histogram

	seqs  [maxSeqs]uint64
	piece pieceBytes
}

// NewEncoder returns an encoder, or an error that says what is wrong with the options.
func NewEncoder(o Options) (*Encoder, error) {
	if o.Level == 0 {
		o.Level = Fast
	}
	if o.Window == 0 {
		o.Window = defaultWindow
	}
	if o.Level < Fast || o.Level > Small {
		return nil, fmt.Errorf("deflate: level %d; it must be %d or %d, or 0 for the default", o.Level, Fast, Small)
	}
	if o.Window < minWindow || o.Window > maxWindow || o.Window&(o.Window-1) != 0 {
		return nil, fmt.Errorf("deflate: window of %d bytes; it must be a power of two from %d to %d, or 0 for the default",
			o.Window, minWindow, maxWindow)
	}
	e := &Encoder{window: uint32(o.Window), maxParts: 4}
	if o.Level == Small {
		e.deep = new(deepFinder)
		e.maxParts = 8
	} else {
		e.fast = newFinder(o.Window)
	}
	return e, nil
}

// Encode appends src as one stream to dst and returns the longer slice.
func (e *Encoder) Encode(dst, src []byte) []byte {
	out, _ := e.encode(dst, src, 0)
	return out
}

// EncodeLimit appends src as one stream of at most limit bytes to dst. If it takes more, dst comes back as it was, and false; that is known
// before the block is written that does not fit, which for content that cannot be compressed is the first one.
func (e *Encoder) EncodeLimit(dst, src []byte, limit int) ([]byte, bool) {
	if limit < 2 { // the shortest stream, that of nothing
		return dst, false
	}
	return e.encode(dst, src, limit)
}

// encode is Encode for a limit of 0.
func (e *Encoder) encode(dst, src []byte, limit int) ([]byte, bool) {
	w := bitWriter{out: dst[:cap(dst)], at: len(dst)}
	if e.deep != nil {
		e.deep.reset()
	} else {
		e.fast.reset()
	}
	var base, from int // where the piece begins in src, and where in the piece is what was not yet written
	for {
		end := copy(e.piece[from:pieceSize], src[base+from:]) + from
		clear(e.piece[end : end+pieceSlack])
		last := base+end == len(src)
		seqs := e.search(from, end)
		for _, q := range e.split(seqs, from) {
			ok := e.writeBlock(&w, seqs[q.firstSeq:q.endSeq], q, last && q.end == end, limit+len(dst), limit != 0)
			if !ok {
				return dst, false
			}
		}
		if last {
			break
		}
		copy(e.piece[:pieceStride], e.piece[pieceStride:pieceSize])
		if e.fast != nil {
			e.fast.shift()
		} // the deep finder's positions are taken modulo the stride anyway
		base += pieceStride
		from = pieceStride
	}
	w.align()
	return w.out[:w.at], true
}

// search cuts what is new in the piece into sequences.
func (e *Encoder) search(from, end int) []uint64 {
	if e.deep != nil {
		return e.deep.search(e, from, end)
	}
	return e.fast.search(e, from, end)
}

// writeBlock writes the sequences of a part as the kind of block that takes the fewest bits. It is false if limited, and the output would go
// beyond stop.
func (e *Encoder) writeBlock(w *bitWriter, seqs []uint64, q *part, last bool, stop int, limited bool) bool {
	b := &e.block
	dynamic := b.build(&q.histogram)
	fixed := 3 + q.size(&fixedLitLen, &fixedDistLen)
	src := e.piece[q.from:q.end]
	stored := storedSize(w.n, len(src))
	best := min(dynamic, fixed, stored)
	bytes := (int(w.n) + best + 7) / 8
	if limited && bytes > stop-w.at {
		return false
	}
	w.room(bytes)
	var final uint64
	if last {
		final = 1
	}
	switch best {
	case stored:
		w.stored(src, final)
		return true
	case fixed:
		b.litLen, b.distLen = fixedLitLen, fixedDistLen
		w.put(final|blockFixed<<1, 3)
		w.flush()
	default:
		b.writeHeader(w, final)
	}
	b.prepare()
	b.writeSymbols(w, seqs, &e.piece, q.from, q.end)
	return true
}
