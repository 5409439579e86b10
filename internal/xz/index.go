package xz

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
)

// tally counts the blocks of a stream as its index lists them. It keeps a digest and not the list, which a file can make as long as it
// likes.
type tally struct {
	blocks uint64
	digest hash.Hash
}

func newTally() tally { return tally{digest: sha256.New()} }

func (t *tally) add(unpadded, content uint64) {
	t.blocks++
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], unpadded)
	binary.LittleEndian.PutUint64(b[8:], content)
	t.digest.Write(b[:])
}

// verify reads an index (section 4), of which the first byte was read, and compares it with the blocks that were there.
func (t *tally) verify(in *input) error {
	at := in.off - 1
	i := indexReader{in: in, crc: crc32.NewIEEE()}
	i.crc.Write([]byte{0})
	i.bytes = 1
	count := i.number()
	if i.err == nil && count != t.blocks {
		return fail(ErrCorrupt, at, "the index lists %d blocks, there were %d", count, t.blocks)
	}
	listed := newTally()
	for n := uint64(0); n < count && i.err == nil; n++ {
		listed.add(i.number(), i.number())
	}
	for i.err == nil && i.bytes%4 != 0 {
		if i.byte() != 0 && i.err == nil {
			return fail(ErrCorrupt, at, "the padding of the index is not zero")
		}
	}
	if i.err != nil {
		return i.err
	}
	want := i.crc.Sum32()
	var crc [4]byte
	if err := in.full(crc[:], "index"); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(crc[:]) != want {
		return fail(ErrCorrupt, at, "the index's CRC32 is wrong")
	}
	if string(listed.digest.Sum(nil)) != string(t.digest.Sum(nil)) {
		return fail(ErrCorrupt, at, "the index lists other sizes than the blocks have")
	}
	return nil
}

// indexReader takes numbers from an index and sums it up. After an error it returns zeroes.
type indexReader struct {
	in    *input
	crc   hash.Hash32
	bytes int64
	err   error
}

func (i *indexReader) byte() byte {
	if i.err != nil {
		return 0
	}
	var b [1]byte
	if i.err = i.in.full(b[:], "index"); i.err != nil {
		return 0
	}
	i.crc.Write(b[:])
	i.bytes++
	return b[0]
}

func (i *indexReader) number() uint64 {
	var b [9]byte
	for n := range b {
		b[n] = i.byte()
		if b[n] < 0x80 && i.err == nil {
			if v, used := number(b[:n+1]); used > 0 {
				return v
			}
			break
		}
	}
	if i.err == nil {
		i.err = fail(ErrCorrupt, i.in.off, "the index holds no number here")
	}
	return 0
}
