package deflate

import (
	"encoding/binary"
	"math/bits"
)

const (
	bucketBits = 14
	minFound   = 4          // bytes that are hashed, and the shortest match that is found
	hashFactor = 0x9e3779b1 // odd: different bytes have different products

	// Where nothing is found, not every position is looked at: one more is left out after each 1<<stepShift bytes, up to maxStep, so that
	// what cannot be compressed passes quickly and what can be is soon found again.
	stepShift = 7
	maxStep   = 8

	// Of a run longer than this, of bytes that repeat within half of it, only half of it is entered at each end: between there is
	// nothing else.
	longRun = 32

	// A match as long as this is taken without looking for a better one a byte later: that costs three hundredths of the time more and
	// gains a thousandth of the output.
	longEnough = 16
)

// pieceBytes are the bytes of a piece, with what may be read beyond it.
type pieceBytes [pieceSize + pieceSlack]byte

// finder looks for matches at the fast level. Each bucket holds the last two positions of what has its hash, the last one in the lower
// half: the position in the piece in 16 bits, below 16 bits of the product that the hash is a part of. With these a candidate is known for
// one, but for rare chances, before its bytes are looked at; most positions have none.
type finder struct {
	mask    uint32 // number of buckets in use, less one
	buckets [1 << bucketBits]uint64
}

// newFinder returns a finder with twice as many buckets as the window has bytes, within reason: fewer lose positions that are still in
// sight, more leave the cache next to the processor.
func newFinder(window int) *finder {
	return &finder{mask: uint32(min(max(2*window, 1<<13), 1<<bucketBits) - 1)}
}

func (f *finder) reset() { clear(f.buckets[:f.mask+1]) }

// shift moves the positions down with the content of the piece. What is moved out ends at a position that is never before another.
func (f *finder) shift() {
	for i, b := range f.buckets[:f.mask+1] {
		f.buckets[i] = uint64(shifted(uint32(b>>32)))<<32 | uint64(shifted(uint32(b)))
	}
}

func shifted(entry uint32) uint32 {
	if entry&0xffff < pieceStride {
		return entry | 0xffff
	}
	return entry - pieceStride
}

func load32(p *pieceBytes, i uint16) uint32 {
	return binary.LittleEndian.Uint32(p[int(i) : int(i)+4])
}

func load64(p *pieceBytes, i uint16) uint64 {
	return binary.LittleEndian.Uint64(p[int(i) : int(i)+8])
}

// candidate compares the eight bytes behind before with those at the position of entry. The result is length<<16 plus 65536-distance, so that
// the larger of two is the longer or else the nearer; a length of 7 may be more. The mask keeps any entry within the window and the piece.
func candidate(p *pieceBytes, here uint64, before, entry, mask uint32) uint32 {
	d := (before - entry) & mask
	n := uint32(bits.TrailingZeros64((here ^ load64(p, uint16(before-d))) | 1<<63))
	return (n<<13 | 0xffff) - d
}

// larger is max without a branch.
func larger(a, b uint32) uint32 {
	d := int32(a - b)
	return a - uint32(d&(d>>31))
}

// enter puts position i, whose first four bytes are v, into its bucket, and returns what was there, both with 0 in the place of the product
// if that is the same.
func (f *finder) enter(v uint32, i uint16) uint64 {
	v *= hashFactor
	h := v >> (32 - bucketBits) & f.mask
	entry := v<<16 | uint32(i)
	b := f.buckets[h]
	f.buckets[h] = b<<32 | uint64(entry)
	return b ^ uint64(v<<16)*(1<<32|1)
}

// extend returns how long the match at distance d is of which n bytes are known.
func extend(p *pieceBytes, i, d, n, most int) int {
	for n < most {
		x := load64(p, uint16(i+n)) ^ load64(p, uint16(i+n-d))
		if x != 0 {
			return min(n+bits.TrailingZeros64(x)>>3, most)
		}
		n += 8
	}
	return most
}

// longest returns the longer of the two matches that a bucket has for position i, the nearer one of equals; a length below minFound is none.
// What of them lies beyond the window is shorter than that.
func (f *finder) longest(p *pieceBytes, here, bucket uint64, i int, mask uint32) (length, dist int) {
	before := uint32(i - 1)
	near, far := candidate(p, here, before, uint32(bucket), mask), candidate(p, here, before, uint32(bucket>>32), mask)
	best, other := near, far
	if far > near {
		best, other = far, near
	}
	length, dist = int(best>>16), int(uint16(^best))+1
	if length < 7 {
		return length, dist
	}
	if dist > i {
		return 0, 0 // every position in a bucket is before i, so this cannot be; if it were, the disk would be wrong
	}
	length = extend(p, i, dist, 7, maxMatch)
	if other>>16 == 7 {
		if d := int(uint16(^other)) + 1; d <= i {
			if n := extend(p, i, d, 7, maxMatch); n > length {
				length, dist = n, d
			}
		}
	}
	return length, dist
}

// better tells whether the match at the next position is worth a literal before it: a byte more is worth four bits, and so is a
// sixteenth of the distance.
func better(length, dist, nextLength, nextDist int) bool {
	return 4*(nextLength-length)+bits.Len(uint(dist))-bits.Len(uint(nextDist)) > 2
}

// search cuts the piece from from to end into sequences: at each position it takes the longer of two matches, unless there is a better one
// a byte later.
func (f *finder) search(e *Encoder, from, end int) []uint64 {
	p := &e.piece
	mask := e.window - 1
	n := 0
	lit := from         // where the literals begin
	cur := max(from, 1) // what is not entered in a bucket is at 0
	limit := end - minFound
	for cur < limit {
		here := load64(p, uint16(cur))
		b := f.enter(uint32(here), uint16(cur))
		before := uint32(cur - 1)
		if min(before-uint32(b), before-uint32(b>>32)) > mask { // another product makes the difference negative, that is large
			cur += min(1+(cur-lit)>>stepShift, maxStep)
			continue
		}
		length, dist := f.longest(p, here, b, cur, mask)
		if length < minFound || dist > cur {
			cur++
			continue
		}
		entered := cur
		for length < longEnough && cur+1 < limit {
			here := load64(p, uint16(cur+1))
			b := f.enter(uint32(here), uint16(cur+1))
			entered = cur + 1
			if before := uint32(cur); min(before-uint32(b), before-uint32(b>>32)) > mask {
				break
			}
			nextLength, nextDist := f.longest(p, here, b, cur+1, mask)
			if nextLength < minFound || nextDist > cur+1 || !better(length, dist, nextLength, nextDist) {
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
				f.enter(load32(p, uint16(k)), uint16(k))
				k++
			}
			k = lit - longRun/2
		}
		for stop := min(lit, limit); k < stop; k++ {
			f.enter(load32(p, uint16(k)), uint16(k))
		}
		cur = lit
	}
	e.seqs[n] = sequence(end-lit, minMatch, 1) // always there, even if empty
	return e.seqs[:n+1]
}
