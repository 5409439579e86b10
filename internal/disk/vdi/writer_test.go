package vdi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

func reopen(ctx context.Context, f disk.File) (disk.Image, error) { return Open(ctx, f, disk.Env{}) }

func TestWriterKeepsTheContract(t *testing.T) {
	disktest.TestWriter(t, func(t disk.Target, size int64) (disk.Writer, error) { return NewWriter(t, size, Options{}) }, reopen)
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

// TestQemuAgrees lets qemu-img check what the writer made and compare it with the source.
func TestQemuAgrees(t *testing.T) {
	for _, size := range []int64{512, 65536, 1 << 20, 10<<20 + 512, 9<<20 + 1000, 200 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir := t.TempDir()
			src := mixed(size, 1).Put(size-1, []byte{7})
			raw, out := filepath.Join(dir, "a.raw"), filepath.Join(dir, "a.vdi")
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
			copyTo(t, f, src, Options{})
			disktest.QemuImg(t, "check", "-f", "vdi", out)
			disktest.QemuImg(t, "compare", "-f", "raw", "-F", "vdi", raw, out)
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
		})
	}
}

// TestQemuImages reads what qemu-img writes.
func TestQemuImages(t *testing.T) {
	dir := t.TempDir()
	raw := filepath.Join(dir, "x.raw")
	src := mixed(30<<20+512, 1).Put(30<<20, []byte{7})
	content := make([]byte, src.Size())
	if _, err := src.ReadAt(content, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(raw, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{"static=off", "static=on"} {
		t.Run(options, func(t *testing.T) {
			path := filepath.Join(dir, "x.vdi")
			disktest.QemuImg(t, "convert", "-f", "raw", "-O", "vdi", "-o", options, raw, path)
			disktest.TestImageAgainst(t, func(tb testing.TB) disk.Image {
				tb.Helper()
				f, err := disk.OpenFile(path)
				if err != nil {
					tb.Fatal(err)
				}
				img, err := Open(tb.Context(), f, disk.Env{})
				if err != nil {
					tb.Fatal(err)
				}
				if found, err := img.Check(tb.Context()); err != nil || len(found.Problems) > 0 {
					tb.Errorf("check: %v, %v", found.Problems, err)
				}
				return img
			}, raw)
		})
	}
}

func TestAnyDisk(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.Int64Range(0, 30<<20).Draw(rt, "size")
		src := disktest.NewMemImage(size)
		for range rapid.IntRange(0, 12).Draw(rt, "pieces") {
			off := rapid.Int64Range(0, max(size-1, 0)).Draw(rt, "off")
			src.Put(off, disktest.Random(uint64(off), rapid.IntRange(1, 300_000).Draw(rt, "n")))
		}
		target := disktest.NewMemFile("any.vdi", nil)
		copyTo(t, target, src, Options{})
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

// TestLargeDisk writes a few chunks of a disk of 2 TiB, whose map has many pages, and reads it through a small cache.
func TestLargeDisk(t *testing.T) {
	const size = 2 << 40
	target := disktest.NewMemFile("x.vdi", nil)
	src := disktest.NewMemImage(size).Put(0, disktest.Text(100)).Put(1<<40, disktest.Random(1, 3<<20)).Put(size-1, []byte{1})
	copyTo(t, target, src, Options{})
	if limit := int64(1+8+5) << 20; target.Size() > limit {
		t.Errorf("%d bytes, at most %d expected", target.Size(), limit)
	}
	img, err := Open(t.Context(), target, disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Compare(t.Context(), src, img, disk.CompareOptions{Strict: true}); err != nil {
		t.Error(err)
	}
	for _, size := range []int64{-1, disk.MaxSize + 1, 1<<63 - 1} {
		if _, err := NewWriter(disktest.NewMemFile("x", nil), size, Options{}); !errors.Is(err, disk.ErrLimit) {
			t.Errorf("size %d: %v", size, err)
		}
	}
	if w, err := NewWriter(disktest.NewMemFile("x", nil), disk.MaxSize, Options{}); err != nil || w.head.check("x") != nil {
		t.Errorf("the largest size: %v, %v", err, w.head.check("x"))
	}
}

// TestWrittenBytes holds the fields that other programs look at.
func TestWrittenBytes(t *testing.T) {
	o := Options{CreateID: [16]byte{1, 2, 3}, ModifyID: [16]byte{4}}
	write := func(o Options) []byte {
		target := disktest.NewMemFile("x.vdi", nil)
		copyTo(t, target, disktest.NewMemImage(3<<20+1).Put(2<<20, []byte{9}), o)
		return target.Bytes()
	}
	b := write(o)
	if !bytes.Equal(b, write(o)) {
		t.Error("the same image twice differs")
	}
	if !bytes.HasPrefix(b, []byte("<<< hyper2kvm VirtualBox Disk Image >>>\n\x00")) {
		t.Errorf("text %q", b[:64])
	}
	if got := fmt.Sprintf("%x", b[64:84]); got != "7f10dabe"+"01000100"+"90010000"+"01000000"+"00000000" {
		t.Errorf("signature, version, length, type, flags: %s", got)
	}
	if got := fmt.Sprintf("%x", b[340:392]); got != "00001000"+"00002000"+"000000000000000000000000"+"00020000"+"00000000"+
		"0002300000000000"+"00001000"+"00000000"+"04000000"+"01000000" {
		t.Errorf("places and sizes: %s", got)
	}
	if got := fmt.Sprintf("%x", b[1<<20:1<<20+20]); got != "ffffffff"+"ffffffff"+"00000000"+"ffffffff"+"00000000" || b[2<<20] != 9 || len(b) != 3<<20 {
		t.Errorf("map %s, %d bytes", got, len(b))
	}
	if bytes.Equal(write(Options{}), write(Options{})) {
		t.Error("two images have one identifier")
	}
}

func TestNoHeaderBeforeFinish(t *testing.T) {
	target := disktest.NewMemFile("x.vdi", nil)
	w, err := NewWriter(target, 1<<20, Options{})
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
