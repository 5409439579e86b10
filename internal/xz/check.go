package xz

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"hash/crc64"
)

// The kinds of integrity checks (section 2.1.1.2).
const (
	checkNone   = 0x00
	checkCRC32  = 0x01
	checkCRC64  = 0x04
	checkSHA256 = 0x0a
)

// newCheck returns the hash that a stream's blocks end with; nil for none. ok is false for a kind that is not defined.
func newCheck(id byte) (h hash.Hash, ok bool) {
	switch id {
	case checkNone:
		return nil, true
	case checkCRC32:
		return crc32.NewIEEE(), true
	case checkCRC64:
		return crc64.New(crc64.MakeTable(crc64.ECMA)), true
	case checkSHA256:
		return sha256.New(), true
	}
	return nil, false
}

// stored returns the sum as it stands in a file: the CRCs are little endian there.
func stored(h hash.Hash) []byte {
	switch h := h.(type) {
	case nil:
		return nil
	case hash.Hash32:
		return binary.LittleEndian.AppendUint32(nil, h.Sum32())
	case hash.Hash64:
		return binary.LittleEndian.AppendUint64(nil, h.Sum64())
	default:
		return h.Sum(nil)
	}
}

// crc32Fits reports whether b ends with the CRC32 of what stands before it.
func crc32Fits(b []byte) bool {
	n := len(b) - 4
	return crc32.ChecksumIEEE(b[:n]) == binary.LittleEndian.Uint32(b[n:])
}
