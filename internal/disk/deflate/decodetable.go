package deflate

import "math/bits"

// A decodeTable maps the next bits of the input to what they stand for. The first 1<<primary entries are found by the first
// bits; a code longer than that has a subtable, whose place its entry tells.
//
//	bits 0-7   bits to drop: those of the code and of what follows it; for a subtable those of the primary table
//	bits 8-11  bits of the code alone; for a subtable how many more bits it is looked up by
//	bit  12    exception: a subtable, the end of the block, or no code
//	bit  13    with exception: a subtable
//	bit  14    with exception: the end of the block
//	bit  15    a literal
//	bits 16-31 base of the length or distance, the literal, or the place of the subtable
const (
	entryCodeBits  = 8
	entryException = 1 << 12
	entrySubtable  = 1 << 13
	entryEnd       = 1 << 14
	entryLiteral   = 1 << 15
	entryValue     = 16
)

const (
	litLenPrimary = 11
	distPrimary   = 8
	prePrimary    = maxPreBits

	// The most entries that tables have for codes of up to 15 bits, by the program enough of zlib's examples: enough 288 11 15
	// and enough 32 8 15.
	litLenEntries = 2342
	distEntries   = 402
)

// What each symbol stands for, without the bits of its code.
var (
	litLenMeaning = func() (t [288]uint32) {
		for s := range t {
			switch {
			case s < endOfBlock:
				t[s] = entryLiteral | uint32(s)<<entryValue
			case s == endOfBlock:
				t[s] = entryException | entryEnd
			case s < numLitLen:
				k := s - endOfBlock - 1
				t[s] = uint32(lengthBase[k])<<entryValue | uint32(lengthBits[k])
			default:
				t[s] = entryException
			}
		}
		return t
	}()
	distMeaning = func() (t [32]uint32) {
		for s := range t {
			t[s] = entryException
			if s < numDist {
				t[s] = uint32(distBase[s])<<entryValue | uint32(distBits[s])
			}
		}
		return t
	}()
	preMeaning = func() (t [numPre]uint32) {
		for s := range t {
			t[s] = uint32(s) << entryValue
		}
		return t
	}()
)

// tableBuilder holds what building a table takes.
type tableBuilder struct {
	sorted [288]uint16 // symbols by length of their code, then by value
}

// build fills table for a code with these lengths. It is false for a code that is not complete, unless it has no symbol at all or one
// of one bit: these are what RFC 1951 section 3.2.7 allows for distances, and what the decoders in use allow for all.
func (tb *tableBuilder) build(table []uint32, primary int, lengths []uint8, meaning []uint32) bool {
	var count [maxCodeBits + 1]int
	for _, l := range lengths {
		count[l&15]++
	}
	var offsets [maxCodeBits + 2]int
	left := 1
	longest := 0
	for l := 1; l <= maxCodeBits; l++ {
		offsets[l+1] = offsets[l] + count[l]
		left = left<<1 - count[l]
		if left < 0 {
			return false
		}
		if count[l] != 0 {
			longest = l
		}
	}
	if left != 0 && longest != 0 && (longest != 1 || count[1] != 1) {
		return false
	}
	for s, l := range lengths {
		if l != 0 {
			tb.sorted[offsets[l]] = uint16(s)
			offsets[l]++
		}
	}
	size := 1 << primary
	if left != 0 {
		for i := range table[:size] {
			table[i] = entryException + 1<<entryCodeBits + 1 // one bit shows that there is no such code
		}
		if longest == 1 {
			s := tb.sorted[0]
			for i := 0; i < size; i += 2 {
				table[i] = meaning[s] + 1<<entryCodeBits + 1
			}
		}
		return true
	}
	// Codes come in the order of their values; the table is as long as the codes so far, and doubled for each longer length.
	sorted := tb.sorted[:]
	next := 0
	code := uint32(0) // reversed
	l := 1
	filled := 1 << 1
	for ; l <= min(longest, primary); l++ {
		if l > 1 {
			copy(table[filled:2*filled], table[:filled])
			filled *= 2
		}
		for range count[l] {
			s := sorted[next]
			next++
			table[code] = meaning[s] + uint32(l)<<entryCodeBits + uint32(l)
			code = following(code, uint32(l))
		}
	}
	for ; filled < size; filled *= 2 {
		copy(table[filled:2*filled], table[:filled])
	}
	if longest <= primary {
		return true
	}
	mask := uint32(size - 1)
	prefix := uint32(1) << 31
	start, end := 0, size
	var subBits int
	for ; l <= longest; l++ {
		for remaining := count[l]; remaining > 0; remaining-- {
			if code&mask != prefix {
				prefix = code & mask
				start = end
				// The subtable is as long as the codes that begin alike need.
				subBits = l - primary
				room := 1<<subBits - remaining
				for room > 0 {
					subBits++
					if primary+subBits > maxCodeBits {
						break
					}
					room = room<<1 - count[primary+subBits]
				}
				end = start + 1<<subBits
				if end > len(table) {
					return false
				}
				table[prefix] = uint32(start)<<entryValue | entryException | entrySubtable | uint32(subBits)<<entryCodeBits | uint32(primary)
			}
			s := sorted[next]
			next++
			sub := l - primary
			entry := meaning[s] + uint32(sub)<<entryCodeBits + uint32(sub)
			for i := start + int(code>>primary); i < end; i += 1 << sub {
				table[i] = entry
			}
			code = following(code, uint32(l))
		}
	}
	return true
}

// following returns the code after a code of l bits, both with their first bit lowest: the highest 0 becomes 1 and the ones above it 0.
func following(code, l uint32) uint32 {
	zeroes := ^code & (1<<l - 1)
	if zeroes == 0 {
		return code // there is none after the last
	}
	high := uint32(1) << (bits.Len32(zeroes) - 1)
	return code&(high-1) | high
}
