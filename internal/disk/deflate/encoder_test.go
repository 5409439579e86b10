package deflate

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	kflate "github.com/klauspost/compress/flate"
	"pgregory.net/rapid"
)

// everyOption are the options that tests go through.
var everyOption = []Options{{}, {Window: minWindow}, {Window: maxWindow}, {Level: Small}, {Level: Small, Window: maxWindow}}

func newTestEncoder(tb testing.TB, o Options) *Encoder {
	tb.Helper()
	e, err := NewEncoder(o)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// checkEncode encodes src, has three decoders restore it, and looks at each distance.
func checkEncode(tb testing.TB, e *Encoder, src []byte) []byte {
	tb.Helper()
	out := e.Encode(nil, src)
	back, err := io.ReadAll(flate.NewReader(bytes.NewReader(out)))
	if err != nil || !bytes.Equal(back, src) {
		tb.Fatalf("compress/flate restores %d bytes of %d: %v", len(back), len(src), err)
	}
	back, err = io.ReadAll(kflate.NewReader(bytes.NewReader(out)))
	if err != nil || !bytes.Equal(back, src) {
		tb.Fatalf("klauspost restores %d bytes of %d: %v", len(back), len(src), err)
	}
	dst := make([]byte, len(src))
	var d Decoder
	n, used, err := d.Inflate(dst, out)
	if err != nil || n != len(src) || used != len(out) || !bytes.Equal(dst, src) {
		tb.Fatalf("Inflate: %d bytes of %d, %d of %d used: %v", n, len(src), used, len(out), err)
	}
	if far := parse(tb, out).farthest; far > int(e.window) {
		tb.Fatalf("a match lies %d bytes back, the window has %d", far, e.window)
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
	skewed := make([]byte, 65536) // Fibonacci-like frequencies want codes that are longer than allowed
	for i := range skewed {
		b := 0
		for b < 40 && rnd.IntN(100) < 45 {
			b++
		}
		skewed[i] = byte(b)
	}
	s := map[string][]byte{
		"empty":          nil,
		"one byte":       {7},
		"three bytes":    {1, 2, 3},
		"zeroes":         make([]byte, 65536),
		"long zeroes":    make([]byte, 300000),
		"run of 258":     bytes.Repeat([]byte{9}, 259),
		"run of 259":     bytes.Repeat([]byte{9}, 260),
		"random 65535":   random[:65535],
		"random 65536":   random[:65536],
		"random 65537":   random[:65537],
		"random 131072":  random[:131072],
		"random long":    random,
		"four letters":   few,
		"skewed":         skewed,
		"text":           bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog. "), 3000),
		"random, zeroes": append(bytes.Clone(random[:30000]), make([]byte, 35536)...),
		"zeroes, random": append(make([]byte, 35536), random[:30000]...),
	}
	far := bytes.Clone(random[:140000])
	for i, d := range []int{255, 256, 257, 4095, 4096, 4097, 32767, 32768, 32769} {
		at := 33000 + i*11000
		copy(far[at:at+200], far[at-d:])
	}
	s["matches at the window"] = far
	var changing []byte
	for i := range 8 {
		for range 1000 {
			changing = append(changing, fmt.Sprintf("%c%x;", 'a'+i, rnd.IntN(1<<(4*i)))...)
		}
	}
	s["changing"] = changing
	return s
}

func TestEncodeRestores(t *testing.T) {
	for _, o := range everyOption {
		e := newTestEncoder(t, o)
		for name, src := range samples() {
			t.Run(fmt.Sprintf("level %d window %d %s", o.Level, o.Window, name), func(t *testing.T) { checkEncode(t, e, src) })
		}
	}
}

func TestMatchesReachTheWindowAndNoFarther(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, o := range everyOption {
		e := newTestEncoder(t, o)
		for _, d := range []int{int(e.window), int(e.window) + 1} {
			// Zeroes between two copies, which are random and so short that each position is looked at.
			src := make([]byte, d+100)
			for i := range 100 {
				src[i] = byte(rnd.IntN(255) + 1)
			}
			copy(src[d:], src[:100])
			got := parse(t, checkEncode(t, e, src)).farthest
			if within := d == int(e.window); within && got != d || !within && got > 8 { // among the zeroes
				t.Errorf("window %d: copies that are %d apart have their farthest match %d back", e.window, d, got)
			}
		}
	}
}

func TestOutputDependsOnInputAlone(t *testing.T) {
	for _, o := range everyOption {
		used := newTestEncoder(t, o)
		for name, src := range samples() {
			if got := used.Encode(nil, src); !bytes.Equal(got, newTestEncoder(t, o).Encode(nil, src)) {
				t.Errorf("%+v: %s: a used encoder and a new one differ", o, name)
			}
		}
	}
}

func TestEncodeLimit(t *testing.T) {
	for _, o := range everyOption {
		e := newTestEncoder(t, o)
		for name, src := range samples() {
			before := []byte("before")
			size := len(e.Encode(nil, src))
			for _, limit := range []int{-1, 0, 1, size / 2, size - 1, size, size + 1} {
				out, ok := e.EncodeLimit(before, src, limit)
				switch {
				case ok != (size <= limit):
					t.Errorf("%+v: %s: %t with a limit of %d, and it takes %d", o, name, ok, limit, size)
				case !ok && string(out) != "before":
					t.Errorf("%+v: %s: %d bytes come back though it does not fit", o, name, len(out))
				case ok && !bytes.Equal(out, e.Encode([]byte("before"), src)):
					t.Errorf("%+v: %s: a limit of %d that holds changes the output", o, name, limit)
				}
			}
		}
	}
}

func TestEncodeZlib(t *testing.T) {
	for _, o := range everyOption {
		e := newTestEncoder(t, o)
		for name, src := range samples() {
			out := e.EncodeZlib(nil, src)
			checkZlib(t, name, out, src)
			if got := 256 << (out[0] >> 4); got != int(e.window) {
				t.Errorf("the header says a window of %d, want %d", got, e.window)
			}
		}
	}
}

func TestEncodeNeverGrowsMuch(t *testing.T) {
	for _, o := range everyOption {
		e := newTestEncoder(t, o)
		for name, src := range samples() {
			// Stored blocks cost five bytes; there are at most two for each 32 KiB.
			if got, most := len(e.Encode(nil, src)), len(src)+10*(len(src)/pieceStride+1); got > most {
				t.Errorf("%+v: %s: %d bytes become %d", o, name, len(src), got)
			}
		}
	}
}

// Of content longer than a piece, what comes later is found in what came before, across the border between pieces.
func TestMatchesCrossPieces(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, o := range everyOption {
		e := newTestEncoder(t, o)
		src := make([]byte, 1<<20)
		d := int(e.window) * 9 / 10
		for i := range src {
			if i < d {
				src[i] = byte(rnd.Uint32() >> 26)
			} else {
				src[i] = src[i-d]
			}
		}
		first := len(e.Encode(nil, src[:d]))
		if got, most := len(checkEncode(t, e, src)), first+len(src)/50; got > most {
			t.Errorf("%+v: %d bytes that repeat every %d become %d, want at most %d", o, len(src), d, got, most)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{{Level: -1}, {Level: 3}, {Window: -1}, {Window: 128}, {Window: 5000}, {Window: 65536}} {
		if _, err := NewEncoder(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestEncoderAllocatesNothing(t *testing.T) {
	src := samples()["changing"]
	for _, o := range everyOption {
		e := newTestEncoder(t, o)
		dst := make([]byte, 0, 2*len(src))
		if n := testing.AllocsPerRun(10, func() { e.Encode(dst, src) }); n != 0 {
			t.Errorf("%+v: %v allocations per call", o, n)
		}
	}
}

func TestEncodeRestoresWhateverIsDrawn(t *testing.T) {
	encoders := make([]*Encoder, len(everyOption))
	for i, o := range everyOption {
		encoders[i] = newTestEncoder(t, o)
	}
	rapid.Check(t, func(rt *rapid.T) {
		checkEncode(t, encoders[rapid.IntRange(0, len(encoders)-1).Draw(rt, "options")], drawContent(rt))
	})
}

// drawContent draws content of literals, runs and copies of what came before, at all distances.
func drawContent(rt *rapid.T) []byte {
	var p []byte
	for range rapid.IntRange(0, 60).Draw(rt, "steps") {
		switch kind := rapid.IntRange(0, 9).Draw(rt, "kind"); {
		case kind < 4:
			p = append(p, rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(rt, "literals")...)
		case kind < 5:
			seed := rapid.Uint64().Draw(rt, "seed")
			rnd := rand.New(rand.NewPCG(seed, 0))
			for range rapid.IntRange(1, 40000).Draw(rt, "random") {
				p = append(p, byte(rnd.Uint32()))
			}
		case kind < 6:
			p = append(p, bytes.Repeat([]byte{rapid.Byte().Draw(rt, "byte")}, rapid.IntRange(1, 70000).Draw(rt, "run"))...)
		case len(p) > 0:
			d := rapid.IntRange(1, min(len(p), 40000)).Draw(rt, "distance")
			for range rapid.IntRange(1, 400).Draw(rt, "length") {
				p = append(p, p[len(p)-d])
			}
		}
	}
	return p
}
