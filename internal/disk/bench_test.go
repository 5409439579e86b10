package disk_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/klauspost/compress/flate"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// deflateWriter encodes as the qcow2 writer does and drops the result: it measures the copy, not the target.
type deflateWriter struct {
	pool  sync.Pool
	chunk int
}

func newDeflateWriter(chunk int) *deflateWriter {
	w := &deflateWriter{chunk: chunk}
	w.pool.New = func() any {
		fw, err := flate.NewWriterWindow(nil, 4096)
		if err != nil {
			panic(err) // the window is a constant
		}
		return fw
	}
	return w
}

func (w *deflateWriter) ChunkSize() int { return w.chunk }

func (w *deflateWriter) Encode(dst, src []byte) ([]byte, error) {
	fw := w.pool.Get().(*flate.Writer)
	defer w.pool.Put(fw)
	out := bytes.NewBuffer(dst)
	fw.Reset(out)
	if _, err := fw.Write(src); err != nil {
		return nil, err
	}
	if err := fw.Close(); err != nil {
		return nil, err
	}
	if out.Len() >= len(src) {
		return src, nil
	}
	return out.Bytes(), nil
}

func (w *deflateWriter) Append(context.Context, int64, []byte) error { return nil }
func (w *deflateWriter) Finish(context.Context) error                { return nil }
func (w *deflateWriter) Abort() error                                { return nil }

// plainWriter stores chunks as they are, nowhere.
type plainWriter struct{ deflateWriter }

func (w *plainWriter) Encode(_, src []byte) ([]byte, error) { return src, nil }

// benchImage holds size bytes of mixed content: half text, a quarter random, a quarter hole.
func benchImage(size int64) *disktest.MemImage {
	img := disktest.NewMemImage(size)
	text := disktest.Text(512 << 10)
	for off := int64(0); off < size; off += 1 << 20 {
		img.Put(off, text)
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

func BenchmarkDigestOfHoles(b *testing.B) {
	img := disk.EmptyImage(4 << 40)
	for b.Loop() {
		if _, err := disk.DigestOf(b.Context(), img, disk.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
