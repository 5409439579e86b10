package disktest

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"hyper2kvm/internal/disk"
)

// CheckOpened holds what must be true of whatever opens, for fuzz targets: errors have a kind, the map has no gaps and agrees with the
// content, a part reads as it does within the whole, and a check ends. It closes the image. err is that of opening it.
func CheckOpened(t *testing.T, img disk.Image, err error) {
	t.Helper()
	if err != nil {
		if !IsKind(err) {
			t.Fatalf("error %v is of no kind", err)
		}
		return
	}
	defer img.Close()
	if img.Size() < 0 || img.Size() > disk.MaxSize {
		t.Fatalf("size %d", img.Size())
	}
	if d, ok := img.(disk.Describer); ok && len(d.Describe()) == 0 {
		t.Fatal("the image has no layers")
	}
	if c, ok := img.(disk.Checker); ok {
		if found, err := c.Check(t.Context()); err != nil && !IsKind(err) || found.Clean() && found.Stored > found.Units {
			t.Fatalf("check: %+v, error %v", found, err)
		}
	}
	const steps, step = 50, 1 << 20
	off := int64(0)
	for range steps {
		e, err := img.Extent(t.Context(), off)
		switch {
		case off >= img.Size():
			if !errors.Is(err, io.EOF) {
				t.Fatalf("at %d of %d: %+v, %v", off, img.Size(), e, err)
			}
			return
		case err != nil && !IsKind(err):
			t.Fatalf("map: error %v is of no kind", err)
		case err != nil:
			off += step
			continue
		case e.Off != off || e.Len <= 0 || e.End() > img.Size() || e.Compressed && e.Kind != disk.Data:
			t.Fatalf("extent %+v at %d of %d", e, off, img.Size())
		}
		checkBeginning(t, img, e)
		off = e.End()
	}
}

// checkBeginning reads the beginning of an extent in one piece and a part of that again.
func checkBeginning(t *testing.T, img disk.Image, e disk.Extent) {
	t.Helper()
	whole := bytes.Repeat([]byte{0xa5}, int(min(e.Len, 200_000)))
	n, err := img.ReadAt(whole, e.Off)
	if err != nil && !errors.Is(err, io.EOF) {
		if !IsKind(err) || n != 0 {
			t.Fatalf("read: %d bytes and error %v", n, err)
		}
		return
	}
	if n != len(whole) {
		t.Fatalf("read %d of %d bytes at %d: %v", n, len(whole), e.Off, err)
	}
	if e.Kind != disk.Data && !bytes.Equal(whole, make([]byte, n)) {
		t.Fatalf("%+v is not zero", e)
	}
	skip := n / 3
	part := make([]byte, n-2*skip)
	if m, err := img.ReadAt(part, e.Off+int64(skip)); m != len(part) || !bytes.Equal(part, whole[skip:skip+m]) {
		t.Fatalf("a part of %+v reads differently: %v", e, err)
	}
}
