package initramfs_test

import (
	"bytes"
	"slices"
	"testing"

	"hyper2kvm/internal/guest/initramfs"
	"hyper2kvm/internal/guest/initramfs/initramfstest"
)

// FuzzList: whatever an image holds, nothing comes with an error, what is listed is well-formed, and padding it or putting another
// archive in front of it takes nothing away.
func FuzzList(f *testing.F) {
	small := initramfstest.Archive(initramfstest.Modules("6.1", "virtio_blk"))
	for _, p := range packers[:5] {
		b := p.pack(f, small)
		f.Add(b)
		f.Add(slices.Concat(small, make([]byte, 40), b))
	}
	f.Add(Unified(map[string][]byte{".initrd": small}))
	f.Add([]byte("\x89LZO\x00\r\n\x1a\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := initramfs.List(t.Context(), bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if len(c.Archives)+len(c.Modules)+len(c.Files) > 0 {
				t.Fatal("contents together with an error")
			}
			return
		}
		if len(c.Archives) == 0 {
			t.Fatal("no error and no archive")
		}
		for _, m := range c.Modules {
			if name, ok := initramfs.ModuleName(m.Path); !ok || name != m.Name || !c.Has(m.Kernel, m.Name) {
				t.Fatalf("module %+v", m)
			}
		}
		if c.Unified {
			return
		}
		behind := slices.Concat(small, b)
		more, err := initramfs.List(t.Context(), bytes.NewReader(behind), int64(len(behind)))
		if err != nil {
			t.Fatalf("behind another archive: %v", err)
		}
		if !more.Has("6.1", "virtio_blk") || len(more.Archives) != len(c.Archives)+1 || more.Trailing != c.Trailing {
			t.Fatalf("behind another archive it is %+v, alone %+v", more, c)
		}
	})
}
