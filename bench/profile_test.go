package bench_test

import (
	"os"
	"path/filepath"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
)

// BenchmarkProfile converts 256 MB of this machine's /usr in this process, to be looked at with -cpuprofile and -memprofile:
//
//	go test ./bench -run '^$' -bench Profile/qcow2-zlib -benchtime 3x -cpuprofile cpu.out -memprofile mem.out
func BenchmarkProfile(b *testing.B) {
	dir := b.TempDir()
	raw := filepath.Join(dir, "disk.raw")
	usrDisk(b, raw, 1<<30, 256<<20)
	stream := filepath.Join(dir, "stream.vmdk")
	convertHere(b, raw, stream, "vmdk", formats.CreateOptions{})
	for _, c := range []struct {
		name, src, format string
		o                 formats.CreateOptions
	}{
		{"raw", raw, "raw", formats.CreateOptions{}},
		{"qcow2-zlib", raw, "qcow2", formats.CreateOptions{Compression: "zlib"}},
		{"qcow2-zstd", raw, "qcow2", formats.CreateOptions{Compression: "zstd"}},
		{"streamOptimized-to-qcow2", stream, "qcow2", formats.CreateOptions{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(256 << 20)
			for b.Loop() {
				convertHere(b, c.src, filepath.Join(dir, "out"), c.format, c.o)
			}
		})
	}
}

func convertHere(b *testing.B, src, dst, format string, o formats.CreateOptions) {
	b.Helper()
	img, err := formats.OpenPath(b.Context(), src, formats.OpenOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer img.Close()
	f, err := os.Create(dst)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w, err := formats.Create(format, f, img.Size(), o)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := disk.Copy(b.Context(), w, img, disk.Options{}); err != nil {
		b.Fatal(err)
	}
}
