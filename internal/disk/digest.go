package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// DigestBlock is the size of the blocks that a Digest is made of.
const DigestBlock = 1 << 20

// Digest identifies the content of a disk whatever its format: SHA-256 over the SHA-256 of each DigestBlock of the content in
// order (the last one may be short) and then the size as eight big-endian bytes. A block of zeroes costs one constant.
type Digest [32]byte

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// zeroBlockSum is the SHA-256 of DigestBlock zeroes.
var zeroBlockSum = [32]byte{
	0x30, 0xe1, 0x49, 0x55, 0xeb, 0xf1, 0x35, 0x22, 0x66, 0xdc, 0x2f, 0xf8, 0x06, 0x7e, 0x68, 0x10,
	0x46, 0x07, 0xe7, 0x50, 0xab, 0xb9, 0xd3, 0xb3, 0x65, 0x82, 0xb8, 0xaf, 0x90, 0x9f, 0xcb, 0x58,
}

// blockSum returns the SHA-256 of a block, without hashing where the block is whole and zero.
func blockSum(b []byte) [32]byte {
	if len(b) == DigestBlock && allZero(b) {
		return zeroBlockSum
	}
	return sha256.Sum256(b)
}

// allZero says whether every byte of b is zero. It compares b with itself one word on, which runs at memory speed and stops
// at the first difference.
func allZero(b []byte) bool {
	const word = 8
	if len(b) < word {
		for _, c := range b {
			if c != 0 {
				return false
			}
		}
		return true
	}
	return binary.NativeEndian.Uint64(b) == 0 && bytes.Equal(b[word:], b[:len(b)-word])
}

// digester puts the sums of blocks together in ascending order.
type digester struct {
	outer hash.Hash
	size  int64
	next  int64  // block
	zeros []byte // zeroBlockSum many times over, for long holes
}

func newDigester(size int64) *digester { return &digester{outer: sha256.New(), size: size} }

// skipTo fills the blocks before block with zeroes.
func (d *digester) skipTo(block int64) {
	if d.next < block && d.zeros == nil {
		d.zeros = bytes.Repeat(zeroBlockSum[:], 1024)
	}
	for d.next < block {
		n := min(block-d.next, int64(len(d.zeros)/len(zeroBlockSum)))
		d.outer.Write(d.zeros[:n*int64(len(zeroBlockSum))])
		d.next += n
	}
}

// add takes the sums of blocks that follow each other from block on.
func (d *digester) add(block int64, sums [][32]byte) {
	d.skipTo(block)
	for i := range sums {
		d.outer.Write(sums[i][:])
	}
	d.next += int64(len(sums))
}

// finish fills the rest of the disk with zeroes and returns the digest.
func (d *digester) finish() Digest {
	whole, rest := d.size/DigestBlock, d.size%DigestBlock
	d.skipTo(whole)
	if rest > 0 && d.next == whole {
		sum := sha256.Sum256(make([]byte, rest))
		d.outer.Write(sum[:])
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(d.size))
	d.outer.Write(b[:])
	return Digest(d.outer.Sum(nil))
}
