package deflate

import (
	"encoding/binary"
	"math/bits"
)

const (
	bucketBits = 12
	minFound   = 4
)

// finder looks for matches. Each bucket holds the last four positions of what has its hash, the last one lowest, modulo 65536.
type finder struct {
	buckets [1 << bucketBits]uint64
}

func (f *finder) reset() { clear(f.buckets[:]) }

func hash4(v uint32) uint32 { return v * 0x9e3779b1 >> (32 - bucketBits) }

func load32(p *[pieceSize + pieceSlack]byte, i uint16) uint32 {
	return binary.LittleEndian.Uint32(p[int(i) : int(i)+4])
}

func load64(p *[pieceSize + pieceSlack]byte, i uint16) uint64 {
	return binary.LittleEndian.Uint64(p[int(i) : int(i)+8])
}

// candidate compares the eight bytes at i with those at the position in the low bits of bucket; the result is length<<16 | distance
// inverted, or 0.
func candidate(p *[pieceSize + pieceSlack]byte, here uint64, i, pos uint16, entry uint16, window uint32) uint32 {
	d := pos - entry
	valid := uint32(int32(uint32(d-1)-window) >> 31)
	n := uint32(bits.TrailingZeros64(here^load64(p, i-d))) >> 3
	return (n<<16 | uint32(^d)) & valid
}

// at returns the best match for i as length<<16 | ^distance, below minFound<<16 for none, and enters i.
func (f *finder) at(p *[pieceSize + pieceSlack]byte, i, pos uint16, window uint32) uint32 {
	here := load64(p, i)
	h := hash4(uint32(here))
	b := f.buckets[h]
	f.buckets[h] = b<<16 | uint64(pos)
	c := candidate(p, here, i, pos, uint16(b), window)
	c = max(c, candidate(p, here, i, pos, uint16(b>>16), window))
	c = max(c, candidate(p, here, i, pos, uint16(b>>32), window))
	c = max(c, candidate(p, here, i, pos, uint16(b>>48), window))
	return c
}

func (f *finder) enter(p *[pieceSize + pieceSlack]byte, i, pos uint16) {
	h := hash4(load32(p, i))
	f.buckets[h] = f.buckets[h]<<16 | uint64(pos)
}

// extend returns how long the match at distance d is of which n bytes are known.
func extend(p *[pieceSize + pieceSlack]byte, i, d, n, most int) int {
	for n < most {
		x := load64(p, uint16(i+n)) ^ load64(p, uint16(i+n-d))
		if x != 0 {
			return min(n+bits.TrailingZeros64(x)>>3, most)
		}
		n += 8
	}
	return most
}

// search cuts the piece from from to end into sequences. Base is where the piece begins.
func (f *finder) search(e *Encoder, from, end, base int) []uint64 {
	p := &e.piece
	window := e.window
	n := 0
	lit := from // where the literals begin
	i := from
	for i < end-minFound {
		c := f.at(p, uint16(i), uint16(i+base), window)
		if c < minFound<<16 {
			i += 1 + (i-lit)>>7
			continue
		}
		length, d := int(c>>16), int(uint16(^c))
		if length == 8 {
			length = extend(p, i, d, 8, min(maxMatch, end-i))
		}
		for length < 32 && i+1 < end-minFound {
			c := f.at(p, uint16(i+1), uint16(i+1+base), window)
			l2, d2 := int(c>>16), int(uint16(^c))
			if l2 == 8 {
				l2 = extend(p, i+1, d2, 8, min(maxMatch, end-i-1))
			}
			if l2 <= length {
				f.skip(p, i+2, min(i+length, end-minFound), base)
				goto found
			}
			i++
			length, d = l2, d2
		}
		f.skip(p, i+1, min(i+length, end-minFound), base)
	found:
		length = min(length, end-i)
		e.seqs[n] = uint64(length) | uint64(distSymbol(uint32(d)))<<seqSymbol | uint64(d)<<seqDistance | uint64(i-lit)<<seqLiterals
		n++
		i += length
		lit = i
	}
	e.seqs[n] = uint64(end-lit) << seqLiterals
	return e.seqs[:n+1]
}

func (f *finder) skip(p *[pieceSize + pieceSlack]byte, i, end, base int) {
	for ; i < end; i++ {
		f.enter(p, uint16(i), uint16(i+base))
	}
}
