package deflate

import "testing"

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

// code is a Huffman code: how many symbols have how many bits, and the symbols in the order of their codes.
type code struct {
	count   [16]int
	symbols []int
}

func newCode(lengths []uint8) (c code) {
	for l := 1; l <= 15; l++ {
		for s, n := range lengths {
			if int(n) == l {
				c.count[l]++
				c.symbols = append(c.symbols, s)
			}
		}
	}
	return c
}

func (r *bitReader) symbol(c code) int {
	v, first, index := 0, 0, 0
	for l := 1; l <= 15; l++ {
		v |= r.take(1)
		if v-first < c.count[l] {
			return c.symbols[index+v-first]
		}
		index += c.count[l]
		first = (first + c.count[l]) << 1
		v <<= 1
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
		litCode, distCode := newCode(lit), newCode(dist)
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
	c := newCode(pre[:])
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
