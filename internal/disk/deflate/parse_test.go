package deflate

import (
	"math/bits"
	"testing"
)

// stream is what a stream consists of.
type stream struct {
	blocks   [3]int // by kind
	farthest int    // largest distance
}

// bitReader reads bit by bit: slow, and different from the decoder.
type bitReader struct {
	t  testing.TB
	in []byte
	at int
}

func (r *bitReader) take(n int) (v int) {
	for i := range n {
		if r.at>>3 >= len(r.in) {
			r.t.Fatal("parse: the stream ends early")
		}
		v |= int(r.in[r.at>>3]>>(r.at&7)&1) << i
		r.at++
	}
	return v
}

// code is a Huffman code as a map from its bits, first one highest, behind a 1.
type code map[int]int

func newCode(tb testing.TB, lengths []uint8) code {
	tb.Helper()
	c := code{}
	next := 0
	for l := 1; l <= 15; l++ {
		for s, n := range lengths {
			if int(n) == l {
				if bits.Len(uint(next)) > l {
					tb.Fatal("parse: too many codes")
				}
				c[1<<l|next] = s
				next++
			}
		}
		next <<= 1
	}
	return c
}

func (r *bitReader) symbol(c code) int {
	for v := 1; v < 1<<16; {
		v = v<<1 | r.take(1)
		if s, ok := c[v]; ok {
			return s
		}
	}
	r.t.Fatal("parse: no such code")
	return 0
}

// parse reads a stream that an encoder here wrote.
func parse(tb testing.TB, in []byte) (s stream) {
	tb.Helper()
	r := &bitReader{t: tb, in: in}
	for last := false; !last; {
		last = r.take(1) == 1
		kind := r.take(2)
		s.blocks[kind]++
		lit, dist := fixedLitLen[:], fixedDistLen[:]
		switch kind {
		case blockStored:
			r.at = (r.at + 7) &^ 7
			n := r.take(16)
			if r.take(16) != n^0xffff {
				tb.Fatal("parse: stored length")
			}
			r.at += 8 * n
			continue
		case blockDynamic:
			lit, dist = r.header()
		}
		litCode, distCode := newCode(tb, lit), newCode(tb, dist)
		for {
			sym := r.symbol(litCode)
			if sym == endOfBlock {
				break
			} else if sym < endOfBlock {
				continue
			}
			r.take(int(lengthBits[sym-257]))
			d := r.symbol(distCode)
			distance := int(distBase[d]) + r.take(int(distBits[d]))
			s.farthest = max(s.farthest, distance)
		}
	}
	return s
}

// header reads the code lengths of a dynamic block.
func (r *bitReader) header() (lit, dist []uint8) {
	numLit, numDist, numPre := r.take(5)+257, r.take(5)+1, r.take(4)+4
	var pre [19]uint8
	for _, s := range preOrder[:numPre] {
		pre[s] = uint8(r.take(3))
	}
	c := newCode(r.t, pre[:])
	var all []uint8
	for len(all) < numLit+numDist {
		s, n := r.symbol(c), 1
		l := uint8(s)
		switch s {
		case 16:
			l, n = all[len(all)-1], 3+r.take(2)
		case 17:
			l, n = 0, 3+r.take(3)
		case 18:
			l, n = 0, 11+r.take(7)
		}
		for range n {
			all = append(all, l)
		}
	}
	return all[:numLit], all[numLit:]
}
