package xz

import "encoding/binary"

const (
	probInit   = 1 << 10 // a bit is as likely 0 as 1
	probBits   = 11
	probMove   = 5
	rangeTop   = 1 << 24
	rangeStart = 5 // bytes that begin a range-coded stream
)

// rangeDecoder is the arithmetic decoder of LZMA over bytes in memory. Decoding one symbol of LZMA takes at most maxSymbol bytes; the
// caller sees to it that so many follow pos, whatever they are, and compares pos with what there really is.
type rangeDecoder struct {
	in        []byte
	pos       int
	rng, code uint32
}

// maxSymbol is the most input in bytes that one symbol can take, rounded up: a match with the longest distance needs 20.
const maxSymbol = 32

// start reads the five bytes that begin a stream; the first is always zero.
func (r *rangeDecoder) start() bool {
	r.rng, r.code = 0xffffffff, binary.BigEndian.Uint32(r.in[r.pos+1:])
	ok := r.in[r.pos] == 0
	r.pos += rangeStart
	return ok
}

// bit decodes one bit and learns from it.
func (r *rangeDecoder) bit(p *uint16) uint32 {
	v := uint32(*p)
	bound := (r.rng >> probBits) * v
	var b uint32
	if r.code < bound {
		r.rng = bound
		*p = uint16(v + (1<<probBits-v)>>probMove)
	} else {
		r.rng -= bound
		r.code -= bound
		*p = uint16(v - v>>probMove)
		b = 1
	}
	if r.rng < rangeTop {
		r.rng <<= 8
		r.code = r.code<<8 | uint32(r.in[r.pos])
		r.pos++
	}
	return b
}

// tree decodes as many bits as a tree of probabilities is deep, the highest first. len(probs) is 1 << depth.
func (r *rangeDecoder) tree(probs []uint16) uint32 {
	rng, code, in, pos := r.rng, r.code, r.in, r.pos
	m, end := uint32(1), uint32(len(probs))
	for m < end {
		p := &probs[m]
		v := uint32(*p)
		bound := (rng >> probBits) * v
		if code < bound {
			rng = bound
			*p = uint16(v + (1<<probBits-v)>>probMove)
			m <<= 1
		} else {
			rng -= bound
			code -= bound
			*p = uint16(v - v>>probMove)
			m = m<<1 | 1
		}
		if rng < rangeTop {
			rng <<= 8
			code = code<<8 | uint32(in[pos])
			pos++
		}
	}
	r.rng, r.code, r.pos = rng, code, pos
	return m - end
}

// reverse decodes bits through a tree, the lowest first. probs[0] is not used.
func (r *rangeDecoder) reverse(probs []uint16, bits uint32) uint32 {
	m, v := uint32(1), uint32(0)
	for i := range bits {
		b := r.bit(&probs[m])
		m = m<<1 | b
		v |= b << i
	}
	return v
}

// direct decodes bits that are as likely 0 as 1, the highest first.
func (r *rangeDecoder) direct(bits uint32) uint32 {
	v := uint32(0)
	for range bits {
		r.rng >>= 1
		r.code -= r.rng
		mask := -(r.code >> 31) // all ones if the bit is 0
		r.code += r.rng & mask
		v = v<<1 + mask + 1
		if r.rng < rangeTop {
			r.rng <<= 8
			r.code = r.code<<8 | uint32(r.in[r.pos])
			r.pos++
		}
	}
	return v
}
