package xz

import "encoding/binary"

// The branch filters of machines whose instructions stand at multiples of 2 or 4: each undoes the conversion of the targets of its
// jumps, for bytes that stand at pos in the program, and returns how many bytes it has dealt with. The rules are those of the LZMA
// SDK's Bra.c.

// arm: BL.
func arm(b []byte, pos uint32) int {
	i := 0
	for ; i+4 <= len(b); i += 4 {
		if b[i+3] != 0xeb {
			continue
		}
		v := binary.LittleEndian.Uint32(b[i:])
		v = v&0xff000000 | (v<<2-(pos+uint32(i)+8))>>2&0x00ffffff
		binary.LittleEndian.PutUint32(b[i:], v)
	}
	return i
}

// armThumb: BL, in two halves of 16 bits.
func armThumb(b []byte, pos uint32) int {
	i := 0
	for ; i+4 <= len(b); i += 2 {
		first, second := uint32(binary.LittleEndian.Uint16(b[i:])), uint32(binary.LittleEndian.Uint16(b[i+2:]))
		if first&0xf800 != 0xf000 || second&0xf800 != 0xf800 {
			continue
		}
		v := first&0x7ff<<11 | second&0x7ff
		v = (v<<1 - (pos + uint32(i) + 4)) >> 1
		binary.LittleEndian.PutUint16(b[i:], uint16(0xf000|v>>11&0x7ff))
		binary.LittleEndian.PutUint16(b[i+2:], uint16(0xf800|v&0x7ff))
		i += 2
	}
	return i
}

// arm64: BL, and ADRP within 512 MiB.
func arm64(b []byte, pos uint32) int {
	i := 0
	for ; i+4 <= len(b); i += 4 {
		v, at := binary.LittleEndian.Uint32(b[i:]), pos+uint32(i)
		switch {
		case v>>26 == 0x25:
			v = 0x94000000 | (v-at>>2)&0x03ffffff
		case v&0x9f000000 == 0x90000000:
			page := v>>29&3 | v>>3&0x001ffffc
			if (page+0x00020000)&0x001c0000 != 0 {
				continue
			}
			page -= at >> 12
			v = v&0x9000001f | page&3<<29 | page&0x0003fffc<<3 | -(page&0x00020000)&0x00e00000
		default:
			continue
		}
		binary.LittleEndian.PutUint32(b[i:], v)
	}
	return i
}

// powerPC: BL, big endian.
func powerPC(b []byte, pos uint32) int {
	i := 0
	for ; i+4 <= len(b); i += 4 {
		v := binary.BigEndian.Uint32(b[i:])
		if v&0xfc000003 != 0x48000001 {
			continue
		}
		binary.BigEndian.PutUint32(b[i:], 0x48000001|(v-(pos+uint32(i)))&0x03fffffc)
	}
	return i
}

// sparc: CALL with a target that is near.
func sparc(b []byte, pos uint32) int {
	i := 0
	for ; i+4 <= len(b); i += 4 {
		v := binary.BigEndian.Uint32(b[i:])
		if v&0xffc00000 != 0x40000000 && v&0xffc00000 != 0x7fc00000 {
			continue
		}
		v = (v<<2 - (pos + uint32(i))) >> 2
		v = -(v>>22&1)<<22&0x3fffffff | v&0x003fffff | 0x40000000
		binary.BigEndian.PutUint32(b[i:], v)
	}
	return i
}
