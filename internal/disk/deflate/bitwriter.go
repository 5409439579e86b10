package deflate

import (
	"encoding/binary"
	"slices"
)

// bitWriter collects bits and appends them to a slice that has room for them and for eight bytes beyond.
type bitWriter struct {
	out  []byte
	at   int
	bits uint64
	n    uint // in bits, below 8 after a flush
}

func (w *bitWriter) put(v uint64, n uint) {
	w.bits |= v << (w.n & 63)
	w.n += n
}

func (w *bitWriter) flush() {
	binary.LittleEndian.PutUint64(w.out[w.at:], w.bits)
	w.at += int(w.n >> 3)
	w.bits >>= w.n & 56
	w.n &= 7
}

// align fills the last byte up with zeroes.
func (w *bitWriter) align() {
	w.n = (w.n + 7) &^ 7
	w.flush()
}

// room makes sure that n more bytes fit, and eight beyond them.
func (w *bitWriter) room(n int) {
	if len(w.out)-w.at < n+8 {
		out := slices.Grow(w.out[:w.at], n+8)
		w.out = out[:cap(out)]
	}
}

// storedSize returns how many bits it takes to store n bytes after a byte of which used bits are in use.
func storedSize(used uint, n int) int {
	blocks := max(1, (n+maxStored-1)/maxStored)
	first := (3 + used + 7) &^ 7
	return int(first-used) + (blocks-1)*8 + blocks*32 + n*8
}

// stored writes src as it is, in as many blocks as it takes.
func (w *bitWriter) stored(src []byte, final uint64) {
	for {
		part := src[:min(len(src), maxStored)]
		src = src[len(part):]
		f := final
		if len(src) > 0 {
			f = 0
		}
		w.put(f|blockStored<<1, 3)
		w.align()
		binary.LittleEndian.PutUint16(w.out[w.at:], uint16(len(part)))
		binary.LittleEndian.PutUint16(w.out[w.at+2:], ^uint16(len(part)))
		w.at += 4 + copy(w.out[w.at+4:], part)
		if len(src) == 0 {
			return
		}
	}
}
