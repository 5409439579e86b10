package zstdblock

import "math/bits"

// The largest alphabet, and the largest table, of those that code sequences (RFC 8878 section 3.1.1.3.2.1.1).
const (
	maxSymbols  = 53
	maxTableLog = 9
	minTableLog = 5
)

// table codes symbols by finite state entropy (section 4.1). A table of one symbol takes no bits.
type table struct {
	log     uint // of its number of states
	states  [1 << maxTableLog]uint16
	symbols [maxSymbols]transition
	state   uint32

	counts [maxSymbols]uint32
	norm   [maxSymbols]int16
	spread [1 << maxTableLog]uint8
	only   int // the only symbol; negative if there are more
}

// transition is what a symbol does to a state: how many bits that takes, and where the next state stands.
type transition struct {
	bits uint32 // added to the state, the upper half is the number of bits
	find int32
}

// build makes the table from the counts of n symbols, with at most 1<<most states.
func (t *table) build(n int, most uint) {
	used, top := 0, 0
	for s, c := range t.counts {
		if c != 0 {
			used++
			top = s
		}
	}
	t.only = -1
	if used == 1 {
		t.only, t.log = top, 0
		t.symbols[top] = transition{}
		t.states[0] = 0
		return
	}
	t.log = min(most, uint(max(bits.Len(uint(n-1))-3, 0)))
	t.log = max(t.log, minTableLog, uint(bits.Len(uint(used)))) // every symbol has a state
	t.normalize(uint32(n))
	t.fill()
}

// normalize shares the states out among the symbols. -1 is less than one state.
func (t *table) normalize(n uint32) {
	size := uint32(1) << t.log
	left := int(size)
	largest := 0
	for s, c := range t.counts {
		switch {
		case c == 0:
			t.norm[s] = 0
			continue
		case c <= n>>t.log:
			t.norm[s] = -1
			left--
			continue
		}
		k := max(1, (c*size+n/2)/n)
		t.norm[s] = int16(k)
		left -= int(k)
		if t.norm[s] > t.norm[largest] || t.norm[largest] <= 0 {
			largest = s
		}
	}
	// What rounding gave or took is the most frequent symbol's, where it bears that, else that of all who have more than one.
	if int(t.norm[largest])+left > int(t.norm[largest])/2 {
		t.norm[largest] += int16(left)
		return
	}
	for left < 0 {
		for s := range t.norm {
			if t.norm[s] > 1 && left < 0 {
				t.norm[s]--
				left++
			}
		}
	}
}

// fill lays the states out and sets what each symbol does (section 4.1.1).
func (t *table) fill() {
	size := 1 << t.log
	high := size - 1
	var next [maxSymbols + 1]int
	for s, k := range t.norm {
		if k == -1 {
			t.spread[high] = uint8(s)
			high--
			k = 1
		}
		next[s+1] = next[s] + int(k)
	}
	step, pos := size>>1+size>>3+3, 0
	for s, k := range t.norm {
		for range k {
			t.spread[pos] = uint8(s)
			for pos = (pos + step) & (size - 1); pos > high; {
				pos = (pos + step) & (size - 1)
			}
		}
	}
	total := 0
	for s, k := range t.norm {
		switch k {
		case 0:
			continue
		case 1, -1:
			t.symbols[s] = transition{uint32(t.log<<16) - uint32(size), int32(total - 1)}
			total++
		default:
			out := t.log + 1 - uint(bits.Len(uint(k-1)))
			t.symbols[s] = transition{uint32(out<<16) - uint32(k)<<out, int32(total - int(k))}
			total += int(k)
		}
	}
	for u := range size {
		s := t.spread[u]
		t.states[next[s]] = uint16(size + u)
		next[s]++
	}
}

// begin sets the state with which the last symbol, the first that is coded, is read.
func (t *table) begin(symbol uint8) {
	tr := t.symbols[symbol]
	n := (tr.bits + 1<<15) >> 16
	t.state = uint32(t.states[int32((n<<16-tr.bits)>>n)+tr.find])
}

// appendCounts appends the description of the table (section 4.1.1).
func (t *table) appendCounts(out []byte) []byte {
	acc, n := uint64(t.log-minTableLog), uint(4)
	put := func(v, k uint) {
		acc |= uint64(v) << n
		for n += k; n >= 8; n -= 8 {
			out = append(out, byte(acc))
			acc >>= 8
		}
	}
	size := 1 << t.log
	remaining, threshold, width := size+1, size, t.log+1
	for s := 0; remaining > 1; {
		count := int(t.norm[s])
		s++
		most := 2*threshold - 1 - remaining
		remaining -= max(count, -count)
		zero := count == 0
		count++
		if count >= threshold {
			count += most
		}
		if count < most {
			put(uint(count), width-1)
		} else {
			put(uint(count), width)
		}
		for remaining < threshold && threshold > 1 {
			width--
			threshold >>= 1
		}
		if zero { // how many more are zero, three at a time
			run := 0
			for t.norm[s+run] == 0 {
				run++
			}
			s += run
			for ; run >= 3; run -= 3 {
				put(3, 2)
			}
			put(uint(run), 2)
		}
	}
	if n > 0 {
		out = append(out, byte(acc))
	}
	return out
}
