package disk_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/deflate"
	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/disk/formats"
)

// deflateWriter encodes as the qcow2 writer does and drops the result: it measures the copy, not the target.
type deflateWriter struct {
	pool  sync.Pool
	chunk int
}

func newDeflateWriter(chunk int) *deflateWriter {
	w := &deflateWriter{chunk: chunk}
	w.pool.New = func() any {
		e, err := deflate.NewEncoder(deflate.Options{})
		if err != nil {
			panic(err) // the options are constants
		}
		return e
	}
	return w
}

func (w *deflateWriter) ChunkSize() int { return w.chunk }

func (w *deflateWriter) Encode(dst, src []byte) ([]byte, error) {
	e := w.pool.Get().(*deflate.Encoder)
	defer w.pool.Put(e)
	if out, ok := e.EncodeLimit(dst[:0], src, len(src)-1); ok {
		return out, nil
	}
	return src, nil
}

func (w *deflateWriter) Append(context.Context, int64, []byte) error { return nil }
func (w *deflateWriter) Finish(context.Context) error                { return nil }
func (w *deflateWriter) Abort() error                                { return nil }

// plainWriter stores chunks as they are, nowhere.
type plainWriter struct{ deflateWriter }

func (w *plainWriter) Encode(_, src []byte) ([]byte, error) { return src, nil }

// words returns n bytes that shrink to about half, as programs and their data do.
func words(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	vocabulary := disktest.Random(1, 32<<10)
	b := make([]byte, 0, n+64)
	for len(b) < n {
		at := int(r.ExpFloat64()*3000) % (len(vocabulary) - 16)
		b = append(b, vocabulary[at:at+4+r.IntN(8)]...)
	}
	return b[:n]
}

// benchImage holds size bytes of mixed content: half words, a quarter random, a quarter hole.
func benchImage(size int64) *disktest.MemImage {
	img := disktest.NewMemImage(size)
	for off := int64(0); off < size; off += 1 << 20 {
		img.Put(off, words(uint64(off), 512<<10))
		img.Put(off+512<<10, disktest.Random(uint64(off), 256<<10))
	}
	return img
}

func BenchmarkCopy(b *testing.B) {
	const size = 64 << 20
	img := benchImage(size)
	for _, workers := range []int{1, 2, 4} {
		for _, digest := range []bool{false, true} {
			for name, w := range map[string]disk.Writer{
				"plain":   &plainWriter{deflateWriter{chunk: 64 << 10}},
				"deflate": newDeflateWriter(64 << 10),
			} {
				b.Run(fmt.Sprintf("%s/workers=%d/digest=%t", name, workers, digest), func(b *testing.B) {
					b.SetBytes(size)
					b.ReportAllocs()
					for b.Loop() {
						if _, err := disk.Copy(b.Context(), w, img, disk.Options{Workers: workers, Digest: digest}); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// BenchmarkEncodeAlone is the floor: one core that does nothing but deflate.
func BenchmarkEncodeAlone(b *testing.B) {
	const size = 16 << 20
	img := benchImage(size)
	content := make([]byte, size)
	if _, err := img.ReadAt(content, 0); err != nil {
		b.Fatal(err)
	}
	w := newDeflateWriter(64 << 10)
	dst := make([]byte, 0, 72<<10)
	b.SetBytes(size)
	for b.Loop() {
		for at := 0; at < size; at += 64 << 10 {
			if at%(1<<20) >= 768<<10 {
				continue // the hole
			}
			if _, err := w.Encode(dst, content[at:at+64<<10]); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkConvert converts a sparse raw file to qcow2 with deflate, as a job does, and lets qemu-img do the same.
func BenchmarkConvert(b *testing.B) {
	const size = 128 << 20
	dir := b.TempDir()
	rawPath, qcow2Path := filepath.Join(dir, "disk.img"), filepath.Join(dir, "disk.qcow2")
	run := func(b *testing.B, src disk.Image, path, format, compression string, o disk.Options) int64 {
		b.Helper()
		f, err := os.Create(path)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		w, err := formats.Create(format, f, src.Size(), formats.CreateOptions{Compression: compression})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := disk.Copy(b.Context(), w, src, o); err != nil {
			b.Fatal(err)
		}
		st, err := f.Stat()
		if err != nil {
			b.Fatal(err)
		}
		return st.Size()
	}
	run(b, benchImage(size), rawPath, "raw", "", disk.Options{})
	open := func(b *testing.B, path string) disk.Image {
		b.Helper()
		img, err := formats.OpenPath(b.Context(), path, formats.OpenOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { img.Close() })
		return img
	}
	for _, c := range []struct {
		name, format, compression string
		digest                    bool
	}{
		{"raw to qcow2 zlib", "qcow2", "zlib", false},
		{"raw to qcow2 zlib with digest", "qcow2", "zlib", true},
		{"raw to qcow2 zstd", "qcow2", "zstd", false},
		{"raw to qcow2", "qcow2", "", false},
		{"raw to raw", "raw", "", false},
	} {
		b.Run(c.name, func(b *testing.B) {
			src := open(b, rawPath)
			b.SetBytes(size)
			b.ReportAllocs()
			var n int64
			for b.Loop() {
				n = run(b, src, qcow2Path, c.format, c.compression, disk.Options{Digest: c.digest})
			}
			b.ReportMetric(float64(n)/(1<<20), "MiB-out")
		})
	}
	run(b, open(b, rawPath), qcow2Path, "qcow2", "zlib", disk.Options{})
	b.Run("qcow2 zlib to digest", func(b *testing.B) {
		src := open(b, qcow2Path)
		b.SetBytes(size)
		for b.Loop() {
			if _, err := disk.DigestOf(b.Context(), src, disk.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("raw to qcow2 zlib by qemu-img", func(b *testing.B) {
		out := filepath.Join(dir, "qemu.qcow2")
		b.SetBytes(size)
		for b.Loop() {
			disktest.QemuImg(b, "convert", "-c", "-W", "-m", "8", "-f", "raw", "-O", "qcow2", rawPath, out)
		}
		st, err := os.Stat(out)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(st.Size())/(1<<20), "MiB-out")
	})
}

func BenchmarkDigestOfHoles(b *testing.B) {
	img := disk.EmptyImage(4 << 40)
	for b.Loop() {
		if _, err := disk.DigestOf(b.Context(), img, disk.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
