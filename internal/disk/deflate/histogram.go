package deflate

// histogram counts the symbols of a block or a part of one.
type histogram struct {
	litLen [288]uint32
	dist   [32]uint32
}

// counter counts literals in four tables by turns, so that a count is not needed again before it is in memory.
type counter [4][256]uint32

// below is -1 if i < n, else 0.
func below(i, n int) int { return (i - n) >> 63 }

// count takes the symbols of the sequences, whose content begins at from in the piece, and returns where that ends. Ends is true if
// the last sequence has no match.
//
// How many literals come before a match cannot be foreseen, and a branch taken wrongly costs as much as ten of them. So up to four
// are counted, and written, without a branch.
func (h *histogram) count(c *counter, seqs []uint64, p *pieceBytes, from int, ends bool) int {
	*c = counter{}
	*h = histogram{}
	at := uint(from)
	for _, s := range seqs {
		run := int(s >> seqLiterals)
		i := at
		at += uint(run) + uint(s&seqLength) + minMatch
		for ; run > 4; run -= 4 {
			v := load32(p, uint16(i))
			c[0][uint8(v)]++
			c[1][uint8(v>>8)]++
			c[2][uint8(v>>16)]++
			c[3][v>>24]++
			i += 4
		}
		v := load32(p, uint16(i))
		c[0][uint8(v)] -= uint32(below(0, run))
		c[1][uint8(v>>8)] -= uint32(below(1, run))
		c[2][uint8(v>>16)] -= uint32(below(2, run))
		c[3][v>>24] -= uint32(below(3, run))
		h.litLen[endOfBlock+1+uint(lengthSymbols[s&seqLength]&31)]++
		h.dist[s>>seqSymbol&31]++
	}
	if ends { // its bits say a length of 3 at distance symbol 0
		h.litLen[endOfBlock+1]--
		h.dist[0]--
		at -= minMatch
	}
	for i := range c[0] {
		h.litLen[i] = c[0][i] + c[1][i] + c[2][i] + c[3][i]
	}
	return int(at)
}

// add takes the symbols of another part; the two have one end of block.
func (h *histogram) add(o *histogram) {
	for i := range h.litLen {
		h.litLen[i] += o.litLen[i]
	}
	h.litLen[endOfBlock] = 1
	for i := range h.dist {
		h.dist[i] += o.dist[i]
	}
}
