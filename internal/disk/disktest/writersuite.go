package disktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/disk"
)

// NewWriter makes a writer of the format under test.
type NewWriter func(t disk.Target, size int64) (disk.Writer, error)

// Reopen opens what a Writer wrote.
type Reopen func(ctx context.Context, f disk.File) (disk.Image, error)

// TestWriter checks that a writer keeps the contract of disk.Writer: what it wrote reads back the same over many patterns and
// sizes, wrong calls and a failing disk give errors, and never a success with lost content. A disk may come back larger, up to
// the next full sector.
func TestWriter(t *testing.T, create NewWriter, reopen Reopen) {
	t.Helper()
	w, err := create(NewMemFile("probe", nil), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	chunk := int64(w.ChunkSize())
	if chunk < 4096 || chunk&(chunk-1) != 0 {
		t.Fatalf("chunk size %d is not a power of two of at least 4096", chunk)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("abort of an empty image: %v", err)
	}
	for _, p := range patterns(chunk) {
		t.Run(p.name, func(t *testing.T) { roundTrip(t, create, reopen, p.image) })
	}
	t.Run("wrong calls", func(t *testing.T) { wrongCalls(t, create, chunk) })
	t.Run("failing target", func(t *testing.T) { failingTarget(t, create, chunk) })
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w, err := create(NewMemFile("target", nil), 4*chunk)
		if err != nil {
			t.Fatal(err)
		}
		src := NewMemImage(4*chunk).Put(0, Random(1, int(4*chunk)))
		if _, err := disk.Copy(ctx, w, src, disk.Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v, want that of the context", err)
		}
	})
}

type pattern struct {
	name  string
	image *MemImage
}

// patterns are the disks that a writer must survive.
func patterns(chunk int64) []pattern {
	c := chunk
	n := max(4, min(40, 8<<20/c)) // chunks of a disk that is full
	ps := []pattern{
		{"empty", NewMemImage(3 * c)},
		{"one sector", NewMemImage(512).Put(0, Random(1, 512))},
		{"one byte", NewMemImage(1).Put(0, []byte{7})},
		{"one chunk", NewMemImage(c).Put(0, Text(int(c)))},
		{"chunk less one sector", NewMemImage(c-512).Put(0, Random(2, int(c-512)))},
		{"chunk and a byte", NewMemImage(c+1).Put(0, Text(int(c+1)))},
		{"odd size", NewMemImage(5*c+1000).Put(2*c, Random(3, int(3*c+1000)))},
		{"incompressible", NewMemImage(n*c).Put(0, Random(4, int(n*c)))},
		{"compressible", NewMemImage(n*c).Put(0, Text(int(n*c)))},
		{"explicit zeroes", NewMemImage(8*c).Put(c, Text(int(5*c))).Zero(2*c, c+c/2)},
		{"data that is zero", NewMemImage(8*c).Put(0, make([]byte, 8*c)).Put(3*c+5, []byte{1})},
		{"last byte of a large disk", NewMemImage(100<<30).Put(0, Text(512)).Put(100<<30-1, []byte{9})},
	}
	many := NewMemImage(10*n*c + 512)
	r := rand.New(rand.NewPCG(5, 5))
	for range 5 * n {
		off := r.Int64N(many.Size())
		switch n := 1 + r.IntN(int(2*c)); r.IntN(3) {
		case 0:
			many.Put(off, Random(uint64(off), n))
		case 1:
			many.Put(off, Text(n))
		default:
			many.Zero(off, int64(n))
		}
	}
	return append(ps, pattern{"patchwork", many})
}

// Random returns n bytes that do not compress, the same ones for the same seed.
func Random(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	if _, err := rand.NewChaCha8(key).Read(b); err != nil {
		panic(err) // it never fails
	}
	return b
}

// Text returns n bytes that compress well, no two KiB of them the same.
func Text(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "line %d of a file that a guest wrote; ", i)
	}
	return b.Bytes()[:n]
}

// roundTrip writes the image, reads it back and compares content, digest and size.
func roundTrip(t *testing.T, create NewWriter, reopen Reopen, src *MemImage) {
	t.Helper()
	target := NewMemFile("target", nil)
	w, err := create(target, src.Size())
	if err != nil {
		t.Fatal(err)
	}
	res, err := disk.Copy(t.Context(), w, src, disk.Options{Digest: true, Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("abort after finish: %v", err)
	}
	checkCopy(t, reopen, target, src, res)
}

func checkCopy(t *testing.T, reopen Reopen, target *MemFile, src *MemImage, res disk.Result) {
	t.Helper()
	got, err := reopen(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Close()
	sectors := (src.Size() + disk.SectorSize - 1) / disk.SectorSize * disk.SectorSize
	if got.Size() != src.Size() && got.Size() != sectors {
		t.Errorf("size is %d, want %d", got.Size(), src.Size())
	}
	if _, err := disk.Compare(t.Context(), src, got, disk.CompareOptions{}); err != nil {
		t.Error(err)
	}
	if got.Size() == src.Size() {
		d, err := disk.DigestOf(t.Context(), got, disk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !res.HasDigest || d != res.Digest {
			t.Errorf("digest of the copy is %s, that of the source %s", d, res.Digest)
		}
	}
}

// wrongCalls makes calls that no copy makes; each must give an error and not a damaged image.
func wrongCalls(t *testing.T, create NewWriter, chunk int64) {
	t.Helper()
	encode := func(t *testing.T, w disk.Writer, n int) []byte {
		t.Helper()
		b, err := w.Encode(make([]byte, 0, n+4096), Random(6, n))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name        string
		first, then int64
	}{
		{"the same chunk twice", chunk, chunk},
		{"backwards", 2 * chunk, 0},
		{"not at a chunk", 0, chunk + 512},
		{"past the end", 0, 4 * chunk},
		{"negative", 0, -chunk},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, err := create(NewMemFile("target", nil), 4*chunk)
			if err != nil {
				t.Fatal(err)
			}
			b := encode(t, w, int(chunk))
			if err := w.Append(t.Context(), c.first, b); err != nil {
				t.Fatal(err)
			}
			if err := w.Append(t.Context(), c.then, b); err == nil {
				t.Errorf("append at %d after %d succeeded", c.then, c.first)
			}
			if err := w.Finish(t.Context()); err == nil {
				t.Error("finish succeeded after an error")
			}
			if err := w.Abort(); err != nil {
				t.Errorf("abort: %v", err)
			}
		})
	}
	if _, err := create(NewMemFile("target", nil), -1); err == nil {
		t.Error("a negative size was accepted")
	}
}

// failingTarget lets each operation of a small copy fail once, in three ways. The copy must say so.
func failingTarget(t *testing.T, create NewWriter, chunk int64) {
	t.Helper()
	src := NewMemImage(24*chunk+100).Put(chunk, Random(7, int(2*chunk))).Put(9*chunk, Text(int(3*chunk))).Put(24*chunk, []byte{1})
	count := &FailingTarget{Target: NewMemFile("target", nil)}
	w, err := create(count, src.Size())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Copy(t.Context(), w, src, disk.Options{}); err != nil {
		t.Fatal(err)
	}
	if count.Ops() == 0 {
		t.Fatal("the writer never touched its target")
	}
	for n := 1; n <= count.Ops(); n++ {
		for _, fault := range []struct {
			err   error
			short bool
		}{{err: ErrInjected}, {err: ErrInjected, short: true}, {err: unix.ENOSPC}} {
			target := &FailingTarget{Target: NewMemFile("target", nil), FailAt: n, Short: fault.short, Err: fault.err}
			w, err := create(target, src.Size())
			if err == nil {
				_, err = disk.Copy(t.Context(), w, src, disk.Options{})
			}
			if err == nil {
				t.Errorf("operation %d of %d failed, the copy did not", n, count.Ops())
				continue
			}
			if !errors.Is(err, fault.err) {
				t.Errorf("operation %d: error is %v, want %v in it", n, err, fault.err)
			}
		}
	}
}
