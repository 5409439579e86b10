package vdi

import (
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
	disktest.Seeds(f, maxSeed, func(x disktest.Fixture) bool {
		return x.Format == "vdi" || strings.HasPrefix(x.Name, "hostile/made/vdi-")
	}, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		depth := 0
		open, trace := disktest.TracingOpener(func(string) (disk.File, error) {
			if depth++; depth > 10 {
				return nil, disk.ErrLimit
			}
			return disktest.NewMemFile("sibling", b), nil
		})
		defer trace.CheckClosed(t)
		img, err := Open(t.Context(), disktest.NewMemFile("self", b), disktest.EnvOf(Open, formatName, open, func() []string { return []string{"self", "sibling"} }))
		disktest.CheckOpened(t, img, err)
	})
}
