package qcow2

import (
	"encoding/binary"
	"errors"
	"io"
)

// A cluster's deflate stream (RFC 1951) and its content are both whole in memory, and small. Decoding from slice to slice, with
// 64 bits of input at hand and no window to keep, takes about half of the time of a decoder that reads and writes a stream.

var errDeflate = errors.New("invalid deflate data")

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

	// inputSlack zeroes follow the input, so that eight bytes can be read at once anywhere in it.
	inputSlack = 64
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

// inflater holds the tables for one block at a time.
type inflater struct {
	lit     [litTable]uint32
	dist    [distTable]uint32
	precode [precodeTable]uint32
	lens    [288 + 32]uint8
	sorted  [288]uint16

	litSymbols  [288]uint32 // entries without the length of their code
	distSymbols [32]uint32
	preSymbols  [19]uint32
}

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

// input is a bit reader. The low n bits of bits are the next ones; what stands above them is the input that follows and may be
// read again.
type input struct {
	src  []byte // with inputSlack zeroes behind its end
	end  int    // length of the input itself
	pos  int    // of the first byte that is not in the n bits
	bits uint64
	n    uint
}

// refill makes n at least 56. It is false when the input ended long ago.
func (in *input) refill() bool {
	if in.pos > len(in.src)-8 {
		return false
	}
	in.bits |= binary.LittleEndian.Uint64(in.src[in.pos:]) << (in.n & 63)
	in.pos += int(63-in.n) >> 3
	in.n |= 56
	return true
}

func (in *input) take(n uint) uint32 {
	v := uint32(in.bits & (1<<n - 1))
	in.bits >>= n
	in.n -= n
	return v
}

// within says whether nothing behind the end of the input was used.
func (in *input) within() bool { return in.pos*8-int(in.n) <= in.end*8 }

// inflate fills dst from the first n bytes of src; inputSlack zeroes follow them. What comes after dst is full is not looked
// at. Errors: errDeflate, and io.ErrUnexpectedEOF where the input or the stream ends before dst is full.
func (f *inflater) inflate(dst, src []byte, n int) error {
	in := input{src: src[:n+inputSlack], end: n}
	out := 0
	for last := false; out < len(dst); {
		if last || !in.refill() {
			return io.ErrUnexpectedEOF
		}
		last = in.take(1) == 1
		var err error
		switch in.take(2) {
		case 0:
			out, err = in.stored(dst, out)
		case 1:
			if err = f.fixedCodes(); err == nil {
				out, err = f.block(&in, dst, out)
			}
		case 2:
			if err = f.dynamicCodes(&in); err == nil {
				out, err = f.block(&in, dst, out)
			}
		default:
			err = errDeflate
		}
		if !in.within() {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stored copies a block without compression (RFC 1951 section 3.2.4).
func (in *input) stored(dst []byte, out int) (int, error) {
	at := in.pos - int(in.n>>3) // bits up to the next byte are skipped
	if at > in.end-4 {
		return out, io.ErrUnexpectedEOF
	}
	n := int(binary.LittleEndian.Uint16(in.src[at:]))
	if n^0xffff != int(binary.LittleEndian.Uint16(in.src[at+2:])) {
		return out, errDeflate
	}
	at += 4
	n = min(n, len(dst)-out)
	if n > in.end-at {
		return out, io.ErrUnexpectedEOF
	}
	copy(dst[out:], in.src[at:at+n])
	in.pos, in.bits, in.n = at+n, 0, 0
	return out + n, nil
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

// block decodes a block's symbols up to its end, or until dst is full.
func (f *inflater) block(in *input, dst []byte, out int) (int, error) {
	src, pos, bits, n := in.src, in.pos, in.bits, in.n
	for out < len(dst) {
		if pos > len(src)-8 {
			break
		}
		bits |= binary.LittleEndian.Uint64(src[pos:]) << (n & 63)
		pos += int(63-n) >> 3
		n |= 56

		// Up to three literals of at most litBits each; then there are at least 23 bits left.
		e := f.lit[bits&(1<<litBits-1)]
		if e&entryLiteral != 0 {
			dst[out] = byte(e >> entryValue)
			out++
			bits >>= e & 63
			n -= uint(e & 0xff)
			e = f.lit[bits&(1<<litBits-1)]
			if e&entryLiteral != 0 && out < len(dst) {
				dst[out] = byte(e >> entryValue)
				out++
				bits >>= e & 63
				n -= uint(e & 0xff)
				e = f.lit[bits&(1<<litBits-1)]
			}
			if e&entryLiteral != 0 {
				continue
			}
		}
		if e&entrySpecial != 0 {
			if e&entrySub == entrySub {
				bits >>= litBits
				n -= litBits
				e = f.lit[(e>>entryValue+uint32(bits)&(1<<(e>>8&15)-1))&(litTable-1)]
			}
			if e&entrySpecial != 0 {
				bits >>= e & 63
				n -= uint(e & 0xff)
				in.pos, in.bits, in.n = pos, bits, n
				if e&entryEnd == entryEnd {
					return out, nil
				}
				return out, errDeflate
			}
			if e&entryLiteral != 0 {
				if out < len(dst) {
					dst[out] = byte(e >> entryValue)
					out++
				}
				bits >>= e & 63
				n -= uint(e & 0xff)
				continue
			}
		}
		length := int(e>>entryValue) + int(bits&(1<<(e&63)-1)>>(e>>8&15))
		bits >>= e & 63
		n -= uint(e & 0xff)

		if pos > len(src)-8 {
			break
		}
		bits |= binary.LittleEndian.Uint64(src[pos:]) << (n & 63)
		pos += int(63-n) >> 3
		n |= 56
		e = f.dist[bits&(1<<distBits-1)]
		if e&entrySub == entrySub {
			bits >>= distBits
			n -= distBits
			e = f.dist[(e>>entryValue+uint32(bits)&(1<<(e>>8&15)-1))&(distTable-1)]
		}
		dist := int(e>>entryValue) + int(bits&(1<<(e&63)-1)>>(e>>8&15))
		bits >>= e & 63
		n -= uint(e & 0xff)
		if e&entrySpecial != 0 || dist > out {
			in.pos, in.bits, in.n = pos, bits, n
			return out, errDeflate
		}
		out = match(dst, out, dist, length)
	}
	in.pos, in.bits, in.n = pos, bits, n
	if out < len(dst) {
		return out, io.ErrUnexpectedEOF
	}
	return out, nil
}

// match repeats length bytes from dist back, as far as dst reaches.
func match(dst []byte, out, dist, length int) int {
	room := len(dst) - out
	if dist >= 8 && length+8 <= room {
		// Eight bytes at a time; what is written too much is written over later.
		from, to := dst[out-dist:], dst[out:]
		for i := 0; i < length; i += 8 {
			binary.LittleEndian.PutUint64(to[i:], binary.LittleEndian.Uint64(from[i:]))
		}
		return out + length
	}
	length = min(length, room)
	if dist == 1 {
		b, run := dst[out-1], dst[out:out+length]
		for i := range run {
			run[i] = b
		}
		return out + length
	}
	for i := range length {
		dst[out+i] = dst[out+i-dist]
	}
	return out + length
}
