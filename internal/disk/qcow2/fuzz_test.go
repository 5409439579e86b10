package qcow2

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

const (
	maxSeed    = 800 << 10 // larger fixtures only slow the fuzzer down
	fuzzedRead = 1 << 20   // how much content of a fuzzed image is read
)

// FuzzOpen asserts of any bytes: no panic; the map covers the disk without gaps; what the map calls zero reads as zero; reads in
// pieces give what one read gives; an error comes alone.
func FuzzOpen(f *testing.F) {
	disktest.Seeds(f, maxSeed, func(x disktest.Fixture) bool { return x.Format == "qcow2" || x.Format == "hostile" }, func(b []byte) {
		if Probe(b) {
			f.Add(b)
		}
	})
	for _, o := range []Options{{}, {Compression: "zlib", ClusterSize: 4096}, {Compression: "zstd", ClusterSize: 8192}} {
		target := disktest.NewMemFile("seed", nil)
		copyTo(f, target, mixed(200_000, 1), o)
		f.Add(target.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 2<<20 {
			return
		}
		img, err := Open(t.Context(), disktest.NewMemFile("fuzz.qcow2", b), chainEnv(func(name string) (disk.File, error) {
			return disktest.NewMemFile(name, b[:len(b)/2]), nil
		}))
		if err != nil {
			return
		}
		defer img.Close()
		img.Describe()
		checkStable(t, img)
		if _, err := img.Check(t.Context()); err != nil && img.file.Size() < 1<<20 {
			t.Log(err)
		}
	})
}

// checkStable reads the first extents of an image in several ways.
func checkStable(t *testing.T, img *Image) {
	t.Helper()
	read := 0
	for off, steps := int64(0), 0; off < img.Size() && steps < 64 && read < fuzzedRead; steps++ {
		e, err := img.Extent(t.Context(), off)
		if err != nil {
			return
		}
		if e.Off != off || e.Len < 1 || e.End() > img.Size() || e.Kind > disk.Unallocated || e.Compressed && e.Kind != disk.Data {
			t.Fatalf("map at %d of %d: %+v", off, img.Size(), e)
		}
		n := int(min(e.Len, 100_000))
		read += n
		whole, parts := bytes.Repeat([]byte{0xa5}, n), make([]byte, n)
		m, err := img.ReadAt(whole, off)
		if err != nil && !errors.Is(err, io.EOF) {
			if m != 0 {
				t.Fatalf("%d bytes at %d together with %v", m, off, err)
			}
			off = e.End()
			continue
		}
		if m != n {
			t.Fatalf("%d of %d bytes at %d: %v", m, n, off, err)
		}
		if e.Kind != disk.Data && len(bytes.TrimLeft(whole, "\x00")) != 0 {
			t.Fatalf("map at %d says %s, content is not zero", off, e.Kind)
		}
		for at := 0; at < n; {
			k := min(n-at, 1+at*7%9000)
			if _, err := img.ReadAt(parts[at:at+k], off+int64(at)); err != nil && !errors.Is(err, io.EOF) {
				t.Fatalf("%d bytes at %d: %v; they were there before", k, off+int64(at), err)
			}
			at += k
		}
		if !bytes.Equal(whole, parts) {
			t.Fatalf("content at %d depends on how it is read", off)
		}
		off = e.End()
	}
}

// FuzzExtensions asserts that the walk over header extensions ends and keeps inside its bytes.
func FuzzExtensions(f *testing.F) {
	f.Add(appendFeatureName(nil, incompatCompression, "compression type"))
	f.Add([]byte{0xe2, 0x79, 0x2a, 0xca, 0, 0, 0, 3, 'r', 'a', 'w', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 2, 3, 4, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parseExtensions(b)
		if err == nil && len(e.backingFormat)+len(e.dataFile)+len(e.features) > len(b) {
			t.Errorf("%d bytes gave %+v", len(b), e)
		}
		e.featureNames(^uint64(0))
	})
}

// FuzzFrameLen asserts that what is cut off as a zstd frame is one, and is what the library takes for one.
func FuzzFrameLen(f *testing.F) {
	w, err := NewWriter(disktest.NewMemFile("x", nil), 1<<20, Options{Compression: "zstd"})
	if err != nil {
		f.Fatal(err)
	}
	for _, src := range [][]byte{disktest.Text(DefaultClusterSize), bytes.Repeat([]byte{7}, DefaultClusterSize)} {
		b, err := w.Encode(nil, src)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append(b, make([]byte, 100)...))
	}
	d, err := newDecoder(&header{compression: compressionZstd, clusterSize: DefaultClusterSize})
	if err != nil {
		f.Fatal(err)
	}
	dst := make([]byte, DefaultClusterSize)
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := frameLen(b)
		if err == nil && (n < 5 || n > len(b)) {
			t.Fatalf("frame of %d bytes in %d", n, len(b))
		}
		if out, derr := d.zstd.DecodeAll(b, dst[:0]); derr == nil && len(out) > 0 && err != nil {
			t.Fatalf("the library reads %d bytes, the frame's length is unknown: %v", len(out), err)
		}
		_ = d.unzstd(dst, b)
	})
}
