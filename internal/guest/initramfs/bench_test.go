package initramfs_test

import (
	"bytes"
	"strconv"
	"testing"

	"hyper2kvm/internal/guest/initramfs"
	"hyper2kvm/internal/guest/initramfs/initramfstest"
)

// BenchmarkThree reads three images of some 60 MB, as a guest with three kernels has them.
func BenchmarkThree(b *testing.B) {
	files := initramfstest.Modules(kernel, "virtio_blk", "virtio_pci")
	all := noise(80 << 20)
	for i := range 80 {
		files["usr/lib/firmware/"+strconv.Itoa(i)] = all[i<<20 : (i+1)<<20]
	}
	tree := initramfstest.Archive(files)
	for _, p := range packers {
		if p.name == "bzip2" || p.name == "zstd of zstd(1)" || p.name == "lzma" {
			continue // minutes to make, and the rarest or read as another is
		}
		b.Run(p.name, func(b *testing.B) {
			image := p.pack(b, tree)
			b.SetBytes(int64(3 * len(image)))
			b.ReportAllocs()
			for b.Loop() {
				for range 3 {
					if c, err := initramfs.List(b.Context(), bytes.NewReader(image), int64(len(image))); err != nil || !c.Has(kernel, "virtio_blk") {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
