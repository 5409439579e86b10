package deflate

import "encoding/binary"

const (
	// fastInput is how far from its end the input must be for the fast loop: two refills of eight bytes.
	fastInput = 16
	// fastOutput is how much room the output must have: two literals, a match and what its copying writes beyond it.
	fastOutput = 2 + maxMatch + copySlack
)

// fast restores symbols while input and output are far from their ends. It stops before whatever is not right, so that slow finds
// it, and is true if the block ended.
func (d *Decoder) fast(dst []byte, n int, r *reader) (int, bool) {
	in, at := r.in, r.at
	acc, left := r.bits, r.n
	lastIn, lastOut := len(in)-fastInput, len(dst)-fastOutput
	done := false
	for at <= lastIn && n <= lastOut {
		acc |= binary.LittleEndian.Uint64(in[at:]) << (left & 63)
		at += int((63 - left) >> 3)
		left |= 56
		e := d.litLen[acc&(1<<litLenPrimary-1)]
		if e&entryLiteral != 0 {
			acc >>= e & 63
			left -= uint(e & 63)
			dst[n] = byte(e >> entryValue)
			n++
			e = d.litLen[acc&(1<<litLenPrimary-1)]
			if e&entryLiteral != 0 {
				acc >>= e & 63
				left -= uint(e & 63)
				dst[n] = byte(e >> entryValue)
				n++
				e = d.litLen[acc&(1<<litLenPrimary-1)]
				if e&entryLiteral != 0 {
					acc >>= e & 63
					left -= uint(e & 63)
					dst[n] = byte(e >> entryValue)
					n++
					continue
				}
			}
		}
		// At most 22 of 56 bits are gone: a length takes 20, so that a distance needs a refill only then.
		before, leftBefore := acc, left
		if e&entryException != 0 {
			if e&entrySubtable != 0 {
				acc >>= litLenPrimary
				left -= litLenPrimary
				e = d.litLen[e>>entryValue+uint32(acc)&(1<<(e>>entryCodeBits&15)-1)]
				if e&entryLiteral != 0 {
					acc >>= e & 63
					left -= uint(e & 63)
					dst[n] = byte(e >> entryValue)
					n++
					continue
				}
			}
			if e&entryEnd != 0 {
				acc >>= e & 63
				left -= uint(e & 63)
				done = true
				break
			}
			if e&entryException != 0 {
				acc, left = before, leftBefore
				break
			}
		}
		length := int(e>>entryValue) + int(acc&(1<<(e&63)-1)>>(e>>entryCodeBits&15))
		acc >>= e & 63
		left -= uint(e & 63)
		atBefore := at
		acc |= binary.LittleEndian.Uint64(in[at:]) << (left & 63)
		at += int((63 - left) >> 3)
		left |= 56
		e = d.dist[acc&(1<<distPrimary-1)]
		if e&entryException != 0 {
			if e&entrySubtable != 0 {
				acc >>= distPrimary
				left -= distPrimary
				e = d.dist[e>>entryValue+uint32(acc)&(1<<(e>>entryCodeBits&15)-1)]
			}
			if e&entryException != 0 {
				acc, left, at = before, leftBefore, atBefore
				break
			}
		}
		dist := int(e>>entryValue) + int(acc&(1<<(e&63)-1)>>(e>>entryCodeBits&15))
		if dist > n {
			acc, left, at = before, leftBefore, atBefore
			break
		}
		acc >>= e & 63
		left -= uint(e & 63)
		copyMatch(dst, n, dist, length)
		n += length
	}
	r.at, r.bits, r.n = at, acc&(1<<left-1), left
	return n, done
}

// copyMatch copies length bytes from dist bytes back to n; it may write copySlack bytes beyond.
func copyMatch(dst []byte, n, dist, length int) {
	le := binary.LittleEndian
	from, to := dst[n-dist:], dst[n:]
	if dist >= 8 {
		// Eight at a time never overtakes the source. Most matches are not longer than the first two.
		le.PutUint64(to, le.Uint64(from))
		le.PutUint64(to[8:], le.Uint64(from[8:]))
		for i := 16; i < length; i += 16 {
			le.PutUint64(to[i:], le.Uint64(from[i:]))
			le.PutUint64(to[i+8:], le.Uint64(from[i+8:]))
		}
		return
	}
	// The bytes repeat: as many whole repetitions as eight bytes hold are written at a time, and eight bytes.
	v := le.Uint64(from) << (64 - 8*dist) >> (64 - 8*dist)
	for filled := 8 * dist; filled < 64; filled *= 2 {
		v |= v << filled
	}
	step := int(wholeRepeats[dist&7])
	for i := 0; i < length; i += step {
		le.PutUint64(to[i:], v)
	}
}

// copySlack is how far copyMatch writes beyond the match.
const copySlack = 16

// wholeRepeats is by distance the largest multiple of it that is at most 8.
var wholeRepeats = [8]uint8{1: 8, 2: 8, 3: 6, 4: 8, 5: 5, 6: 6, 7: 7}
