package vhd

import (
	"bytes"
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
	disktest.Seeds(f, maxSeed, func(x disktest.Fixture) bool {
		return (x.Format == "vhd" || strings.HasPrefix(x.Name, "hostile/made/vhd-")) && x.VirtualSize <= 100<<30
	}, func(b []byte) { f.Add(b, true) })
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
		img, err := Open(t.Context(), disktest.NewMemFile("self", b), disktest.EnvOf(Open, formatName, open, func() []string { return []string{"self", "sibling"} }))
		disktest.CheckOpened(t, img, err)
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
