package xz

import "encoding/binary"

// x86 undoes the conversion of CALL and JMP (E8, E9) of 32 and 64 bit x86. Their operands are four bytes of which the highest is 00
// or FF; opcodes that stand too close to others are taken for operands. The rule is that of the LZMA SDK's Bra86.c.
type x86 struct {
	mask uint32 // which of the last bytes were opcodes, and whether one had an operand
	last uint32 // position of the last opcode
}

func newX86() func(b []byte, pos uint32) int {
	f := &x86{last: ^uint32(4)}
	return f.rewrite
}

var (
	// x86Allowed says for the last three bytes whether an opcode may follow.
	x86Allowed = [8]bool{true, true, true, false, true, false, false, false}
	// x86Shift says which byte of an operand the opcode before it would have seen as its highest.
	x86Shift = [8]uint32{0, 1, 2, 2, 3, 3, 3, 3}
)

const x86Length = 5 // bytes of the opcode and its operand

func x86High(b byte) bool { return b == 0 || b == 0xff }

func (f *x86) rewrite(b []byte, pos uint32) int {
	if len(b) < x86Length {
		return 0
	}
	if pos-f.last > x86Length {
		f.last = pos - x86Length
	}
	i := 0
	for i <= len(b)-x86Length {
		if b[i]&0xfe != 0xe8 {
			i++
			continue
		}
		at := pos + uint32(i)
		distance := at - f.last
		f.last = at
		if distance > x86Length {
			f.mask = 0
		} else {
			for range distance {
				f.mask = f.mask & 0x77 << 1
			}
		}
		high := b[i+4]
		if !x86High(high) || !x86Allowed[f.mask>>1&7] || f.mask>>1 >= 0x10 {
			i++
			f.mask |= 1
			if x86High(high) {
				f.mask |= 0x10
			}
			continue
		}
		binary.LittleEndian.PutUint32(b[i+1:], f.operand(binary.LittleEndian.Uint32(b[i+1:]), at+x86Length))
		i += x86Length
		f.mask = 0
	}
	return i
}

// operand turns an absolute target into a relative one, for an instruction that ends at next.
func (f *x86) operand(target, next uint32) uint32 {
	for {
		rel := target - next
		if f.mask == 0 {
			return rel&0x01ffffff | -(rel>>24&1)<<24
		}
		shift := x86Shift[f.mask>>1] * 8
		if !x86High(byte(rel >> (24 - shift))) {
			return rel&0x01ffffff | -(rel>>24&1)<<24
		}
		target = rel ^ (1<<(32-shift) - 1)
	}
}
