package deflate

import (
	"hash/adler32"
	"testing"

	"pgregory.net/rapid"
)

func TestAdlerAgainstStandardLibrary(t *testing.T) {
	high := make([]byte, 1<<20)
	for i := range high {
		high[i] = 0xff
	}
	for _, n := range []int{0, 1, 7, 8, adlerRun - 1, adlerRun, adlerRun + 1, 65536, len(high)} {
		if got, want := adler(high[:n]), adler32.Checksum(high[:n]); got != want {
			t.Errorf("%d bytes of 255: %08x, want %08x", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Byte(), 0, 1000).Draw(t, "content")
		if got, want := adler(p), adler32.Checksum(p); got != want {
			t.Fatalf("%08x, want %08x", got, want)
		}
	})
}

func BenchmarkAdler(b *testing.B) {
	p := make([]byte, 65536)
	for i := range p {
		p[i] = byte(i * 7)
	}
	b.Run("own", func(b *testing.B) {
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			adler(p)
		}
	})
	b.Run("standard", func(b *testing.B) {
		b.SetBytes(int64(len(p)))
		for b.Loop() {
			adler32.Checksum(p)
		}
	})
}
