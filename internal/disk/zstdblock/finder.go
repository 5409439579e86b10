package zstdblock

import (
	"encoding/binary"
	"math/bits"
)

const (
	hashBits   = 14 // 32 KiB of positions: what fits the first cache of a processor
	minMatch   = 4
	hashFactor = 889523592379 << 24 // of five bytes
	copySlack  = 32                 // bytes that may be read and written beyond what is copied

	// Where nothing is found, not every position is looked at: one more is left out after each 1<<stepShift bytes.
	stepShift = 7
)

// content is what is compressed, with what may be read beyond it.
type content [MaxContent + copySlack]byte

// finder remembers at which position each five bytes were seen last. What was not seen stands at 0, which is looked at for nothing then.
type finder [1 << hashBits]uint16

// sequence is a run of literals and the match behind it (RFC 8878 section 3.1.1.3.2).
type sequence struct {
	literals uint16
	length   uint16 // of the match, less 3
	offset   uint32 // its distance and 3, or 1 for a distance that was used before
}

func load32(p *content, i uint16) uint32 { return binary.LittleEndian.Uint32(p[int(i) : int(i)+4]) }

func load64(p *content, i uint16) uint64 { return binary.LittleEndian.Uint64(p[int(i) : int(i)+8]) }

func hash(v uint64) uint64 { return v * hashFactor >> (64 - hashBits) & (1<<hashBits - 1) }

// matched returns how many bytes from a on are as those from b on, b < a; at most up to end.
func matched(p *content, a, b, end int) int {
	n := 0
	for a+n < end {
		if x := load64(p, uint16(a+n)) ^ load64(p, uint16(b+n)); x != 0 {
			return min(n+bits.TrailingZeros64(x)>>3, end-a)
		}
		n += 8
	}
	return end - a
}

// search cuts the first size bytes of the content into sequences and literals, of which it returns the number. The literals behind the
// last sequence belong to none.
func (e *Encoder) search(size int) int {
	p, f := &e.content, &e.finder
	*f = finder{}
	e.seqs = e.seqs[:0]
	numLiterals := 0
	last, before := 1, 4 // distances used last, as every frame begins (section 3.1.1.5)
	done := 0            // all before it is in a sequence
	limit := size - 8
	for cur := 1; cur < limit; {
		here := load64(p, uint16(cur))
		slot := &f[hash(here)]
		at := int(*slot)
		*slot = uint16(cur)
		var length int
		var offset uint32
		switch {
		case last <= cur && load32(p, uint16(cur+1)) == load32(p, uint16(cur+1-last)):
			cur++
			length = 4 + matched(p, cur+4, cur+4-last, size)
			offset = 1
		case load32(p, uint16(at)) == uint32(here) && at < cur:
			length = 4 + matched(p, cur+4, at+4, size)
			d := cur - at
			for cur > done && at > 0 && p[cur-1] == p[at-1] {
				cur--
				at--
				length++
			}
			before, last = last, d
			offset = uint32(d) + 3
		default:
			cur += 1 + (cur-done)>>stepShift
			continue
		}
		numLiterals = e.take(done, cur, numLiterals, length, offset)
		if next := cur + 2; next < limit {
			f[hash(load64(p, uint16(next)))] = uint16(next)
		}
		cur += length
		done = cur
		if cur >= limit {
			break
		}
		f[hash(load64(p, uint16(cur-2)))] = uint16(cur - 2)
		// Without literals the code for the last distance means the one before it.
		for cur < limit && before <= cur && load32(p, uint16(cur)) == load32(p, uint16(cur-before)) {
			length = 4 + matched(p, cur+4, cur+4-before, size)
			last, before = before, last
			f[hash(load64(p, uint16(cur)))] = uint16(cur)
			e.seqs = append(e.seqs, sequence{0, uint16(length - 3), 1})
			cur += length
			done = cur
		}
	}
	n := copy(e.literals[numLiterals:], p[done:size])
	return numLiterals + n
}

// take appends a sequence whose literals are from done to cur.
func (e *Encoder) take(done, cur, numLiterals, length int, offset uint32) int {
	n := cur - done
	if n <= 16 && numLiterals <= MaxContent { // mostly
		*(*[16]byte)(e.literals[numLiterals:]) = [16]byte(e.content[done:])
	} else {
		copy(e.literals[numLiterals:], e.content[done:cur])
	}
	e.seqs = append(e.seqs, sequence{uint16(n), uint16(length - 3), offset})
	return numLiterals + n
}
