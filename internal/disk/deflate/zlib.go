package deflate

import (
	"encoding/binary"
)

// Framing of RFC 1950: two bytes before the stream, the Adler-32 sum of the content behind it.
const (
	zlibHeader  = 2
	zlibTrailer = 4
	zlibMethod  = 8      // deflate, in the low four bits of the first byte
	zlibMaxInfo = 7      // window of 32 KiB, in the high four
	zlibPreset  = 1 << 5 // in the second byte: a dictionary that only the writer knows
)

// InflateZlib is Inflate for a stream with zlib's framing, whose sum it checks.
func (d *Decoder) InflateZlib(dst, src []byte) (n, used int, err error) {
	if len(src) < zlibHeader {
		return 0, 0, ErrTruncated
	}
	if src[0]&15 != zlibMethod || src[0]>>4 > zlibMaxInfo || binary.BigEndian.Uint16(src)%31 != 0 || src[1]&zlibPreset != 0 {
		return 0, 0, ErrCorrupt
	}
	n, used, err = d.Inflate(dst, src[zlibHeader:])
	if err != nil {
		return n, 0, err
	}
	used += zlibHeader
	if len(src)-used < zlibTrailer {
		return n, 0, ErrTruncated
	}
	if binary.BigEndian.Uint32(src[used:]) != adler(dst[:n]) {
		return n, 0, ErrChecksum
	}
	return n, used + zlibTrailer, nil
}

// EncodeZlib is Encode with zlib's framing.
func (e *Encoder) EncodeZlib(dst, src []byte) []byte {
	info := uint32(0) // the window is 256 bytes, doubled as often as this says
	for uint32(256)<<info < e.window {
		info++
	}
	head := uint16(info<<12 | zlibMethod<<8)
	head += 31 - head%31
	dst = binary.BigEndian.AppendUint16(dst, head)
	dst = e.Encode(dst, src)
	return binary.BigEndian.AppendUint32(dst, adler(src))
}
