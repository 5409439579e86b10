package qcow2

import (
	"encoding/binary"
	"errors"
	"io"
)

// A cluster's deflate stream (RFC 1951) and its content are both whole in memory, and small. Decoding from slice to slice, with
// 64 bits of input at hand and no window to keep, takes about half of the time of a decoder that reads and writes a stream.

var errDeflate = errors.New("invalid deflate data")

// inputSlack zeroes follow the input, so that eight bytes can be read at once anywhere in it.
const inputSlack = 64

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
