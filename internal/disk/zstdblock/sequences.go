package zstdblock

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Which table is whose.
const (
	tableLiterals = iota
	tableOffset
	tableLength
)

// tableLogs are the most states of each table (RFC 8878 section 3.1.1.3.2.1.1).
var tableLogs = [3]uint{9, 8, 9}

// Modes of a table (section 3.1.1.3.2.1).
const (
	modeRLE = 1
	modeFSE = 2
)

// Extra bits of the codes of literals lengths and match lengths (section 3.1.1.3.2.1.1).
var (
	literalsExtra = [36]uint8{16: 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	lengthExtra   = [53]uint8{32: 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

	literalsCodes, literalsBase = codesOf[[64]uint8](literalsExtra[:], 64)
	lengthCodes, lengthBase     = codesOf[[128]uint8](lengthExtra[:], 128)
)

// codesOf returns the codes of the first values, and the lowest value of each code.
func codesOf[T [64]uint8 | [128]uint8](extra []uint8, n int) (T, [maxSymbols]uint32) {
	var codes T
	var base [maxSymbols]uint32
	all := make([]uint8, 0, n)
	value := uint32(0)
	for code, k := range extra {
		base[code] = value
		for range 1 << k {
			if len(all) < n {
				all = append(all, uint8(code))
			}
		}
		value += 1 << k
	}
	switch c := any(&codes).(type) {
	case *[64]uint8:
		copy(c[:], all)
	case *[128]uint8:
		copy(c[:], all)
	}
	return codes, base
}

// Codes of what is beyond the tables grow by one for each bit.
const (
	literalsBeyond = 19
	lengthBeyond   = 36
)

func (s sequence) code() [3]uint8 {
	c := [3]uint8{tableOffset: uint8(bits.Len32(s.offset) - 1)}
	if s.literals < 64 {
		c[tableLiterals] = literalsCodes[s.literals]
	} else {
		c[tableLiterals] = uint8(bits.Len16(s.literals) - 1 + literalsBeyond)
	}
	if s.length < 128 {
		c[tableLength] = lengthCodes[s.length]
	} else {
		c[tableLength] = uint8(bits.Len16(s.length) - 1 + lengthBeyond)
	}
	return c
}

// appendSequences appends the sequences section (section 3.1.1.3.2).
func (e *Encoder) appendSequences(out []byte) []byte {
	n := len(e.seqs)
	switch {
	case n < 128:
		out = append(out, byte(n))
	case n < 0x7f00:
		out = append(out, byte(n>>8+128), byte(n))
	}
	if n == 0 {
		return out
	}
	ll, of, ml := &e.tables[tableLiterals], &e.tables[tableOffset], &e.tables[tableLength]
	for i := range e.tables {
		e.tables[i].counts = [maxSymbols]uint32{}
	}
	codes := e.codes[:n]
	for i, s := range e.seqs {
		c := s.code()
		codes[i] = c
		ll.counts[c[tableLiterals]]++
		of.counts[c[tableOffset]]++
		ml.counts[c[tableLength]]++
	}
	modes := len(out)
	out = append(out, 0)
	for i := range e.tables {
		t := &e.tables[i]
		t.build(n, tableLogs[i])
		if t.only >= 0 {
			out[modes] |= modeRLE << (6 - 2*i)
			out = append(out, byte(t.only))
			continue
		}
		out[modes] |= modeFSE << (6 - 2*i)
		out = t.appendCounts(out)
	}
	return e.appendBits(out, codes)
}

// appendBits appends the bits of all sequences, the last one first (section 3.1.1.3.2.1.2): it is read from its end.
func (e *Encoder) appendBits(out []byte, codes [][3]uint8) []byte {
	b, at := e.bits, 0
	ll, of, ml := &e.tables[tableLiterals], &e.tables[tableOffset], &e.tables[tableLength]
	var acc uint64
	var n uint
	flush := func() {
		binary.LittleEndian.PutUint64(b[at:], acc)
		at += int(n >> 3)
		acc >>= n & 56
		n &= 7
	}
	for i, c := range slices.Backward(codes) {
		s := e.seqs[i]
		if i == len(codes)-1 {
			ml.begin(c[tableLength])
			of.begin(c[tableOffset])
			ll.begin(c[tableLiterals])
		} else {
			acc, n = of.step(c[tableOffset], acc, n)
			acc, n = ml.step(c[tableLength], acc, n)
			acc, n = ll.step(c[tableLiterals], acc, n)
			flush()
		}
		k := uint(literalsExtra[c[tableLiterals]])
		acc |= uint64(uint32(s.literals)-literalsBase[c[tableLiterals]]) << (n & 63)
		n += k
		k = uint(lengthExtra[c[tableLength]])
		acc |= uint64(uint32(s.length)-lengthBase[c[tableLength]]) << (n & 63)
		n += k
		k = uint(c[tableOffset])
		acc |= uint64(s.offset-1<<k) << (n & 63)
		n += k
		flush()
	}
	for _, t := range []*table{ml, of, ll} {
		acc |= uint64(t.state&(1<<t.log-1)) << (n & 63)
		n += t.log
	}
	acc |= 1 << (n & 63) // where the reader begins
	n++
	n = (n + 7) &^ 7
	flush()
	return append(out, b[:at]...)
}

// step codes a symbol.
func (t *table) step(symbol uint8, acc uint64, n uint) (uint64, uint) {
	tr := t.symbols[symbol]
	k := uint(t.state+tr.bits) >> 16
	acc |= uint64(t.state&(1<<k-1)) << (n & 63)
	t.state = uint32(t.states[int32(t.state>>k)+tr.find])
	return acc, n + k
}
