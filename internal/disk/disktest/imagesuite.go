package disktest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"hyper2kvm/internal/disk"
)

// maxSuiteRead bounds how much of a disk the suite reads byte by byte; of larger disks it reads what the map calls data and
// samples of the rest.
const maxSuiteRead = 16 << 20

// TestImage checks that an image keeps the contract of disk.Image and has this content: odd offsets, the end of the disk, a
// map without gaps that agrees with the content, concurrent reads. open is called once per part and the image closed after it.
func TestImage(t *testing.T, open func(tb testing.TB) disk.Image, want io.ReaderAt, size int64) {
	t.Helper()
	run := func(name string, part func(t *testing.T, img disk.Image)) {
		t.Run(name, func(t *testing.T) {
			img := open(t)
			defer func() {
				if err := img.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}()
			if img.Size() != size {
				t.Fatalf("size is %d, want %d", img.Size(), size)
			}
			part(t, img)
		})
	}
	run("map", func(t *testing.T, img disk.Image) {
		t.Helper()
		checkMap(t, img, want)
	})
	run("end", checkEnd)
	run("odd offsets", func(t *testing.T, img disk.Image) {
		t.Helper()
		r := rand.New(rand.NewPCG(1, uint64(size)))
		for range 300 {
			if off, n, ok := oddRange(r, size); ok {
				checkRange(t, img, want, off, n)
			}
		}
	})
	run("map at odd offsets", func(t *testing.T, img disk.Image) {
		t.Helper()
		r := rand.New(rand.NewPCG(2, uint64(size)))
		for range 300 {
			if size > 0 {
				checkExtentAt(t, img, r.Int64N(size))
			}
		}
	})
	run("concurrent", func(t *testing.T, img disk.Image) {
		t.Helper()
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(3, uint64(i)))
				for range 60 {
					if off, n, ok := oddRange(r, size); ok {
						checkRange(t, img, want, off, n)
						checkExtentAt(t, img, off)
					}
				}
			})
		}
		wg.Wait()
	})
	run("describe", func(t *testing.T, img disk.Image) {
		t.Helper()
		d, ok := img.(disk.Describer)
		if !ok {
			t.Fatal("the image cannot describe itself")
		}
		info := d.Describe()
		if len(info) == 0 || info[0].Format == "" || info[0].Size != size {
			t.Errorf("first layer is %+v, want a format and size %d", info, size)
		}
	})
}

// oddRange picks a range that begins and ends anywhere, now and then at the borders of tables. Short ones are as frequent as long ones.
func oddRange(r *rand.Rand, size int64) (off int64, n int, ok bool) {
	if size == 0 {
		return 0, 0, false
	}
	off = r.Int64N(size)
	switch r.IntN(4) {
	case 0:
		off -= off % (64 << 10) // a cluster
	case 1:
		off = max(0, off-off%4096-1) // just before a page
	case 2:
		off = max(0, size-1-r.Int64N(min(size, 200000)))
	}
	return off, 1 + r.IntN(4<<r.IntN(17)), true
}

// checkRange compares one read with the content.
func checkRange(t *testing.T, img disk.Image, want io.ReaderAt, off int64, n int) {
	t.Helper()
	there := int(min(int64(n), img.Size()-off))
	got, exp := make([]byte, n), make([]byte, there)
	for i := range got {
		got[i] = 0xa5 // what is not written shows
	}
	m, err := img.ReadAt(got, off)
	switch {
	case m != there:
		t.Errorf("read %d bytes at %d: got %d, want %d; error %v", n, off, m, there, err)
		return
	case there < n && !errors.Is(err, io.EOF):
		t.Errorf("read %d bytes at %d: error is %v, want EOF", n, off, err)
	case there == n && err != nil && !errors.Is(err, io.EOF):
		t.Errorf("read %d bytes at %d: %v", n, off, err)
	case there == n && errors.Is(err, io.EOF) && off+int64(n) < img.Size():
		t.Errorf("read %d bytes at %d: EOF before the end at %d", n, off, img.Size())
	}
	if k, err := want.ReadAt(exp, off); k < there {
		t.Errorf("the expected content at %d: %v", off, err)
		return
	}
	if !bytes.Equal(got[:there], exp) {
		t.Errorf("content at %d: first difference at %d", off, off+int64(firstDifference(got, exp)))
	}
}

func firstDifference(a, b []byte) int {
	for i := range b {
		if a[i] != b[i] {
			return i
		}
	}
	return len(b)
}

// checkExtentAt checks what holds of every extent.
func checkExtentAt(t *testing.T, img disk.Image, off int64) disk.Extent {
	t.Helper()
	e, err := img.Extent(t.Context(), off)
	switch {
	case err != nil:
		t.Errorf("map at %d: %v", off, err)
	case e.Off != off:
		t.Errorf("map at %d: the extent begins at %d", off, e.Off)
	case e.Len < 1 || e.Len > img.Size()-off:
		t.Errorf("map at %d: the extent has %d bytes of %d", off, e.Len, img.Size()-off)
	case e.Kind > disk.Unallocated:
		t.Errorf("map at %d: kind %d", off, e.Kind)
	case e.Compressed && e.Kind != disk.Data:
		t.Errorf("map at %d: %s, yet compressed", off, e.Kind)
	default:
		return e
	}
	return disk.Extent{}
}

// checkMap walks the whole map and holds it against the content.
func checkMap(t *testing.T, img disk.Image, want io.ReaderAt) {
	t.Helper()
	var read int64
	for off := int64(0); off < img.Size(); {
		e := checkExtentAt(t, img, off)
		if e.Len == 0 {
			return
		}
		for at := off; at < e.End(); {
			n := min(1<<20, e.End()-at)
			if read < maxSuiteRead || at == off {
				checkRange(t, img, want, at, int(n))
				read += n
			}
			if e.Kind != disk.Data && (read < maxSuiteRead || at == off) {
				b := make([]byte, n)
				if k, err := want.ReadAt(b, at); int64(k) < n {
					t.Fatalf("the expected content at %d: %v", at, err)
				}
				if zeroes := make([]byte, n); !bytes.Equal(b, zeroes) {
					t.Errorf("map at %d says %s, the content at %d is not zero", off, e.Kind, at+int64(firstDifference(b, zeroes)))
					return
				}
			}
			if read >= maxSuiteRead {
				break
			}
			at += n
		}
		off = e.End()
	}
}

// checkEnd checks reads and the map at and past the end.
func checkEnd(t *testing.T, img disk.Image) {
	t.Helper()
	size := img.Size()
	b := make([]byte, 16)
	for _, off := range []int64{size, size + 1, size + 1<<40} {
		if n, err := img.ReadAt(b, off); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("read at %d of %d: got %d bytes and %v, want EOF", off, size, n, err)
		}
		if e, err := img.Extent(t.Context(), off); !errors.Is(err, io.EOF) {
			t.Errorf("map at %d of %d: got %+v and %v, want EOF", off, size, e, err)
		}
	}
	if n, err := img.ReadAt(b, -1); n != 0 || err == nil {
		t.Errorf("read at -1: got %d bytes and %v, want an error", n, err)
	}
	if size > 0 {
		if n, err := img.ReadAt(b, size-1); n != 1 || !errors.Is(err, io.EOF) {
			t.Errorf("read 16 bytes at the last byte: got %d and %v, want 1 and EOF", n, err)
		}
		if n, err := img.ReadAt(nil, 0); n != 0 || err != nil {
			t.Errorf("read of nothing: %d, %v", n, err)
		}
	}
}

// TestImageAgainst is TestImage with the content of a raw file.
func TestImageAgainst(t *testing.T, open func(tb testing.TB) disk.Image, rawPath string) {
	t.Helper()
	f, err := disk.OpenFile(rawPath)
	if err != nil {
		t.Fatal(fmt.Errorf("expected content: %w", err))
	}
	defer func() { _ = f.Close() }() // only read
	TestImage(t, open, f, f.Size())
}
