package deflate

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"testing"

	kflate "github.com/klauspost/compress/flate"
)

func newTestEncoder(t testing.TB, o Options) *Encoder {
	t.Helper()
	e, err := NewEncoder(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// checkEncode encodes src and has three decoders restore it.
func checkEncode(t testing.TB, e *Encoder, src []byte) []byte {
	t.Helper()
	out := e.Encode(nil, src)
	back, err := io.ReadAll(flate.NewReader(bytes.NewReader(out)))
	if err != nil || !bytes.Equal(back, src) {
		t.Fatalf("compress/flate restores %d bytes of %d: %v", len(back), len(src), err)
	}
	back, err = io.ReadAll(kflate.NewReader(bytes.NewReader(out)))
	if err != nil || !bytes.Equal(back, src) {
		t.Fatalf("klauspost restores %d bytes of %d: %v", len(back), len(src), err)
	}
	dst := make([]byte, len(src))
	var d Decoder
	n, used, err := d.Inflate(dst, out)
	if err != nil || n != len(src) || used != len(out) || !bytes.Equal(dst, src) {
		t.Fatalf("Inflate: %d bytes of %d, %d of %d used: %v", n, len(src), used, len(out), err)
	}
	return out
}

// samples are contents that take the encoder through its cases.
func samples() map[string][]byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 200000)
	for i := range random {
		random[i] = byte(rnd.Uint32())
	}
	few := make([]byte, 100000)
	for i := range few {
		few[i] = "acgt"[rnd.IntN(4)]
	}
	s := map[string][]byte{
		"empty":        nil,
		"one byte":     {7},
		"three bytes":  {1, 2, 3},
		"zeroes":       make([]byte, 65536),
		"long zeroes":  make([]byte, 300000),
		"max run":      bytes.Repeat([]byte{9}, 259),
		"random 65535": random[:65535],
		"random 65536": random[:65536],
		"random long":  random,
		"four letters": few,
		"text":         bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog. "), 3000),
	}
	far := bytes.Clone(random[:70000])
	for _, d := range []int{4095, 4096, 4097, 32767, 32768, 32769} {
		at := 33000 + d%1000*30
		copy(far[at:at+200], far[at-d:])
	}
	s["matches at the window"] = far
	return s
}

func TestEncodeRestores(t *testing.T) {
	for _, o := range []Options{{}, {Level: Fastest}, {Level: Best}, {Window: 1}, {Window: 32768}, {Level: Best, Window: 300}} {
		e := newTestEncoder(t, o)
		for name, src := range samples() {
			t.Run(name, func(t *testing.T) { checkEncode(t, e, src) })
		}
	}
}
