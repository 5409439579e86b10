package qcow2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// writerOptions are the shapes of image that the tests write.
func writerOptions() []Options {
	return []Options{
		{},
		{Compression: "zlib"},
		{Compression: "zlib", Level: 6},
		{Compression: "zstd"},
		{ClusterSize: 4 << 10},
		{Compression: "zlib", ClusterSize: 4 << 10},
		{Compression: "zlib", ClusterSize: 16 << 10},
		{Compression: "zstd", ClusterSize: 2 << 20, Level: 1},
		{Compression: "zlib", ClusterSize: 2 << 20, Level: 1},
	}
}

func (o Options) String() string {
	kind := o.Compression
	if kind == "" {
		kind = "plain"
	}
	return fmt.Sprintf("%s-%d-%dK", kind, o.Level, o.ClusterSize>>10)
}

func reopen(ctx context.Context, f disk.File) (disk.Image, error) { return Open(ctx, f, disk.Env{}) }

func TestWriterKeepsTheContract(t *testing.T) {
	for _, o := range writerOptions() {
		if o.ClusterSize > 1<<20 {
			continue // the suite's patchwork would be gigabytes
		}
		t.Run(o.String(), func(t *testing.T) {
			t.Parallel()
			disktest.TestWriter(t, func(t disk.Target, size int64) (disk.Writer, error) { return NewWriter(t, size, o) }, reopen)
		})
	}
}

// copyTo writes src with these options into a new target and returns it.
func copyTo(tb testing.TB, target disk.Target, src disk.Image, o Options) disk.Result {
	tb.Helper()
	w, err := NewWriter(target, src.Size(), o)
	if err != nil {
		tb.Fatal(err)
	}
	res, err := disk.Copy(tb.Context(), w, src, disk.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return res
}

// mixed is a disk with everything a writer treats differently: holes, zeroes, text, noise, both in turns, and odd ends.
func mixed(size int64, seed uint64) *disktest.MemImage {
	img := disktest.NewMemImage(size)
	n := int(min(size, 1<<20))
	img.Put(0, disktest.Text(n))
	img.Put(size/3, disktest.Random(seed, n))
	for i := range int64(40) {
		off := size/2 + i*70_000
		if off+70_000 > size {
			break
		}
		if i%2 == 0 {
			img.Put(off, disktest.Text(65_000))
		} else {
			img.Put(off, disktest.Random(seed+uint64(i), 66_000))
		}
	}
	img.Zero(size/4, min(size/8, 1<<20))
	return img.Put(size-1, []byte{1})
}

// TestQemuAgrees lets qemu-img check what the writer made and compare it with the source.
func TestQemuAgrees(t *testing.T) {
	for i, o := range writerOptions() {
		sizes := []int64{512, 9<<20 + 1000, 600<<20 + 512}
		if i == 0 {
			sizes = append(sizes, 65536, 10<<20+512)
		}
		for _, size := range sizes {
			if size > 64<<20 && o.ClusterSize == 4<<10 {
				size = 40 << 20
			}
			t.Run(fmt.Sprintf("%v-%d", o, size), func(t *testing.T) {
				dir := t.TempDir()
				src := mixed(size, 1)
				raw, out := filepath.Join(dir, "a.raw"), filepath.Join(dir, "a.qcow2")
				writeRaw(t, raw, src)
				f, err := os.Create(out)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				copyTo(t, f, src, o)
				disktest.QemuImg(t, "check", out)
				disktest.QemuImg(t, "compare", "-f", "raw", "-F", "qcow2", raw, out)
				checkClean(t, out)
			})
		}
	}
}

// TestManyRefcountBlocks writes files over several refcount blocks, whose places compressed clusters must not cross.
func TestManyRefcountBlocks(t *testing.T) {
	const cs = 4 << 10 // a block counts 8 MiB of the file
	src := disktest.NewMemImage(6000 * cs)
	content := disktest.Random(1, 6000*cs)
	for i := 0; i < len(content); i += cs {
		if i/cs%7 != 0 {
			clear(content[i+cs*(i/cs%5+4)/10 : i+cs]) // most of it shrinks, to 40 to 80 per cent
		}
	}
	src.Put(0, content)
	for _, compression := range []string{"", "zlib", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			dir := t.TempDir()
			raw, out := filepath.Join(dir, "a.raw"), filepath.Join(dir, "a.qcow2")
			writeRaw(t, raw, src)
			f, err := os.Create(out)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			copyTo(t, f, src, Options{Compression: compression, ClusterSize: cs})
			if st, err := f.Stat(); err != nil || st.Size() < 12<<20 {
				t.Fatalf("the file is too small to test anything: %v %v", st, err)
			}
			if res := checkClean(t, out); (res.Compressed > 0) != (compression != "") {
				t.Errorf("%+v", res)
			}
			disktest.QemuImg(t, "check", out)
			disktest.QemuImg(t, "compare", "-f", "raw", "-F", "qcow2", raw, out)
		})
	}
}

func writeRaw(tb testing.TB, path string, img disk.Image) {
	tb.Helper()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(img.Size()); err != nil {
		tb.Fatal(err)
	}
	for off := int64(0); off < img.Size(); {
		e, err := img.Extent(tb.Context(), off)
		if err != nil {
			tb.Fatal(err)
		}
		if e.Kind == disk.Data {
			if _, err := io.Copy(io.NewOffsetWriter(f, off), io.NewSectionReader(img, off, e.Len)); err != nil {
				tb.Fatal(err)
			}
		}
		off = e.End()
	}
}

func openPath(tb testing.TB, path string, env disk.Env) *Image {
	tb.Helper()
	f, err := disk.OpenFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	img, err := Open(tb.Context(), f, env)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { img.Close() })
	return img
}

func checkClean(tb testing.TB, path string) disk.Findings {
	tb.Helper()
	res, err := openPath(tb, path, disk.Env{}).Check(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if !res.Clean() || res.Leaks > 0 {
		tb.Fatalf("%d leaks, %v", res.Leaks, res.Problems)
	}
	return res
}

// TestAnyDisk writes disks that nobody thought of and reads them back, with exact refcounts.
func TestAnyDisk(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := Options{
			Compression: rapid.SampledFrom([]string{"", "zlib", "zstd"}).Draw(rt, "compression"),
			ClusterSize: rapid.SampledFrom([]int{4 << 10, 8 << 10, 64 << 10}).Draw(rt, "cluster"),
		}
		size := rapid.Int64Range(0, 30<<20).Draw(rt, "size")
		src := disktest.NewMemImage(size)
		for range rapid.IntRange(0, 12).Draw(rt, "pieces") {
			off := rapid.Int64Range(0, max(size-1, 0)).Draw(rt, "off")
			n := rapid.IntRange(1, 300_000).Draw(rt, "n")
			if rapid.Bool().Draw(rt, "noise") {
				src.Put(off, disktest.Random(uint64(off), n))
			} else {
				src.Put(off, disktest.Text(n))
			}
		}
		target := disktest.NewMemFile("any.qcow2", nil)
		copyTo(t, target, src, o)
		img, err := Open(t.Context(), target, disk.Env{})
		if err != nil {
			rt.Fatal(err)
		}
		defer img.Close()
		if img.Size() != (size+511)/512*512 {
			rt.Fatalf("size %d, the disk has %d", img.Size(), size)
		}
		if _, err := disk.Compare(t.Context(), src, img, disk.CompareOptions{}); err != nil {
			rt.Fatal(err)
		}
		res, err := img.Check(t.Context())
		if err != nil || !res.Clean() || res.Leaks > 0 {
			rt.Fatalf("%v %+v", err, res)
		}
		if size == 0 {
			return
		}
		off := rapid.Int64Range(0, size-1).Draw(rt, "read")
		a, b := make([]byte, rapid.IntRange(1, 200_000).Draw(rt, "length")), make([]byte, 200_000)
		n, _ := img.ReadAt(a, off)
		m, _ := src.ReadAt(b[:n], off)
		if string(a[:m]) != string(b[:m]) {
			rt.Fatalf("content at %d differs", off)
		}
	})
}

// TestHugeDisks writes a few clusters of disks near the limits: tables must be sized for all of it and memory must not.
func TestHugeDisks(t *testing.T) {
	for _, c := range []struct {
		size    int64
		cluster int
		ok      bool
	}{
		{disk.MaxSize, 0, true},
		{disk.MaxSize, 2 << 20, true},
		{4 << 40, 4 << 10, true},
		{disk.MaxSize, 4 << 10, false},
		{disk.MaxSize + 1, 0, false},
	} {
		t.Run(fmt.Sprintf("%d-%d", c.size, c.cluster), func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "huge.qcow2")
			f, err := os.Create(out)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			w, err := NewWriter(f, c.size, Options{Compression: "zlib", ClusterSize: c.cluster})
			if !c.ok {
				if !errors.Is(err, disk.ErrLimit) {
					t.Fatalf("got %v, want the limit", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			chunk := int64(w.ChunkSize())
			for _, off := range []int64{0, c.size/2 - chunk, c.size / 2, c.size - chunk} {
				b, err := w.Encode(nil, disktest.Random(uint64(off), int(chunk)))
				if err != nil {
					t.Fatal(err)
				}
				if err := w.Append(t.Context(), off, b); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Finish(t.Context()); err != nil {
				t.Fatal(err)
			}
			img := openPath(t, out, disk.Env{})
			got := make([]byte, chunk)
			if _, err := img.ReadAt(got, c.size-chunk); err != nil || string(got) != string(disktest.Random(uint64(c.size-chunk), int(chunk))) {
				t.Fatalf("last cluster: %v", err)
			}
			if n := len(extents(t, img)); n > 1000 {
				t.Errorf("the map of four clusters takes %d steps", n)
			}
			checkClean(t, out)
			disktest.QemuImg(t, "check", out)
		})
	}
}

func extents(tb testing.TB, img disk.Image) []disk.Extent {
	tb.Helper()
	var all []disk.Extent
	for off := int64(0); off < img.Size(); {
		e, err := img.Extent(tb.Context(), off)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, e)
		off = e.End()
	}
	return all
}

// TestPackedClusters checks that compressed clusters stand back to back, plain ones in between notwithstanding.
func TestPackedClusters(t *testing.T) {
	const cs = DefaultClusterSize
	src := disktest.NewMemImage(512 * cs)
	var packed int64
	w, err := NewWriter(disktest.NewMemFile("x", nil), src.Size(), Options{Compression: "zlib"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(512) {
		b := disktest.Random(uint64(i), cs)
		if i%2 == 0 {
			copy(b[cs/4:], make([]byte, cs))
			enc, err := w.Encode(nil, b)
			if err != nil {
				t.Fatal(err)
			}
			packed += int64(len(enc))
		}
		src.Put(i*cs, b)
	}
	target := disktest.NewMemFile("packed.qcow2", nil)
	copyTo(t, target, src, Options{Compression: "zlib"})
	// 256 plain clusters, the packed data, header, three tables and a block; and half a cluster for every 16 plain ones.
	if limit := 256*cs + packed + 6*cs + 256/16*cs; target.Size() > limit {
		t.Errorf("the file has %d bytes, at most %d expected", target.Size(), limit)
	}
}

func TestNoHeaderBeforeFinish(t *testing.T) {
	target := disktest.NewMemFile("unfinished.qcow2", nil)
	w, err := NewWriter(target, 1<<20, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(t.Context(), 0, disktest.Random(1, DefaultClusterSize)); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(t.Context()); err == nil {
		t.Error("an aborted writer finished")
	}
	if _, err := Open(t.Context(), target, disk.Env{}); !errors.Is(err, disk.ErrFormat) && !errors.Is(err, disk.ErrTruncated) {
		t.Errorf("an unfinished file opened: %v", err)
	}
}

func TestOptionsRefused(t *testing.T) {
	for _, o := range []Options{
		{Compression: "lzma"}, {Level: 3}, {Compression: "zlib", Level: 10}, {Compression: "zstd", Level: -1},
		{ClusterSize: 512}, {ClusterSize: 65537}, {ClusterSize: 4 << 20},
	} {
		if _, err := NewWriter(disktest.NewMemFile("x", nil), 1<<20, o); !errors.Is(err, disk.ErrLimit) {
			t.Errorf("%+v: got %v, want a refusal", o, err)
		}
	}
}

// TestFeatureName checks that a reader that knows no zstd can name what it lacks.
func TestFeatureName(t *testing.T) {
	target := disktest.NewMemFile("zstd.qcow2", nil)
	copyTo(t, target, disktest.NewMemImage(1<<20).Put(0, disktest.Text(1000)), Options{Compression: "zstd"})
	h, err := readHeader(target)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.ext.featureNames(incompatCompression); !strings.Contains(got, "compression type") {
		t.Errorf("the feature is called %s", got)
	}
}
