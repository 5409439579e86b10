package zstdblock

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func reader(tb testing.TB) *zstd.Decoder {
	tb.Helper()
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(d.Close)
	return d
}

// check holds that a frame, if there is one, gives its content, keeps to the limit, and is the same again.
func check(tb testing.TB, e *Encoder, d *zstd.Decoder, src []byte, limit int) (left int, ok bool) {
	tb.Helper()
	before := []byte("before")
	out, ok := e.EncodeLimit(before, src, limit)
	if !ok {
		if !bytes.Equal(out, before) {
			tb.Fatalf("refused, and %d bytes came back", len(out))
		}
		return 0, false
	}
	frame := out[len(before):]
	if len(frame) > limit || !bytes.HasPrefix(out, before) {
		tb.Fatalf("%d bytes, at most %d", len(frame), limit)
	}
	got, err := d.DecodeAll(frame, nil)
	if err != nil || !bytes.Equal(got, src) {
		tb.Fatalf("%d bytes became %d in %d: %v", len(src), len(got), len(frame), err)
	}
	if again, _ := e.EncodeLimit(nil, src, limit); !bytes.Equal(again, frame) {
		tb.Fatal("the second time it is another frame")
	}
	return len(frame), true
}

// samples are contents of many kinds.
func samples() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n, alphabet int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.IntN(alphabet))
		}
		return b
	}
	all := map[string][]byte{
		"zeroes": make([]byte, MaxContent), "ones": bytes.Repeat([]byte{1}, MaxContent), "short": bytes.Repeat([]byte("abc"), 100),
		"two values": random(MaxContent, 2), "text-like": random(MaxContent, 30), "half": append(random(MaxContent/2, 256), make([]byte, MaxContent/2)...),
		"far":       append(append(random(1000, 256), make([]byte, MaxContent-2000)...), make([]byte, 1000)...),
		"odd":       random(12345, 5),
		"one match": append(random(300, 256), make([]byte, 300)...),
	}
	copy(all["far"][MaxContent-1000:], all["far"][:1000])
	var mixed []byte
	for len(mixed) < MaxContent {
		if n := r.IntN(300); r.IntN(3) > 0 && len(mixed) > n {
			at := r.IntN(len(mixed) - n)
			mixed = append(mixed, mixed[at:at+n]...)
		} else {
			mixed = append(mixed, random(n, 256)...)
		}
	}
	all["mixed"] = mixed[:MaxContent]
	return all
}

func TestFramesGiveTheirContent(t *testing.T) {
	e, d := NewEncoder(), reader(t)
	for name, src := range samples() {
		t.Run(name, func(t *testing.T) {
			left, ok := check(t, e, d, src, len(src)-1)
			t.Logf("%d of %d bytes are left, %t", left, len(src), ok)
			if !ok {
				t.Error("it was not compressed")
			}
			if ok {
				if _, ok := check(t, e, d, src, left-1); ok {
					t.Error("it fits in less than it takes")
				}
			}
		})
	}
	b := make([]byte, MaxContent)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	for name, src := range map[string][]byte{"noise": b, "empty": nil, "tiny": make([]byte, 255), "long": make([]byte, MaxContent+1)} {
		if out, ok := e.EncodeLimit(nil, src, len(src)); ok {
			t.Errorf("%s: a frame of %d bytes", name, len(out))
		}
	}
}

// TestPrograms compresses the program that runs, all of it.
func TestPrograms(t *testing.T) {
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	e, d := NewEncoder(), reader(t)
	in, out := 0, 0
	for ; len(p) >= minContent; p = p[min(len(p), MaxContent):] {
		src := p[:min(len(p), MaxContent)]
		left, ok := check(t, e, d, src, len(src))
		if !ok {
			left = len(src)
		}
		in, out = in+len(src), out+left
	}
	if ratio := float64(out) / float64(in); ratio > 0.6 {
		t.Errorf("%.3f of a program is left", ratio)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	e := NewEncoder()
	src := samples()["mixed"]
	dst := make([]byte, 0, 2*MaxContent)
	if n := testing.AllocsPerRun(20, func() { e.EncodeLimit(dst, src, MaxContent) }); n > 0 {
		t.Errorf("%v allocations for a frame", n)
	}
}

func FuzzEncode(f *testing.F) {
	for _, src := range samples() {
		f.Add(src[:min(len(src), 4000)], uint16(1))
		f.Add(src[:min(len(src), 300)], uint16(20))
	}
	e, d := NewEncoder(), reader(f)
	f.Fuzz(func(t *testing.T, src []byte, times uint16) {
		src = bytes.Repeat(src, int(min(times, 64)))
		src = src[:min(len(src), MaxContent)]
		check(t, e, d, src, len(src))
	})
}
