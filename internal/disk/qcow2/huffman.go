package qcow2

import "io"

const (
	litBits     = 11 // of a literal or length code looked up at once; longer ones take a second table
	distBits    = 8
	precodeBits = 7
	maxCodeBits = 15
	// The largest tables that a valid code needs: 2342 for 288 symbols and 11 bits, 402 for 32 and 8. A power of two lets the
	// compiler see that a masked index is inside.
	litTable     = 4096
	distTable    = 512
	precodeTable = 1 << precodeBits
)

// A decode entry, from bit 31 down: value (16 bits: literal, base of a length or distance, or start of a second table), four
// flags, length of the code without extra bits (or bits of the second table) from bit 8 on, bits to consume from bit 0 on.
const (
	entryValue   = 16
	entryLiteral = 1 << 15
	entrySpecial = 1 << 14 // alone: no code
	entrySub     = entrySpecial | 1<<13
	entryEnd     = entrySpecial | 1<<12
	codeLen      = 0x101 // what one bit of a code adds to its entry
)

// newInflater computes the values of the symbols (RFC 1951 section 3.2.5).
func newInflater() *inflater {
	f := &inflater{}
	for i := range uint32(256) {
		f.litSymbols[i] = entryLiteral | i<<entryValue
	}
	f.litSymbols[256] = entryEnd
	base := uint32(3)
	for i := range uint32(28) {
		extra := uint32(0)
		if i >= 8 {
			extra = i/4 - 1
		}
		f.litSymbols[257+i] = base<<entryValue | extra
		base += 1 << extra
	}
	f.litSymbols[285] = 258 << entryValue
	f.litSymbols[286], f.litSymbols[287] = entrySpecial, entrySpecial
	base = 1
	for i := range uint32(30) {
		extra := uint32(0)
		if i >= 4 {
			extra = i/2 - 1
		}
		f.distSymbols[i] = base<<entryValue | extra
		base += 1 << extra
	}
	f.distSymbols[30], f.distSymbols[31] = entrySpecial, entrySpecial
	for i := range f.preSymbols {
		f.preSymbols[i] = uint32(i) << entryValue
	}
	return f
}

// fixedCodes sets the codes of RFC 1951 section 3.2.6.
func (f *inflater) fixedCodes() error {
	for i := range 288 {
		switch {
		case i < 144, i >= 280:
			f.lens[i] = 8
		case i < 256:
			f.lens[i] = 9
		default:
			f.lens[i] = 7
		}
	}
	for i := range 32 {
		f.lens[288+i] = 5
	}
	if err := f.build(f.lit[:], f.litSymbols[:], f.lens[:288], litBits); err != nil {
		return err
	}
	return f.build(f.dist[:], f.distSymbols[:], f.lens[288:], distBits)
}

// dynamicCodes reads the codes of a block (RFC 1951 section 3.2.7).
func (f *inflater) dynamicCodes(in *input) error {
	order := [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	lits, dists, pres := int(in.take(5))+257, int(in.take(5))+1, int(in.take(4))+4
	if lits > 286 || dists > 30 {
		return errDeflate
	}
	clear(f.lens[:19])
	for _, sym := range order[:pres] {
		if in.n < 3 && !in.refill() {
			return io.ErrUnexpectedEOF
		}
		f.lens[sym] = uint8(in.take(3))
	}
	if err := f.build(f.precode[:], f.preSymbols[:], f.lens[:19], precodeBits); err != nil {
		return err
	}
	for i := 0; i < lits+dists; {
		if !in.refill() {
			return io.ErrUnexpectedEOF
		}
		e := f.precode[in.bits&(precodeTable-1)]
		if e&entrySpecial != 0 {
			return errDeflate
		}
		in.take(uint(e & 0xff))
		sym := uint8(e >> entryValue)
		if sym < 16 {
			f.lens[i] = sym
			i++
			continue
		}
		value, n := uint8(0), 0
		switch sym {
		case 16:
			if i == 0 {
				return errDeflate
			}
			value, n = f.lens[i-1], 3+int(in.take(2))
		case 17:
			n = 3 + int(in.take(3))
		default:
			n = 11 + int(in.take(7))
		}
		if n > lits+dists-i {
			return errDeflate
		}
		for range n {
			f.lens[i] = value
			i++
		}
	}
	if f.lens[256] == 0 {
		return errDeflate // a block without an end
	}
	if err := f.build(f.lit[:], f.litSymbols[:], f.lens[:lits], litBits); err != nil {
		return err
	}
	return f.build(f.dist[:], f.distSymbols[:], f.lens[lits:lits+dists], distBits)
}

// build fills a decode table for the canonical code with these lengths (RFC 1951 section 3.2.2). A code that is not complete is
// refused, but for one symbol of one bit and none at all, as zlib does.
func (f *inflater) build(table, symbols []uint32, lens []uint8, bits uint) error {
	var count [maxCodeBits + 1]int
	for _, n := range lens {
		count[n]++
	}
	count[0] = 0
	left, used, longest := 1, 0, uint(0)
	var at [maxCodeBits + 2]int
	for n := uint(1); n <= maxCodeBits; n++ {
		at[n+1] = at[n] + count[n]
		if left = left*2 - count[n]; left < 0 {
			return errDeflate
		}
		if used += count[n]; count[n] > 0 {
			longest = n
		}
	}
	if left > 0 {
		if used > 1 || longest > 1 {
			return errDeflate
		}
		for i := range table[:1<<bits] {
			table[i] = entrySpecial
		}
	}
	for sym, n := range lens {
		if n > 0 {
			f.sorted[at[n]] = uint16(sym)
			at[n]++
		}
	}
	code, i := uint(0), 0 // code is bit-reversed: its first bit is the lowest
	next, sub, subBits := 1<<bits, -1, uint(0)
	start := 0 // of the second table in use
	for n := uint(1); n <= longest; n++ {
		for range count[n] {
			sym := symbols[f.sorted[i]]
			i++
			if n <= bits {
				for j := code; j < 1<<bits; j += 1 << n {
					table[j] = sym + uint32(n)*codeLen
				}
			} else {
				if prefix := int(code & (1<<bits - 1)); prefix != sub {
					sub, start = prefix, next
					subBits = n - bits
					for room := 1<<subBits - count[n]; subBits+bits < longest && room > 0; {
						subBits++
						room = room*2 - count[subBits+bits]
					}
					next += 1 << subBits
					table[prefix] = entrySub | uint32(start)<<entryValue | uint32(subBits)<<8 | uint32(bits)
				}
				for j := code >> bits; j < 1<<subBits; j += 1 << (n - bits) {
					table[start+int(j)] = sym + uint32(n-bits)*codeLen
				}
			}
			count[n]--
			// The next code of this length: add one to the reversed number.
			bit := uint(1) << (n - 1)
			for code&bit != 0 {
				code ^= bit
				bit >>= 1
			}
			code |= bit
		}
	}
	return nil
}
