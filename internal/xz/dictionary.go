package xz

import "math"

// MaxDictionary is the largest dictionary that is decoded, in bytes: 256 MiB, the most that a preset of any program writes (7-Zip's
// "ultra"; xz -9 takes 64 MiB). A hand-made file may ask for 4 GiB, which no conversion needs.
const MaxDictionary = 256 << 20

const (
	// minDictionary is the smallest dictionary; a file that states less gets this much (as the LZMA SDK does).
	minDictionary = 4 << 10
	// firstDictionary is how much of a dictionary is allocated before there is content to fill it.
	firstDictionary = 1 << 20
)

// dictionary is the content that matches refer to: the last bytes of the output, in a ring that grows up to its size as it fills.
type dictionary struct {
	buf  []byte
	size int // bytes that the ring may grow to
	pos  int // where the next byte goes
	full int // bytes behind pos that are content, at most size
}

// reset forgets the content. The memory is kept.
func (d *dictionary) reset(size int) {
	d.size = max(size, minDictionary)
	if len(d.buf) > d.size {
		d.buf = d.buf[:d.size]
	}
	if d.buf == nil {
		d.buf = make([]byte, min(d.size, firstDictionary))
	}
	d.pos, d.full = 0, 0
	d.buf[len(d.buf)-1] = 0 // the byte before the first one counts as zero
}

// room makes place for at least one byte at pos and returns how many fit before the ring's end.
func (d *dictionary) room() int {
	if d.pos < len(d.buf) {
		return len(d.buf) - d.pos
	}
	if len(d.buf) < d.size {
		grown := make([]byte, min(int64(d.size), 2*int64(len(d.buf))))
		copy(grown, d.buf)
		d.buf = grown
	} else {
		d.pos = 0
	}
	return len(d.buf) - d.pos
}

// wrote says that n bytes were put at pos.
func (d *dictionary) wrote(n int) {
	d.pos += n
	d.full = min(d.full+n, d.size)
}

// dictionarySize decodes the property byte of LZMA2 (section 5.3.1): 2^n or 2^n + 2^(n-1) bytes.
func dictionarySize(b byte) (size uint64, ok bool) {
	switch {
	case b > 40:
		return 0, false
	case b == 40:
		return math.MaxUint32, true
	}
	return (2 | uint64(b&1)) << (b/2 + 11), true
}
