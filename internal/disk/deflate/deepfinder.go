package deflate

const (
	deepBits      = 13
	deepWays      = 4
	deepStepShift = 8
	deepMaxStep   = 4
	niceLength    = 32 // a match as long as this is taken without looking for a longer one
)

// deepFinder looks for longer matches than finder does: each bucket holds the last four positions of what has its hash, the last one lowest,
// and all of them are compared to their ends.
type deepFinder struct {
	buckets [1 << deepBits]uint64
}

func (f *deepFinder) reset() { clear(f.buckets[:]) }

// at returns the longest match for i, the nearest one of these, and enters i; a length below minFound is none.
func (f *deepFinder) at(p *pieceBytes, i, most int, mask uint32) (length, dist int) {
	here := load64(p, uint16(i))
	bucket := &f.buckets[uint32(here)*hashFactor>>(32-deepBits)]
	b := *bucket
	*bucket = b<<16 | uint64(uint16(i))
	before := uint32(i - 1)
	c := larger(larger(candidate(p, here, before, uint32(b), mask), candidate(p, here, before, uint32(b>>16), mask)),
		larger(candidate(p, here, before, uint32(b>>32), mask), candidate(p, here, before, uint32(b>>48), mask)))
	if c < 7<<16 {
		return int(c >> 16), int(uint16(^c)) + 1
	}
	for range deepWays {
		if c := candidate(p, here, before, uint32(b), mask); c>>16 == 7 {
			d := int(uint16(^c)) + 1
			if d <= i {
				if n := extend(p, i, d, 7, most); n > length {
					length, dist = n, d
				}
			}
		}
		b >>= 16
	}
	return length, dist
}

func (f *deepFinder) enter(p *pieceBytes, i int) {
	bucket := &f.buckets[load32(p, uint16(i))*hashFactor>>(32-deepBits)]
	*bucket = *bucket<<16 | uint64(uint16(i))
}

// search cuts the piece from from to end into sequences.
func (f *deepFinder) search(e *Encoder, from, end int) []uint64 {
	p := &e.piece
	mask := uint32(e.window - 1)
	n := 0
	lit := from // where the literals begin
	cur := max(from, 1)
	limit := end - minFound
	for cur < limit {
		length, dist := f.at(p, cur, maxMatch, mask)
		if length < minFound || dist > cur {
			cur += min(1+(cur-lit)>>deepStepShift, deepMaxStep)
			continue
		}
		entered := cur
		for length < niceLength && cur+1 < limit {
			nextLength, nextDist := f.at(p, cur+1, maxMatch, mask)
			entered = cur + 1
			if nextLength < minFound || !better(length, dist, nextLength, nextDist) {
				break
			}
			cur++
			length, dist = nextLength, nextDist
		}
		length = min(length, end-cur)
		e.seqs[n] = sequence(cur-lit, length, dist)
		n++
		lit = cur + length
		k := entered + 1
		if length > longRun && dist <= longRun/2 {
			for range longRun / 2 {
				f.enter(p, k)
				k++
			}
			k = lit - longRun/2
		}
		for ; k < min(lit, limit); k++ {
			f.enter(p, k)
		}
		cur = lit
	}
	e.seqs[n] = sequence(end-lit, minMatch, 1) // always there, even if empty
	return e.seqs[:n+1]
}
