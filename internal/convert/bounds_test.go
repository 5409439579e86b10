package convert

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
)

// noise is an image of a size with incompressible data of a length at every multiple of a step: the worst case of every format.
func noise(t *testing.T, size, step, length int64) disk.Image {
	t.Helper()
	path := filepath.Join(t.TempDir(), "noise.raw")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	source, b := rand.NewChaCha8([32]byte{7}), make([]byte, length)
	for off := int64(0); off < size; off += step {
		_, _ = source.Read(b) // it never fails
		if _, err := f.WriteAt(b[:min(length, size-off)], off); err != nil {
			t.Fatal(err)
		}
	}
	img, err := formats.OpenPath(t.Context(), path, formats.OpenOptions{Format: "raw"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { img.Close() })
	return img
}

// What is reserved is enough for the worst content, whatever the format: the space on disk and the size of the packed formats.
func TestBoundsHold(t *testing.T) {
	for _, tc := range []struct {
		name               string
		size, step, length int64
	}{
		{"dense", 20 << 20, 20 << 20, 20 << 20},
		{"a page in every block", 32 << 20, block, 4096},
		{"pages across blocks", 32 << 20, 3 * block, 2 * block / 2},
		{"one in every table", 8 << 30, 512 << 20, 4096},
		{"one in every grain table", 2 << 30, 32 << 20, 4096},
		{"nothing but a sector", 64 << 30, 64 << 30, 512},
		{"odd", 1<<20 + 513, block + 512, 1024},
	} {
		t.Run(tc.name, func(t *testing.T) {
			img := noise(t, tc.size, tc.step, tc.length)
			facts, err := newDiskFacts(t.Context(), img, "noise.raw", tc.size)
			if err != nil {
				t.Fatal(err)
			}
			for _, format := range writable {
				for _, compression := range []string{"", "zlib"} {
					sparse := format == "raw" || format == "vdi"
					if sparse && compression != "" {
						continue
					}
					path := filepath.Join(t.TempDir(), "out")
					f, err := os.Create(path)
					if err != nil {
						t.Fatal(err)
					}
					w, err := formats.Create(format, f, img.Size(), formats.CreateOptions{Compression: compression})
					if err == nil {
						_, err = disk.Copy(t.Context(), w, img, disk.Options{Workers: 2})
					}
					if err != nil {
						t.Fatal(err)
					}
					st, err := f.Stat()
					if err != nil {
						t.Fatal(err)
					}
					f.Close()
					used := st.Sys().(*syscall.Stat_t).Blocks * 512
					if !sparse {
						used = max(used, st.Size())
					}
					if bound := maxFileBytes(format, facts); used > bound {
						t.Errorf("%s %s: %d bytes stored, bound %d", format, compression, used, bound)
					}
				}
			}
		})
	}
}
