package qcow2

import (
	"os"
	"path/filepath"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// sampleClusters returns clusters of real programs and texts, of this machine.
func sampleClusters(b *testing.B) [][]byte {
	b.Helper()
	var all []byte
	for _, pattern := range []string{"/usr/bin/*", "/usr/share/*/*", "/usr/lib/*/*.so*"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			b.Fatal(err)
		}
		begin := len(all)
		for _, name := range names {
			if st, err := os.Stat(name); err != nil || !st.Mode().IsRegular() || len(all)-begin > 12<<20 {
				continue
			}
			content, err := os.ReadFile(name)
			if err != nil {
				continue // not ours to read
			}
			all = append(all, content...)
		}
	}
	var clusters [][]byte
	for ; len(all) >= DefaultClusterSize; all = all[DefaultClusterSize:] {
		clusters = append(clusters, all[:DefaultClusterSize])
	}
	if len(clusters) == 0 {
		b.Skip("SKIPPED: no sample content on this machine")
	}
	return clusters
}

func BenchmarkEncode(b *testing.B) {
	clusters := sampleClusters(b)
	noise := [][]byte{disktest.Random(1, DefaultClusterSize), disktest.Random(2, DefaultClusterSize)}
	for _, c := range []struct {
		name    string
		o       Options
		content [][]byte
	}{
		{"zlib", Options{Compression: "zlib"}, clusters},
		{"zlib-4", Options{Compression: "zlib", Level: 4}, clusters},
		{"zstd", Options{Compression: "zstd"}, clusters},
		{"zlib-noise", Options{Compression: "zlib"}, noise},
		{"zstd-noise", Options{Compression: "zstd"}, noise},
	} {
		b.Run(c.name, func(b *testing.B) {
			w, err := NewWriter(disktest.NewMemFile("x", nil), 1<<20, c.o)
			if err != nil {
				b.Fatal(err)
			}
			dst := make([]byte, 0, DefaultClusterSize+4096)
			b.SetBytes(DefaultClusterSize)
			b.ReportAllocs()
			in, out := 0, 0
			for i := 0; b.Loop(); i++ {
				src := c.content[i%len(c.content)]
				enc, err := w.Encode(dst, src)
				if err != nil {
					b.Fatal(err)
				}
				in, out = in+len(src), out+len(enc)
			}
			b.ReportMetric(float64(out)/float64(in), "ratio")
		})
	}
}

func BenchmarkReadAt(b *testing.B) {
	clusters := sampleClusters(b)
	src := disktest.NewMemImage(int64(len(clusters)) * DefaultClusterSize)
	for i, c := range clusters {
		src.Put(int64(i)*DefaultClusterSize, c)
	}
	for _, kind := range []string{"zlib", "zstd", ""} {
		b.Run("clusters-"+kind, func(b *testing.B) { benchmarkRead(b, src, kind, DefaultClusterSize) })
		b.Run("pieces-"+kind, func(b *testing.B) { benchmarkRead(b, src, kind, 4096) })
	}
}

func benchmarkRead(b *testing.B, src disk.Image, kind string, n int) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "x.qcow2")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w, err := NewWriter(f, src.Size(), Options{Compression: kind})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := disk.Copy(b.Context(), w, src, disk.Options{}); err != nil {
		b.Fatal(err)
	}
	img := openPath(b, path, disk.Env{})
	buf := make([]byte, n)
	b.SetBytes(int64(n))
	b.ReportAllocs()
	off := int64(0)
	for b.Loop() {
		if _, err := img.ReadAt(buf, off); err != nil {
			b.Fatal(err)
		}
		if off += int64(n); off == src.Size() {
			off = 0
		}
	}
}
