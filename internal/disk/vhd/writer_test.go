package vhd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

func reopen(ctx context.Context, f disk.File) (disk.Image, error) { return Open(ctx, f, disk.Env{}) }

func TestWriterKeepsTheContract(t *testing.T) {
	for _, fixed := range []bool{false, true} {
		t.Run(fmt.Sprintf("fixed=%t", fixed), func(t *testing.T) {
			disktest.TestWriter(t, func(t disk.Target, size int64) (disk.Writer, error) { return NewWriter(t, size, Options{Fixed: fixed}) }, reopen)
		})
	}
}

func copyTo(tb testing.TB, target disk.Target, src disk.Image, o Options) {
	tb.Helper()
	w, err := NewWriter(target, src.Size(), o)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := disk.Copy(tb.Context(), w, src, disk.Options{}); err != nil {
		tb.Fatal(err)
	}
}

// TestQemuAgrees lets qemu-img compare what the writer made with the source. It is told the format: it takes a
// fixed VHD for a raw disk. Sizes that are not whole cylinders hold that it believes the current size.
func TestQemuAgrees(t *testing.T) {
	for _, fixed := range []bool{false, true} {
		for _, size := range []int64{512, 65536, 10<<20 + 512, 9<<20 + 1000, 200 << 20} {
			t.Run(fmt.Sprintf("fixed=%t-%d", fixed, size), func(t *testing.T) {
				dir := t.TempDir()
				src := mixed(size, 1).Put(size-1, []byte{7})
				raw, out := filepath.Join(dir, "a.raw"), filepath.Join(dir, "a.vhd")
				content := make([]byte, (size+511)/512*512)
				src.ReadAt(content, 0)
				if err := os.WriteFile(raw, content, 0o600); err != nil {
					t.Fatal(err)
				}
				f, err := os.Create(out)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				copyTo(t, f, src, Options{Fixed: fixed})
				disktest.QemuImg(t, "compare", "--image-opts", "driver=raw,file.filename="+raw,
					"driver=vpc,file.filename="+out)
				h, err := disk.OpenFile(out)
				if err != nil {
					t.Fatal(err)
				}
				img, err := Open(t.Context(), h, disk.Env{})
				if err != nil {
					t.Fatal(err)
				}
				defer img.Close()
				if found, err := img.Check(t.Context()); err != nil || len(found.Problems) > 0 {
					t.Errorf("check: %+v, %v", found, err)
				}
				if img.Size() != int64(len(content)) {
					t.Errorf("size %d", img.Size())
				}
			})
		}
	}
}

// TestQemuImages reads what qemu-img writes.
func TestQemuImages(t *testing.T) {
	dir := t.TempDir()
	raw := filepath.Join(dir, "x.raw")
	src := mixed(30<<20, 1).Put(30<<20-1, []byte{7})
	content := make([]byte, src.Size())
	if _, err := src.ReadAt(content, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(raw, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{"subformat=dynamic", "subformat=fixed", "subformat=dynamic,force_size=on", "subformat=fixed,force_size=on"} {
		t.Run(options, func(t *testing.T) {
			path := filepath.Join(dir, "x.vhd")
			disktest.QemuImg(t, "convert", "-f", "raw", "-O", "vpc", "-o", options, raw, path)
			f, err := disk.OpenFile(path)
			if err != nil {
				t.Fatal(err)
			}
			img, err := Open(t.Context(), f, disk.Env{})
			if err != nil {
				t.Fatal(err)
			}
			defer img.Close()
			if _, err := disk.Compare(t.Context(), src, img, disk.CompareOptions{Strict: strings.Contains(options, "force")}); err != nil {
				t.Error(err)
			}
			found, err := img.Check(t.Context())
			if err != nil || len(found.Problems) > 0 {
				t.Errorf("check: %v, %v", found.Problems, err)
			}
		})
	}
}

// TestGeometry holds the algorithm against the geometry in images of other programs.
func TestGeometry(t *testing.T) {
	for size, want := range map[int64]geometry{
		3145728:      {90, 4, 17},      // Windows
		10485760:     {301, 4, 17},     // Windows
		41943040:     {963, 5, 17},     // Windows, XenServer
		1073741824:   {2080, 16, 63},   // Windows
		2147483648:   {4161, 16, 63},   // Windows
		136365211648: {65278, 16, 255}, // Hyper-V 2012 R2
		2040 << 30:   {65535, 16, 255},
		0:            {0, 4, 17},
	} {
		if got := newGeometry(size / 512); got != want {
			t.Errorf("%d: %+v, want %+v", size, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		sectors := rapid.Int64Range(0, maxSize/512).Draw(t, "sectors")
		if g := newGeometry(sectors); g.bytes() > uint64(sectors)*512 || g.heads == 0 || g.sectors == 0 {
			t.Fatalf("%d sectors: %+v", sectors, g)
		}
	})
}

func TestAnyDisk(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.Int64Range(0, 30<<20).Draw(rt, "size")
		src := disktest.NewMemImage(size)
		for range rapid.IntRange(0, 12).Draw(rt, "pieces") {
			off := rapid.Int64Range(0, max(size-1, 0)).Draw(rt, "off")
			src.Put(off, disktest.Random(uint64(off), rapid.IntRange(1, 300_000).Draw(rt, "n")))
		}
		target := disktest.NewMemFile("any.vhd", nil)
		copyTo(t, target, src, Options{Fixed: rapid.Bool().Draw(rt, "fixed")})
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
		if found, err := img.Check(t.Context()); err != nil || len(found.Problems) > 0 {
			rt.Fatalf("%v %+v", err, found)
		}
		if size == 0 {
			return
		}
		off := rapid.Int64Range(0, size-1).Draw(rt, "read")
		a, b := make([]byte, rapid.IntRange(1, 200_000).Draw(rt, "length")), make([]byte, 200_000)
		n, _ := img.ReadAt(a, off)
		m, _ := src.ReadAt(b[:n], off)
		if !bytes.Equal(a[:m], b[:m]) {
			rt.Fatalf("content at %d differs", off)
		}
	})
}

// TestLargestDisk writes a few chunks of a disk of 2040 GiB.
func TestLargestDisk(t *testing.T) {
	target := disktest.NewMemFile("x.vhd", nil)
	src := disktest.NewMemImage(maxSize).Put(0, disktest.Text(100)).Put(1<<40, disktest.Random(1, 3<<20)).Put(maxSize-1, []byte{1})
	copyTo(t, target, src, Options{})
	if limit := int64(4<<20 + 5*(2<<20+4096) + 4096); target.Size() > limit {
		t.Errorf("%d bytes, at most %d expected", target.Size(), limit)
	}
	img, err := Open(t.Context(), target, disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Compare(t.Context(), src, img, disk.CompareOptions{Strict: true}); err != nil {
		t.Error(err)
	}
	for _, size := range []int64{-1, maxSize + 1, 1<<63 - 1} {
		if _, err := NewWriter(disktest.NewMemFile("x", nil), size, Options{}); !errors.Is(err, disk.ErrLimit) {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

// TestWrittenBytes holds the fields that other programs look at.
func TestWrittenBytes(t *testing.T) {
	o := Options{UniqueID: [16]byte{1, 2, 3}, Created: time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)}
	write := func(o Options) []byte {
		target := disktest.NewMemFile("x.vhd", nil)
		copyTo(t, target, disktest.NewMemImage(5<<20+1).Put(2<<20, []byte{9}), o)
		return target.Bytes()
	}
	b := write(o)
	if !bytes.Equal(b, write(o)) {
		t.Error("the same image twice differs")
	}
	if !bytes.Equal(b[:512], b[len(b)-512:]) {
		t.Error("the footers differ")
	}
	if got := fmt.Sprintf("%x", b[8:40]); got != "00000002"+"00010000"+"0000000000000200"+"2d2639a5"+"77696e20"+"00010000"+"5769326b" {
		t.Errorf("footer %s", got)
	}
	if got := fmt.Sprintf("%x", b[40:64]); got != "0000000000500200"+"0000000000500200"+"0096041100000003" {
		t.Errorf("sizes, geometry and type are %s", got)
	}
	if got := fmt.Sprintf("%x", b[512:512+36]); got != "6378737061727365"+"ffffffffffffffff"+"0000000000000600"+"00010000"+"00000003"+"00200000" {
		t.Errorf("header %s", got)
	}
	// Block 1 begins at the first place where its content is at a multiple of 4 KiB, and is all there.
	if got := fmt.Sprintf("%x", b[1536:1536+12]); got != "ffffffff"+"00000007"+"ffffffff" || b[4096] != 9 || b[3584] != 0xff {
		t.Errorf("table %s", got)
	}
	if len(b) != 4096+2<<20+512 {
		t.Errorf("%d bytes", len(b))
	}
	if bytes.Equal(write(Options{}), write(Options{})) {
		t.Error("two images have one identifier")
	}
	o.Fixed = true
	if b = write(o); len(b) != 5<<20+1024 || fmt.Sprintf("%x", b[len(b)-512+16:len(b)-512+24]) != "ffffffffffffffff" {
		t.Errorf("fixed: %d bytes", len(b))
	}
}

func TestNoFooterBeforeFinish(t *testing.T) {
	for _, fixed := range []bool{false, true} {
		target := disktest.NewMemFile("x.vhd", nil)
		w, err := NewWriter(target, 1<<20, Options{Fixed: fixed})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Append(t.Context(), 0, disktest.Random(1, chunkSize)); err != nil {
			t.Fatal(err)
		}
		if err := w.Abort(); err != nil {
			t.Fatal(err)
		}
		if err := w.Finish(t.Context()); err == nil {
			t.Error("an aborted writer finished")
		}
		if _, err := Open(t.Context(), target, disk.Env{}); !errors.Is(err, disk.ErrFormat) {
			t.Errorf("an unfinished file opened: %v", err)
		}
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	w, err := NewWriter(disktest.Nowhere{}, 100<<30, Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, off := make([]byte, chunkSize), int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		if err := w.Append(t.Context(), off, b); err != nil {
			t.Fatal(err)
		}
		off += chunkSize
	}); n > 0 {
		t.Errorf("a chunk allocates %v times", n)
	}
}
