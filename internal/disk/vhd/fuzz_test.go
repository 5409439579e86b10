package vhd

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

// FuzzOpen opens anything, with itself as every file that it names, and holds what must be true of whatever opens: errors have a
// kind, the map has no gaps and agrees with the content, a part reads as it does within the whole, and every file is closed.
// Checksums are made right first: a fuzzer finds none.
func FuzzOpen(f *testing.F) {
	content := mixed(64<<10, 1)
	for _, s := range []shape{
		{size: 64 << 10, blockSize: 16 << 10, blocks: []int64{3, 0}, content: content},
		{size: 64<<10 - 100, blockSize: 32 << 10, blocks: []int64{1}, content: content, short: true},
		{kind: 4, size: 64 << 10, blockSize: 4 << 10, blocks: []int64{3, 0}, content: content, name: "p", bits: func(i int64) bool { return i%3 == 0 }},
		{kind: 2, size: 4096, content: content},
		{size: 64 << 10, blockSize: 16 << 10, content: content, noEnd: true},
	} {
		f.Add(s.build(f), false)
		f.Add(s.build(f), true)
	}
	for _, x := range disktest.Fixtures(f) {
		if x.Format != "vhd" && !strings.HasPrefix(x.Name, "hostile/made/vhd-") {
			continue
		}
		if x.VirtualSize > 100<<30 {
			continue
		}
		if b := x.Bytes(f); len(b) <= maxSeed {
			f.Add(b, true)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, repair bool) {
		if repair {
			b = bytes.Clone(b)
			repairSums(b)
		}
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
		if img.Size() < 0 || img.Size() > maxSize {
			t.Fatalf("size %d", img.Size())
		}
		img.Describe()
		if _, err := img.Check(t.Context()); err != nil && !isKind(err) {
			t.Fatalf("check: error %v is of no kind", err)
		}
		checkSome(t, img)
	})
}

// repairSums makes the checksums of what looks like a footer or a header right.
func repairSums(b []byte) {
	for _, at := range []int{0, len(b) - 512} {
		if at >= 0 && at+512 <= len(b) && bytes.HasPrefix(b[at:], []byte("conectix")) {
			clear(b[at+64 : at+68])
			sum(b[at:at+512], 64)
		}
	}
	if len(b) >= 1536 && bytes.HasPrefix(b[512:], []byte("cxsparse")) {
		clear(b[512+36 : 512+40])
		sum(b[512:1536], 36)
	}
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
