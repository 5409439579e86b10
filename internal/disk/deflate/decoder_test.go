package deflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"testing"
)

// bitString writes streams by hand.
type bitString struct {
	out []byte
	n   int
}

// put writes the low bits of v, the lowest first.
func (b *bitString) put(v, n int) *bitString {
	for i := range n {
		if b.n&7 == 0 {
			b.out = append(b.out, 0)
		}
		b.out[b.n>>3] |= byte(v>>i&1) << (b.n & 7)
		b.n++
	}
	return b
}

// code writes a Huffman code, given as it is read: the highest bit first.
func (b *bitString) code(v, n int) *bitString {
	for i := n - 1; i >= 0; i-- {
		b.put(v>>i, 1)
	}
	return b
}

// dynamic begins a last dynamic block with these code lengths, each written on its own in a code of 16 lengths with 4 bits.
func dynamic(lit, dist []uint8) *bitString {
	b := new(bitString).put(1, 1).put(blockDynamic, 2).put(len(lit)-257, 5).put(len(dist)-1, 5).put(numPre-4, 4)
	for _, s := range preOrder {
		if s < 16 {
			b.put(4, 3)
		} else {
			b.put(0, 3)
		}
	}
	for _, l := range append(append([]uint8{}, lit...), dist...) {
		b.code(int(l), 4)
	}
	return b
}

// litLengths returns 257 or more code lengths, those of the symbols in set.
func litLengths(set map[int]uint8) []uint8 {
	l := make([]uint8, 257)
	for s, n := range set {
		for len(l) <= s {
			l = append(l, 0)
		}
		l[s] = n
	}
	return l
}

func TestInflateEdges(t *testing.T) {
	fixed := func() *bitString { return new(bitString).put(1, 1).put(blockFixed, 2) }
	preHeader := func(numCodes int) *bitString {
		return new(bitString).put(1, 1).put(blockDynamic, 2).put(0, 5).put(0, 5).put(numCodes-4, 4)
	}
	// 'a', the end of the block, lengths 3 and 258: two bits each.
	four := litLengths(map[int]uint8{'a': 2, 256: 2, 257: 2, 285: 2})
	thousand := make([]uint8, 0)
	for range 30 {
		thousand = append(thousand, 5)
	}
	for _, c := range []struct {
		name string
		in   []byte
		room int
		want string
		err  error
	}{
		{"nothing", nil, 10, "", ErrTruncated},
		{"kind 3", []byte{7, 0, 0, 0}, 10, "", ErrCorrupt},
		{"kind 3 in one byte", []byte{7}, 10, "", ErrCorrupt},
		{"fixed, empty", fixed().code(0, 7).out, 0, "", nil},
		{"fixed, one byte", fixed().code(0x30+'a', 8).code(0, 7).out, 1, "a", nil},
		{"fixed, no room", fixed().code(0x30+'a', 8).code(0, 7).out, 0, "", ErrLong},
		{"fixed, no end", fixed().code(0x30+'a', 8).out, 1, "a", ErrTruncated},
		{"fixed, no end and no room", fixed().code(0x30+'a', 8).code(0x30+'a', 8).put(0, 2).out, 1, "a", ErrLong},
		{"fixed, length 286", fixed().code(0x30+'a', 8).code(0xc6, 8).put(0, 40).out, 10, "a", ErrCorrupt},
		{"fixed, length 287", fixed().code(0x30+'a', 8).code(0xc7, 8).put(0, 40).out, 10, "a", ErrCorrupt},
		{"fixed, distance 30", fixed().code(0x30+'a', 8).code(1, 7).code(30, 5).put(0, 40).out, 10, "a", ErrCorrupt},
		{"fixed, distance 31", fixed().code(0x30+'a', 8).code(1, 7).code(31, 5).put(0, 40).out, 10, "a", ErrCorrupt},
		{"fixed, before the beginning", fixed().code(0x30+'a', 8).code(1, 7).code(1, 5).code(0, 7).put(0, 40).out, 10, "a", ErrCorrupt},
		{"fixed, length 258 as 227+31", fixed().code(0x30+'a', 8).code(0xc4, 8).put(31, 5).code(0, 5).code(0, 7).out, 300,
			string(bytes.Repeat([]byte("a"), 259)), nil},
		{"fixed, match has half the room", fixed().code(0x30+'a', 8).code(1, 7).code(0, 5).code(0, 7).out, 3, "aaa", ErrLong},
		{"stored, empty", []byte{1, 0, 0, 0xff, 0xff}, 0, "", nil},
		{"stored, three", []byte{1, 3, 0, 0xfc, 0xff, 'a', 'b', 'c'}, 3, "abc", nil},
		{"stored, bits before it set", []byte{0xf9, 3, 0, 0xfc, 0xff, 'a', 'b', 'c'}, 3, "abc", nil},
		{"stored, length does not match", []byte{1, 3, 0, 0xfd, 0xff, 'a', 'b', 'c'}, 3, "", ErrCorrupt},
		{"stored, header cut", []byte{1, 3, 0, 0xfc}, 3, "", ErrTruncated},
		{"stored, cut", []byte{1, 3, 0, 0xfc, 0xff, 'a', 'b'}, 3, "ab", ErrTruncated},
		{"stored, no room", []byte{1, 3, 0, 0xfc, 0xff, 'a', 'b', 'c'}, 2, "ab", ErrLong},
		{"stored, no last block", []byte{0, 3, 0, 0xfc, 0xff, 'a', 'b', 'c'}, 3, "abc", ErrTruncated},
		{"dynamic, complete", dynamic(four, []uint8{1, 1}).code(0, 2).code(3, 2).code(0, 1).code(1, 2).out, 259,
			string(bytes.Repeat([]byte("a"), 259)), nil},
		{"dynamic, one distance", dynamic(four, []uint8{1}).code(0, 2).code(2, 2).code(0, 1).code(1, 2).out, 4, "aaaa", nil},
		{"dynamic, the other half of one distance", dynamic(four, []uint8{1}).code(0, 2).code(2, 2).code(1, 1).put(0, 40).out, 4, "a", ErrCorrupt},
		{"dynamic, one distance of two bits", dynamic(four, []uint8{2}).code(1, 2).put(0, 40).out, 4, "", ErrCorrupt},
		{"dynamic, no distance, none used", dynamic(four, []uint8{0}).code(0, 2).code(1, 2).out, 1, "a", nil},
		{"dynamic, no distance, one used", dynamic(four, []uint8{0}).code(0, 2).code(2, 2).put(0, 40).out, 4, "a", ErrCorrupt},
		{"dynamic, distances incomplete", dynamic(four, []uint8{2, 2, 2}).code(1, 2).put(0, 40).out, 4, "", ErrCorrupt},
		{"dynamic, distances oversubscribed", dynamic(four, []uint8{1, 1, 1}).code(1, 2).put(0, 40).out, 4, "", ErrCorrupt},
		{"dynamic, literals incomplete", dynamic(litLengths(map[int]uint8{'a': 2, 256: 2, 257: 2}), []uint8{1}).code(1, 2).put(0, 40).out, 4, "", ErrCorrupt},
		{"dynamic, literals oversubscribed", dynamic(litLengths(map[int]uint8{'a': 1, 'b': 1, 256: 2}), []uint8{1}).put(0, 40).out, 4, "", ErrCorrupt},
		{"dynamic, the end alone", dynamic(litLengths(map[int]uint8{256: 1}), []uint8{0}).code(0, 1).out, 4, "", nil},
		{"dynamic, not the end alone", dynamic(litLengths(map[int]uint8{256: 1}), []uint8{0}).code(1, 1).put(0, 40).out, 4, "", ErrCorrupt},
		{"dynamic, no end", dynamic(litLengths(map[int]uint8{'a': 1, 'b': 1}), []uint8{0}).put(0, 3).out, 3, "aaa", ErrLong},
		{"dynamic, codes of 15 bits", dynamic(litLengths(map[int]uint8{0: 1, 1: 2, 2: 3, 3: 4, 4: 5, 5: 6, 6: 7, 7: 8, 8: 9, 9: 10, 10: 11, 11: 12,
			12: 13, 13: 14, 'z': 15, 256: 15}), []uint8{0}).code(0x7ffe, 15).code(0x3ffe, 14).code(0x7fff, 15).out, 2, "z\x0d", nil},
		{"dynamic, 30 distances", dynamic(four, thousand[:30]).put(0, 40).out, 4, "", ErrCorrupt}, // 30 of 32 codes of five bits
		{"dynamic, 286 literals", append(new(bitString).put(1, 1).put(blockDynamic, 2).put(30, 5).out, make([]byte, 40)...), 4, "", ErrCorrupt},
		{"dynamic, 31 distances", append(new(bitString).put(1, 1).put(blockDynamic, 2).put(0, 5).put(30, 5).put(0, 20).out, make([]byte, 40)...), 4, "", ErrCorrupt},
		{"dynamic, empty code of lengths", preHeader(4).put(0, 12).put(0, 80).out, 4, "", ErrCorrupt},
		{"dynamic, incomplete code of lengths", preHeader(4).put(2, 3).put(2, 3).put(2, 3).put(0, 3).put(0, 80).out, 4, "", ErrCorrupt},
		{"dynamic, oversubscribed code of lengths", preHeader(4).put(1, 3).put(1, 3).put(1, 3).put(0, 3).put(0, 80).out, 4, "", ErrCorrupt},
		{"dynamic, repeats before the first", preHeader(4).put(1, 3).put(1, 3).put(0, 6).code(0, 1).put(0, 80).out, 4, "", ErrCorrupt},
		{"dynamic, repeats beyond the last", preHeader(4).put(0, 3).put(0, 3).put(1, 3).put(1, 3).code(1, 1).put(127, 7).code(1, 1).put(127, 7).
			put(0, 80).out, 4, "", ErrCorrupt},
		{"dynamic, header cut", dynamic(four, []uint8{1, 1}).out[:20], 4, "", ErrTruncated},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkInflate(t, c.in, c.room)
			dst := bytes.Repeat([]byte{0xaa}, c.room)
			var d Decoder
			n, _, err := d.Inflate(dst, c.in)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("%v, want %v", err, c.err)
			}
			if string(dst[:n]) != c.want {
				t.Errorf("%q, want %q", dst[:n], c.want)
			}
			checkInflate(t, append(bytes.Clone(c.in), make([]byte, 400)...), c.room+400) // far from both ends
		})
	}
}

// foreign returns the samples as compress/flate writes them.
func foreign(tb testing.TB) map[string][2][]byte {
	tb.Helper()
	m := map[string][2][]byte{}
	for name, src := range samples() {
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 6, 9} {
			var b bytes.Buffer
			w, err := flate.NewWriter(&b, level)
			if err != nil {
				tb.Fatal(err)
			}
			_, _ = w.Write(src)
			if err := w.Close(); err != nil {
				tb.Fatal(err)
			}
			m[fmt.Sprintf("%s, level %d", name, level)] = [2][]byte{src, b.Bytes()}
		}
	}
	return m
}

func TestInflateForeign(t *testing.T) {
	var d Decoder
	for name, c := range foreign(t) {
		src, in := c[0], c[1]
		dst := make([]byte, len(src)+50)
		n, used, err := d.Inflate(dst, append(bytes.Clone(in), "what follows"...))
		if err != nil || used != len(in) || !bytes.Equal(dst[:n], src) {
			t.Errorf("%s: %d bytes of %d, %d of %d used: %v", name, n, len(src), used, len(in), err)
		}
		for _, room := range []int{0, 1, len(src) / 2, len(src) - 1} {
			if room < 0 || room >= len(src) {
				continue
			}
			n, used, err := d.Inflate(dst[:room], in)
			if !errors.Is(err, ErrLong) || n != room || used != 0 || !bytes.Equal(dst[:room], src[:room]) {
				t.Errorf("%s, room for %d: %d bytes, %d used: %v", name, room, n, used, err)
			}
		}
	}
}

// Cut anywhere, a stream is truncated, whatever the bits that are missing might have been; and nothing is written beyond dst.
func TestInflateTruncated(t *testing.T) {
	var d Decoder
	for name, c := range foreign(t) {
		src, in := c[0], c[1]
		dst := make([]byte, len(src)+8)
		step := max(1, len(in)/300, len(src)/1000) // short streams at every byte
		for cut := 0; cut < len(in); cut += step {
			clear(dst[len(src):])
			n, used, err := d.Inflate(dst[:len(src)], in[:cut])
			if !errors.Is(err, ErrTruncated) || used != 0 || !bytes.Equal(dst[:n], src[:n]) {
				t.Fatalf("%s, %d bytes of %d: %d restored: %v", name, cut, len(in), n, err)
			}
			if !bytes.Equal(dst[len(src):], make([]byte, 8)) {
				t.Fatalf("%s: written beyond the output", name)
			}
		}
	}
}

// A damaged stream is either refused or restores what compress/flate makes of it.
func TestInflateDamaged(t *testing.T) {
	for name, c := range foreign(t) {
		src, in := c[0], c[1]
		if len(src) > 70000 || len(in) > 30000 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for i := 0; i < len(in); i += max(1, len(in)/40) {
				damaged := bytes.Clone(in)
				damaged[i] ^= 1 << (i % 8)
				checkInflate(t, damaged, len(src))
			}
		})
	}
}

func TestDecoderAllocatesNothing(t *testing.T) {
	src := samples()["changing"]
	in := newTestEncoder(t, Options{}).Encode(nil, src)
	dst := make([]byte, len(src))
	var d Decoder
	if n := testing.AllocsPerRun(10, func() { _, _, _ = d.Inflate(dst, in) }); n != 0 {
		t.Errorf("%v allocations per call", n)
	}
}
