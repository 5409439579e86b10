package vdi

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// maxSeed keeps the seeds small enough for a fuzzer to work with.
const maxSeed = 100 << 10

// FuzzOpen opens anything, with itself as the other file of the job, and holds what must be true of whatever opens: errors have a
// kind, the map has no gaps and agrees with the content, a part reads as it does within the whole, and every file is closed.
func FuzzOpen(f *testing.F) {
	content := mixed(64<<10, 1)
	for _, s := range []shape{
		{size: 64 << 10, blockSize: 16 << 10, blocks: []int64{3, 0}, content: content},
		{size: 64<<10 - 100, blockSize: 32 << 10, blocks: []int64{1}, content: content, extra: 100},
		{kind: 4, size: 64 << 10, blockSize: 4 << 10, blocks: []int64{3, 0}, gone: []int64{7}, content: content, ids: [4]byte{1, 1, 1, 1}},
		{kind: 2, size: 8192, blockSize: 4 << 10, blocks: []int64{0, 1}, content: content, old: true},
	} {
		f.Add(s.build(f))
	}
	for _, x := range disktest.Fixtures(f) {
		if x.Format != "vdi" && !strings.HasPrefix(x.Name, "hostile/made/vdi-") {
			continue
		}
		if b := x.Bytes(f); len(b) <= maxSeed {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		depth := 0
		open, trace := disktest.TracingOpener(func(string) (disk.File, error) {
			if depth++; depth > 10 {
				return nil, disk.ErrLimit
			}
			return disktest.NewMemFile("sibling", b), nil
		})
		defer trace.CheckClosed(t)
		img, err := Open(t.Context(), disktest.NewMemFile("self", b), envOf(open, func() []string { return []string{"self", "sibling"} }))
		if err != nil {
			if !isKind(err) {
				t.Fatalf("error %v is of no kind", err)
			}
			return
		}
		defer img.Close()
		if img.Size() < 0 || img.Size() > disk.MaxSize {
			t.Fatalf("size %d", img.Size())
		}
		img.Describe()
		if _, err := img.Check(t.Context()); err != nil && !isKind(err) {
			t.Fatalf("check: error %v is of no kind", err)
		}
		checkSome(t, img)
	})
}

// checkSome holds the first extents against the content.
func checkSome(t *testing.T, img disk.Image) {
	t.Helper()
	off := int64(0)
	for range 50 {
		e, err := img.Extent(t.Context(), off)
		if errors.Is(err, io.EOF) {
			if off != img.Size() {
				t.Fatalf("the map ends at %d of %d", off, img.Size())
			}
			return
		}
		if err != nil {
			if !isKind(err) {
				t.Fatalf("map: error %v is of no kind", err)
			}
			return
		}
		if e.Off != off || e.Len <= 0 || e.End() > img.Size() {
			t.Fatalf("extent %+v at %d of %d", e, off, img.Size())
		}
		whole := bytes.Repeat([]byte{0xa5}, int(min(e.Len, 200000)))
		n, err := img.ReadAt(whole, e.Off)
		switch {
		case err != nil && (!isKind(err) || n != 0):
			t.Fatalf("read: %d bytes and error %v", n, err)
		case err != nil:
		case e.Kind != disk.Data && len(bytes.TrimLeft(whole, "\x00")) > 0:
			t.Fatalf("%+v is not zero", e)
		default:
			skip := len(whole) / 3
			part := make([]byte, len(whole)-2*skip)
			if _, err := img.ReadAt(part, e.Off+int64(skip)); err != nil || !bytes.Equal(part, whole[skip:skip+len(part)]) {
				t.Fatalf("a part of %+v reads differently: %v", e, err)
			}
		}
		off = e.End()
	}
}
