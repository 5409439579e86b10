package qcow2

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"hyper2kvm/internal/disk/disktest"
)

// inflated runs the inflater on a copy of src.
func inflated(src []byte, n int) ([]byte, error) {
	dst := bytes.Repeat([]byte{0xa5}, n)
	return dst, newInflater().inflate(dst, append(bytes.Clone(src), make([]byte, inputSlack)...), len(src))
}

// deflated is what the standard library makes of content.
func deflated(tb testing.TB, content []byte, level int) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// skewed returns content whose symbols differ so much in frequency that their codes take all lengths up to 15 bits.
func skewed(n int) []byte {
	r := rand.New(rand.NewPCG(1, 1))
	b := make([]byte, n)
	for i := range b {
		v := 0
		for v < 255 && r.IntN(2) == 0 {
			v++
		}
		b[i] = byte(v * 37)
	}
	return b
}

func TestInflate(t *testing.T) {
	for name, content := range map[string][]byte{
		"text": disktest.Text(65536), "noise": disktest.Random(1, 65536), "one byte": {7}, "zeroes": make([]byte, 65536),
		"short period": bytes.Repeat([]byte("abcde"), 5000), "skewed": skewed(300_000),
		"mixed": append(disktest.Text(100_000), disktest.Random(2, 100_000)...),
	} {
		for level := -2; level <= 9; level++ {
			src := deflated(t, content, level)
			got, err := inflated(src, len(content))
			if err != nil || !bytes.Equal(got, content) {
				t.Fatalf("%s at level %d: %v", name, level, err)
			}
			part := len(content)/2 + 1
			if got, err := inflated(src, part); err != nil || !bytes.Equal(got, content[:part]) {
				t.Fatalf("half of %s at level %d: %v", name, level, err)
			}
			if _, err := inflated(src, len(content)+1); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("more than %s at level %d: %v", name, level, err)
			}
			if cut := len(src) - 6; cut > 0 {
				if got, err := inflated(src[:cut], len(content)); err == nil && !bytes.Equal(got, content) {
					t.Fatalf("%s at level %d, cut: content is wrong", name, level)
				}
			}
		}
	}
}

// FuzzInflate compares with the standard library: what it accepts is accepted with the same content, and what it refuses early
// is refused.
func FuzzInflate(f *testing.F) {
	for level := -2; level <= 9; level++ {
		f.Add(deflated(f, disktest.Text(3000), level))
		f.Add(deflated(f, skewed(3000), level))
	}
	f.Add(deflated(f, append(disktest.Random(1, 100), make([]byte, 3000)...), 9))
	f.Fuzz(func(t *testing.T, b []byte) {
		want, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), 1<<20))
		for _, n := range []int{len(want), len(want) / 3, len(want) + 1} {
			got, gotErr := inflated(b, n)
			switch {
			case err == nil && n <= len(want) && gotErr != nil:
				t.Fatalf("%d of %d bytes: %v", n, len(want), gotErr)
			case n <= len(want) && gotErr == nil && !bytes.Equal(got, want[:n]):
				t.Fatalf("%d of %d bytes are not the same", n, len(want))
			case n > len(want) && n <= 1<<20 && gotErr == nil && err == nil:
				t.Fatalf("%d bytes from a stream of %d", n, len(want))
			}
		}
	})
}
