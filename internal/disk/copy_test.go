package disk_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/disk/raw"
)

// reversing is a writer that stores every chunk backwards, so that an Encode that is left out or doubled shows.
type reversing struct {
	*raw.Writer
	chunk    int
	appended []int64
	finished int
	aborted  int
	failAt   int64 // Append at this offset fails
	failEnc  int64 // Encode number
	encodes  atomic.Int64
	target   *disktest.MemFile
}

func newReversing(tb testing.TB, size int64, chunk int) *reversing {
	tb.Helper()
	target := disktest.NewMemFile("target", nil)
	w, err := raw.NewWriter(target, size)
	if err != nil {
		tb.Fatal(err)
	}
	return &reversing{Writer: w, chunk: chunk, failAt: -1, target: target}
}

func (r *reversing) ChunkSize() int { return r.chunk }

func (r *reversing) Encode(dst, src []byte) ([]byte, error) {
	if n := r.encodes.Add(1); r.failEnc > 0 && n >= r.failEnc {
		return nil, disktest.ErrInjected
	}
	dst = append(dst, src...)
	slices.Reverse(dst)
	return dst, nil
}

func (r *reversing) Append(_ context.Context, off int64, b []byte) error {
	if off == r.failAt {
		return disktest.ErrInjected
	}
	r.appended = append(r.appended, off)
	b = slices.Clone(b)
	slices.Reverse(b)
	_, err := r.target.WriteAt(b, off)
	return err
}

func (r *reversing) Finish(context.Context) error { r.finished++; return nil }
func (r *reversing) Abort() error                 { r.aborted++; return nil }

// slowDigest is the digest by its definition.
func slowDigest(tb testing.TB, img disk.Image) disk.Digest {
	tb.Helper()
	outer := sha256.New()
	buf := make([]byte, disk.DigestBlock)
	for off := int64(0); off < img.Size(); off += disk.DigestBlock {
		b := buf[:min(disk.DigestBlock, img.Size()-off)]
		if n, err := img.ReadAt(b, off); n < len(b) {
			tb.Fatal(err)
		}
		sum := sha256.Sum256(b)
		outer.Write(sum[:])
	}
	outer.Write(binary.BigEndian.AppendUint64(nil, uint64(img.Size())))
	return disk.Digest(outer.Sum(nil))
}

func TestCopyOfAnyMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.Int64Range(0, 3<<20).Draw(rt, "size")
		img := disktest.NewMemImage(size)
		for range rapid.IntRange(0, 12).Draw(rt, "pieces") {
			if size == 0 {
				break
			}
			off := rapid.Int64Range(0, size-1).Draw(rt, "off")
			n := rapid.IntRange(1, 1<<20).Draw(rt, "len")
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0:
				img.Zero(off, int64(n))
			case 1:
				img.Put(off, make([]byte, n))
			case 2:
				img.Put(off, disktest.Text(n))
			default:
				img.Put(off, disktest.Random(uint64(off), n))
			}
		}
		holds, err := disk.Allocated(t.Context(), img)
		if err != nil {
			rt.Fatal(err)
		}
		w := newReversing(t, size, 1<<rapid.IntRange(12, 21).Draw(rt, "chunk"))
		res, err := disk.Copy(t.Context(), w, img, disk.Options{Digest: true, Workers: rapid.IntRange(1, 5).Draw(rt, "workers")})
		if err != nil {
			rt.Fatal(err)
		}
		if w.finished != 1 || w.aborted != 0 {
			rt.Errorf("finished %d times, aborted %d times", w.finished, w.aborted)
		}
		if res.DataBytes != holds {
			rt.Errorf("read %d bytes, the map has %d of data", res.DataBytes, holds)
		}
		if res.ZeroBytes > res.DataBytes || res.StoredChunks != int64(len(w.appended)) {
			rt.Errorf("result %+v, %d chunks appended", res, len(w.appended))
		}
		if !slices.IsSorted(w.appended) || len(slices.Compact(slices.Clone(w.appended))) != len(w.appended) {
			rt.Errorf("offsets do not ascend: %d", w.appended)
		}
		if !bytes.Equal(w.target.Bytes(), readAll(t, img)) {
			rt.Error("the copy has another content")
		}
		if want := slowDigest(t, img); res.Digest != want || !res.HasDigest {
			rt.Errorf("digest is %s, by its definition %s", res.Digest, want)
		}
		if d, err := disk.DigestOf(t.Context(), img, disk.Options{}); err != nil || d != res.Digest {
			rt.Errorf("DigestOf is %s, %v; Copy's is %s", d, err, res.Digest)
		}
	})
}

func readAll(tb testing.TB, img disk.Image) []byte {
	tb.Helper()
	b := make([]byte, img.Size())
	if n, err := img.ReadAt(b, 0); n < len(b) {
		tb.Fatal(err)
	}
	return b
}

// watched counts what is read of an image.
type watched struct {
	disk.Image
	read  atomic.Int64
	steps atomic.Int64
	fail  func(off int64) error
}

func (w *watched) ReadAt(p []byte, off int64) (int, error) {
	if w.fail != nil {
		if err := w.fail(off); err != nil {
			return 0, err
		}
	}
	w.read.Add(int64(len(p)))
	return w.Image.ReadAt(p, off)
}

func (w *watched) Extent(ctx context.Context, off int64) (disk.Extent, error) {
	w.steps.Add(1)
	return w.Image.Extent(ctx, off)
}

func TestHolesCostNothing(t *testing.T) {
	img := &watched{Image: disktest.NewMemImage(8<<40).Put(5<<40, []byte{1, 2, 3})}
	w := newReversing(t, 0, 64<<10)
	res, err := disk.Copy(t.Context(), w, img, disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if res.DataBytes != 3 || img.read.Load() != 3 || img.steps.Load() != 3 {
		t.Errorf("%d bytes of data; %d read in %d steps of the map, want 3, 3 and 3", res.DataBytes, img.read.Load(), img.steps.Load())
	}
}

func TestCopyGivesTheErrorOfTheLowestOffset(t *testing.T) {
	const size = 32 << 20
	bad := map[int64]error{7 << 20: errors.New("early"), 8 << 20: errors.New("late"), 20 << 20: errors.New("later")}
	for range 20 {
		img := &watched{Image: disktest.NewMemImage(size).Put(0, disktest.Random(1, size)), fail: func(off int64) error { return bad[off] }}
		w := newReversing(t, size, 64<<10)
		_, err := disk.Copy(t.Context(), w, img, disk.Options{Workers: 8})
		if !errors.Is(err, bad[7<<20]) {
			t.Fatalf("error is %v, want %v", err, bad[7<<20])
		}
		if w.finished != 0 || w.aborted != 1 {
			t.Fatalf("finished %d times, aborted %d times", w.finished, w.aborted)
		}
		if n := img.read.Load(); n > 26<<20 {
			t.Fatalf("%d bytes were read after the error", n)
		}
	}
}

func TestCopyErrors(t *testing.T) {
	const size = 8 << 20
	full := disktest.NewMemImage(size).Put(0, disktest.Random(1, size))
	for _, c := range []struct {
		name string
		img  disk.Image
		set  func(*reversing)
		want error
	}{
		{"append", full, func(w *reversing) { w.failAt = 3 << 20 }, disktest.ErrInjected},
		{"encode", full, func(w *reversing) { w.failEnc = 20 }, disktest.ErrInjected},
		{"chunk too small", full, func(w *reversing) { w.chunk = 512 }, disk.ErrLimit},
		{"chunk not a power of two", full, func(w *reversing) { w.chunk = 5000 }, disk.ErrLimit},
		{"too large", disk.EmptyImage(disk.MaxSize + 1), func(*reversing) {}, disk.ErrLimit},
		{"map that lies", lyingMap{full, disk.Extent{Len: size + 1}}, func(*reversing) {}, disk.ErrCorrupt},
		{"map that stands still", lyingMap{full, disk.Extent{Len: 0}}, func(*reversing) {}, disk.ErrCorrupt},
		{"shorter than it says", shortImage{full}, func(*reversing) {}, disk.ErrTruncated},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newReversing(t, size, 64<<10)
			c.set(w)
			res, err := disk.Copy(t.Context(), w, c.img, disk.Options{Digest: true})
			if !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
			if res != (disk.Result{}) || w.finished != 0 || w.aborted != 1 {
				t.Errorf("result %+v, finished %d times, aborted %d times", res, w.finished, w.aborted)
			}
		})
	}
}

// shortImage ends before its size.
type shortImage struct{ disk.Image }

func (s shortImage) ReadAt(p []byte, off int64) (int, error) {
	if off < s.Size()/2 {
		return s.Image.ReadAt(p, off)
	}
	return 0, io.EOF
}

type lyingMap struct {
	disk.Image
	e disk.Extent
}

func (l lyingMap) Extent(_ context.Context, off int64) (disk.Extent, error) {
	l.e.Off = off
	return l.e, nil
}

func TestCancel(t *testing.T) {
	const size = 64 << 20
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	img := &watched{Image: disktest.NewMemImage(size).Put(0, disktest.Text(size)), fail: func(off int64) error {
		if off == 4<<20 {
			cancel(stop)
		}
		return nil
	}}
	w := newReversing(t, size, 64<<10)
	if _, err := disk.Copy(ctx, w, img, disk.Options{}); !errors.Is(err, stop) {
		t.Errorf("error is %v, want the cause of the context", err)
	}
	if n := img.read.Load(); n > 16<<20 {
		t.Errorf("%d bytes were read after the cancellation", n)
	}
	if w.aborted != 1 || w.finished != 0 {
		t.Errorf("finished %d times, aborted %d times", w.finished, w.aborted)
	}
}

func TestProgress(t *testing.T) {
	const size = 16 << 20
	img := disktest.NewMemImage(size).Put(1<<20, disktest.Random(1, 5<<20))
	for name, total := range map[string]int64{"counted": 0, "given": 5 << 20} {
		var calls [][2]int64
		o := disk.Options{Total: total, Progress: func(done, total int64) { calls = append(calls, [2]int64{done, total}) }}
		if _, err := disk.Copy(t.Context(), newReversing(t, size, 64<<10), img, o); err != nil {
			t.Fatal(err)
		}
		if len(calls) == 0 || calls[len(calls)-1] != [2]int64{5 << 20, 5 << 20} {
			t.Errorf("%s: calls %d, want the last to be complete", name, calls)
		}
		if len(calls) > 20 {
			t.Errorf("%s: %d calls for 16 MiB", name, len(calls))
		}
		for i := 1; i < len(calls); i++ {
			if calls[i][0] < calls[i-1][0] {
				t.Errorf("%s: progress goes back: %d", name, calls)
			}
		}
	}
}

// TestCopyAllocatesPerRunOnly holds that memory depends on the number of workers, not on the size of the disk.
func TestCopyAllocatesPerRunOnly(t *testing.T) {
	cost := func(size int64) (objects, bytes uint64) {
		img := disktest.NewMemImage(size).Put(0, disktest.Random(1, int(size)))
		w := &plainWriter{deflateWriter{chunk: 64 << 10}}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		if _, err := disk.Copy(t.Context(), w, img, disk.Options{Digest: true, Workers: 2}); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc
	}
	cost(16 << 20)
	smallN, smallB := cost(16 << 20)
	largeN, largeB := cost(96 << 20) // 1280 chunks more
	if largeN > smallN+100 || largeB > smallB+1<<20 {
		t.Errorf("16 MiB cost %d objects and %d bytes, 96 MiB %d and %d; a chunk may cost nothing", smallN, smallB, largeN, largeB)
	}
}

func TestCompare(t *testing.T) {
	const size = 10 << 20
	base := func() *disktest.MemImage {
		return disktest.NewMemImage(size).Put(1<<20+5, disktest.Random(1, 3<<20)).Zero(6<<20, 1<<20).Put(8<<20, make([]byte, 1<<20))
	}
	patch := func(r *rand.Rand) (disk.Image, int64) {
		off := r.Int64N(size)
		b := []byte{0}
		img := base()
		if _, err := img.ReadAt(b, off); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 1
		return img.Put(off, b), off
	}
	if d, err := disk.Compare(t.Context(), base(), base(), disk.CompareOptions{Strict: true}); err != nil || d.Found {
		t.Errorf("equal images: %+v, %v", d, err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		img, off := patch(r)
		for _, pair := range [][2]disk.Image{{base(), img}, {img, base()}} {
			d, err := disk.Compare(t.Context(), pair[0], pair[1], disk.CompareOptions{})
			if !errors.Is(err, disk.ErrMismatch) || !d.Found || d.Off != off {
				t.Fatalf("one byte at %d differs: got %+v, %v", off, d, err)
			}
		}
	}
	longer := disk.Resize(base(), size+1000)
	if d, err := disk.Compare(t.Context(), base(), longer, disk.CompareOptions{}); err != nil || d.SizeB != size+1000 {
		t.Errorf("a tail of zeroes: %+v, %v", d, err)
	}
	if d, err := disk.Compare(t.Context(), base(), longer, disk.CompareOptions{Strict: true}); !errors.Is(err, disk.ErrMismatch) || d.Off != size {
		t.Errorf("a tail of zeroes, strict: %+v, %v", d, err)
	}
	tail := disktest.NewMemImage(size+1000).Put(size+7, []byte{1})
	if d, err := disk.Compare(t.Context(), tail, disk.EmptyImage(size), disk.CompareOptions{}); !errors.Is(err, disk.ErrMismatch) || d.Off != size+7 {
		t.Errorf("data behind the end of the other: %+v, %v", d, err)
	}
}

func TestEmptyAndResizedImages(t *testing.T) {
	content := disktest.NewMemImage(2<<20+100).Put(700_000, disktest.Random(1, 1<<20))
	whole := readAll(t, content)
	for _, size := range []int64{0, 1, 1 << 20, 2<<20 + 100, 2<<20 + 512, 5 << 20} {
		want := make([]byte, size)
		copy(want, whole)
		disktest.TestImage(t, func(testing.TB) disk.Image { return disk.Resize(content, size) }, bytes.NewReader(want), size)
		disktest.TestImage(t, func(testing.TB) disk.Image { return disk.EmptyImage(size) }, bytes.NewReader(make([]byte, size)), size)
	}
}
