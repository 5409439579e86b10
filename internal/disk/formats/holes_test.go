package formats_test

import (
	"context"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/disk/formats"
)

// TestHolesOfStoredBlocksAreNotRead holds that of an image whose blocks are mostly holes on the host, as qemu's preallocation=metadata and
// every sparse copy of a fixed disk makes them, only the rest is read, and that the holes hide what a parent holds.
func TestHolesOfStoredBlocksAreNotRead(t *testing.T) {
	const size, blocks = 8 << 20, 128 << 10
	src := disktest.NewMemImage(size).Put(0, disktest.Random(1, 64<<10)).Put(5<<20, disktest.Random(2, 64<<10))
	for _, c := range []struct {
		format string
		o      formats.CreateOptions
	}{
		{"qcow2", formats.CreateOptions{ClusterSize: 2 << 20}},
		{"vhdx", formats.CreateOptions{}},
		{"vdi", formats.CreateOptions{}},
		{"vhd", formats.CreateOptions{}},
		{"vhd", formats.CreateOptions{Subformat: "fixed"}},
		{"raw", formats.CreateOptions{}},
	} {
		t.Run(c.format+c.o.Subformat, func(t *testing.T) {
			f := disktest.NewMemFile("holes."+c.format, nil)
			w, err := formats.Create(c.format, f, size, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := disk.Copy(t.Context(), w, src, disk.Options{}); err != nil {
				t.Fatal(err)
			}
			f.Dig()
			open := func(tb testing.TB) disk.Image {
				tb.Helper()
				img, err := formats.Open(context.Background(), lentFile{f}, formats.OpenOptions{Format: c.format})
				if err != nil {
					tb.Fatal(err)
				}
				return img
			}
			disktest.TestImage(t, open, src, size)
			img := open(t)
			defer img.Close()
			// What stands across two pages counts with both, and a page with tables counts too.
			if n, err := disk.Allocated(t.Context(), img); err != nil || n < blocks || n > 3*blocks {
				t.Errorf("%d bytes would be read, want about %d; error %v", n, blocks, err)
			}
		})
	}
}

// lentFile is a MemFile that is opened many times.
type lentFile struct{ *disktest.MemFile }

func (lentFile) Close() error { return nil }
