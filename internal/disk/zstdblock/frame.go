package zstdblock

import (
	"encoding/binary"
	"errors"

	"github.com/klauspost/compress/huff0"
)

// MaxContent is the most content that a frame written here has, in bytes.
const MaxContent = 1 << 16

const (
	magic = 0xfd2fb528 // RFC 8878 section 3.1.1

	// minContent is the least content of which the size is told in two bytes (section 3.1.1.1.4), and below which nothing is worth a frame.
	minContent = 256

	blockCompressed = 2 // section 3.1.1.2.2
	blockHeader     = 3
	frameHeader     = 4 + 1 + 2
	literalsHeader  = 5 // at most

	// minLiterals is the fewest literals that are worth codes, fourStreams the fewest that are worth to be cut in four.
	minLiterals = 64
	fourStreams = 1024
)

// Types of literals sections (section 3.1.1.3.1.1).
const (
	literalsRaw = iota
	literalsRLE
	literalsCompressed
)

// Encoder writes frames. It holds all that this takes. Not safe for concurrent use.
type Encoder struct {
	finder finder
	tables [3]table // of literals lengths, offsets, match lengths: the order in which they are written
	huff   huff0.Scratch

	content  content
	literals [MaxContent + copySlack]byte
	seqs     []sequence
	codes    [][3]uint8 // of each sequence, as tables
	bits     []byte     // of all sequences, before it is known whether they fit
}

// sequenceBytes is the most that a sequence takes, rounded up: 26 bits of states and 48 of what the codes leave open.
const sequenceBytes = 10

// NewEncoder returns an encoder.
func NewEncoder() *Encoder {
	const seqs = MaxContent/minMatch + 1
	e := &Encoder{seqs: make([]sequence, 0, seqs), codes: make([][3]uint8, seqs), bits: make([]byte, seqs*sequenceBytes+16)}
	e.huff.Reuse = huff0.ReusePolicyNone // a frame knows nothing of the one before
	return e
}

// EncodeLimit appends src as one frame of at most limit bytes to dst. If it takes more, or nearly as much before the literals are coded, or src
// has less than 256 or more than MaxContent bytes,
// dst comes back as it was, and false.
func (e *Encoder) EncodeLimit(dst, src []byte, limit int) ([]byte, bool) {
	if len(src) < minContent || len(src) > MaxContent {
		return dst, false
	}
	copy(e.content[:], src)
	clear(e.content[len(src):])
	numLiterals := e.search(len(src))
	begin := len(dst)
	if limit < frameHeader+blockHeader {
		return dst, false
	}
	out := binary.LittleEndian.AppendUint32(dst, magic)
	out = append(out, 1<<6|1<<5) // size in two bytes, a single segment, no checksum, no dictionary
	out = binary.LittleEndian.AppendUint16(out, uint16(len(src)-minContent))
	out = append(out, 0, 0, 0) // header of the block
	out, ok := e.appendLiterals(out, e.literals[:numLiterals], limit+begin-len(out))
	if !ok {
		return dst, false
	}
	out = e.appendSequences(out)
	size := len(out) - begin - frameHeader - blockHeader
	if len(out)-begin > limit || size >= len(src) {
		return dst, false
	}
	head := uint32(1 | blockCompressed<<1 | size<<3) // the last block
	b := out[begin+frameHeader:]
	b[0], b[1], b[2] = byte(head), byte(head>>8), byte(head>>16)
	return out, true
}

// appendLiterals appends the literals section (section 3.1.1.3.1), unless that takes more than room.
func (e *Encoder) appendLiterals(out, p []byte, room int) ([]byte, bool) {
	if len(p) < minLiterals {
		return appendPlain(out, literalsRaw, len(p), p), room > len(p)+literalsHeader
	}
	var packed []byte
	var err error
	streams := uint64(1)
	if len(p) >= fourStreams {
		streams = 4
		packed, _, err = huff0.Compress4X(p, &e.huff)
	} else {
		packed, _, err = huff0.Compress1X(p, &e.huff)
	}
	switch {
	case errors.Is(err, huff0.ErrUseRLE):
		return appendPlain(out, literalsRLE, len(p), p[:1]), room > literalsHeader
	case errors.Is(err, huff0.ErrIncompressible):
		if room <= len(p)+literalsHeader {
			return out, false
		}
		return appendPlain(out, literalsRaw, len(p), p), true
	case err != nil || room <= len(packed)+literalsHeader:
		return out, false
	}
	// Both sizes take 10, 14 or 18 bits; one stream is for 10 only.
	n, format := 10, uint64(0)
	switch most := max(len(p), len(packed)); {
	case streams == 4 && most >= 1<<14:
		n, format = 18, 3
	case streams == 4 && most >= 1<<10:
		n, format = 14, 2
	case streams == 4:
		format = 1
	}
	head := literalsCompressed | format<<2 | uint64(len(p))<<4 | uint64(len(packed))<<(4+n)
	for range (4 + 2*n + 7) / 8 {
		out = append(out, byte(head))
		head >>= 8
	}
	return append(out, packed...), true
}

// appendPlain appends n literals that stand as they are, or the one that all are.
func appendPlain(out []byte, kind, n int, p []byte) []byte {
	switch {
	case n < 1<<5:
		out = append(out, byte(kind|n<<3))
	case n < 1<<12:
		out = append(out, byte(kind|1<<2|n<<4), byte(n>>4))
	default:
		out = append(out, byte(kind|3<<2|n<<4), byte(n>>4), byte(n>>12))
	}
	return append(out, p...)
}
