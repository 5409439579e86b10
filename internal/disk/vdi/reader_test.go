package vdi

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// mixed is a disk of text and noise.
func mixed(size int64, seed uint64) *disktest.MemImage {
	img := disktest.NewMemImage(size)
	img.Put(0, disktest.Text(int(min(size, 300_000))))
	return img.Put(size/2, disktest.Random(seed, int(min(size/2, 500_000))))
}

// masked returns the content that a guest sees of an image whose only stored blocks are these.
func masked(content disk.Image, blockSize, size int64, blocks []int64) *disktest.MemImage {
	img := disktest.NewMemImage(size)
	for _, i := range blocks {
		b := make([]byte, min(blockSize, size-i*blockSize))
		content.ReadAt(b, i*blockSize)
		img.Put(i*blockSize, b)
	}
	return img
}

// TestShapes reads images that no writer here made.
func TestShapes(t *testing.T) {
	for _, s := range []struct {
		name string
		shape
	}{
		{"dynamic", shape{size: 10 << 20, blocks: []int64{3, 0, 9, 4}}},
		{"old header", shape{size: 3 << 20, blocks: []int64{1, 0}, old: true, text: "<<< innotek VirtualBox Disk Image >>>\n"}},
		{"laid out by VirtualBox", shape{size: 3 << 20, blocks: []int64{1, 0}, mapAt: 1 << 20, data: 2 << 20}},
		{"static", shape{kind: 2, size: 3 << 20, blocks: []int64{0, 1, 2}}},
		{"size that is no sector", shape{size: 3<<20 + 1001, blocks: []int64{3, 1}}},
		{"size that is no block", shape{size: 3<<20 + 512, blocks: []int64{0, 3}}},
		{"less than a block", shape{size: 1, blocks: []int64{0}}},
		{"extra before blocks", shape{size: 5 << 20, extra: 512, blocks: []int64{4, 2}}},
		{"extra of odd size", shape{size: 5 << 20, extra: 77, blocks: []int64{4, 2}}},
		{"blocks of 4 KiB", shape{size: 1 << 20, blockSize: 4 << 10, blocks: []int64{255, 17, 18, 0}}},
		{"blocks of 8 MiB", shape{size: 20 << 20, blockSize: 8 << 20, blocks: []int64{2, 0}}},
		{"discarded", shape{size: 6 << 20, blocks: []int64{5, 0}, gone: []int64{1, 2}}},
		{"map longer than needed", shape{size: 6 << 20, blocks: []int64{5, 0}, more: 100}},
		{"empty", shape{size: 6 << 20}},
		{"of no size", shape{}},
	} {
		t.Run(s.name, func(t *testing.T) {
			content := mixed(max(s.size, 1), 1)
			s.content = content
			bs := s.blockSize
			if bs == 0 {
				bs = 1 << 20
			}
			want := masked(content, bs, s.size, s.blocks)
			d := folder{"x.vdi": s.build(t)}
			disktest.TestImage(t, func(tb testing.TB) disk.Image { tb.Helper(); return mustOpenIn(tb, d, "x.vdi") }, want, s.size)
			img := mustOpenIn(t, d, "x.vdi")
			found, err := img.Check(t.Context())
			if err != nil || found.Stored != int64(len(s.blocks)) || len(found.Problems) > 0 {
				t.Errorf("check found %+v, %v", found, err)
			}
		})
	}
}

func extents(tb testing.TB, img disk.Image) []disk.Extent {
	tb.Helper()
	var all []disk.Extent
	for off := int64(0); off < img.Size(); {
		e, err := img.Extent(tb.Context(), off)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, e)
		off = e.End()
	}
	return all
}

func TestMap(t *testing.T) {
	d := folder{"x.vdi": shape{size: 10<<20 - 5, blocks: []int64{5, 6, 4, 9}, gone: []int64{1, 2}, content: mixed(10<<20, 1)}.build(t)}
	want := []disk.Extent{
		{Len: 1 << 20, Kind: disk.Unallocated}, {Off: 1 << 20, Len: 2 << 20, Kind: disk.Zero}, {Off: 3 << 20, Len: 1 << 20, Kind: disk.Unallocated},
		{Off: 4 << 20, Len: 1 << 20}, {Off: 5 << 20, Len: 2 << 20}, // 5 and 6 come before 4 in the file
		{Off: 7 << 20, Len: 2 << 20, Kind: disk.Unallocated}, {Off: 9 << 20, Len: 1<<20 - 5},
	}
	if got := extents(t, mustOpenIn(t, d, "x.vdi")); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestHolesOfStatic holds that a static image that is sparse on its host is not read where it is empty.
func TestHolesOfStatic(t *testing.T) {
	b := shape{kind: 2, size: 4 << 20, data: 64 << 10, blocks: []int64{0, 1, 2, 3}, content: disktest.NewMemImage(4<<20).Put(1<<20, disktest.Random(1, 1<<20))}.build(t)
	f := disktest.NewMemFile("x.vdi", nil)
	for off := 0; off < len(b); off += 64 << 10 {
		if part := b[off:min(len(b), off+64<<10)]; len(bytes.TrimLeft(part, "\x00")) > 0 {
			f.WriteAt(part, int64(off))
		}
	}
	f.Truncate(int64(len(b)))
	img, err := Open(t.Context(), f, disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	var data int64
	for _, e := range extents(t, img) {
		if e.Kind == disk.Data {
			data += e.Len
		}
	}
	if data != 1<<20 {
		t.Errorf("%d bytes of data, want %d", data, 1<<20)
	}
}

// TestDamaged changes one thing of a good image each.
func TestDamaged(t *testing.T) {
	le := binary.LittleEndian
	put := func(at int, v uint32) func(b []byte) []byte {
		return func(b []byte) []byte { le.PutUint32(b[at:], v); return b }
	}
	good := shape{size: 5 << 20, blocks: []int64{2, 0}, content: mixed(5<<20, 1)}.build(t)
	for _, c := range []struct {
		name   string
		change func(b []byte) []byte
		kind   error
		words  string
	}{
		{"no signature", put(64, 0), disk.ErrFormat, "signature"},
		{"version 0.1", put(68, 1), disk.ErrUnsupported, "version 0.1"},
		{"version 1.2", put(68, 0x10002), disk.ErrUnsupported, "version 1.2"},
		{"header too short", put(72, 0x17c), disk.ErrCorrupt, "380 bytes"},
		{"undo", put(76, 3), disk.ErrUnsupported, "undo"},
		{"type 0", put(76, 0), disk.ErrUnsupported, "image type 0"},
		{"type 5", put(76, 5), disk.ErrUnsupported, "image type 5"},
		{"differencing of nothing", put(76, 4), disk.ErrCorrupt, "names no parent"},
		{"dynamic with a parent", put(0x1a8, 1), disk.ErrUnsupported, "names a parent"},
		{"map on the header", put(340, 400), disk.ErrCorrupt, "lies on the header"},
		{"map in the data", put(340, 1020), disk.ErrCorrupt, "do not fit"},
		{"map behind the data", put(340, 0xfffffff0), disk.ErrCorrupt, "do not fit"},
		{"size 2^63", put(372, 1<<31), disk.ErrLimit, "size"},
		{"size above the limit", put(372, 64<<8+1), disk.ErrLimit, "size"},
		{"block size 0", put(376, 0), disk.ErrCorrupt, "power of two"},
		{"block size odd", put(376, 1<<20+1), disk.ErrCorrupt, "power of two"},
		{"block size 512", put(376, 512), disk.ErrLimit, "block size 512"},
		{"block size 2 GiB", put(376, 1<<31), disk.ErrLimit, "block size"},
		{"extra above block", put(380, 1<<21), disk.ErrLimit, "before each block"},
		{"too few entries", put(384, 4), disk.ErrCorrupt, "needs 5"},
		{"too many entries", put(384, 1<<31), disk.ErrCorrupt, "do not fit"},
		{"two blocks at one place", put(512, 0), disk.ErrCorrupt, "block 2 is number 0"},
		{"block past the end", put(512, 2), disk.ErrTruncated, "block 0 is number 2"},
		{"block far past the end", put(512, 0xfffffffd), disk.ErrTruncated, "block 0"},
		{"cut", func(b []byte) []byte { return b[:len(b)-1] }, disk.ErrTruncated, "block 0"},
		{"cut in the map", func(b []byte) []byte { return b[:520] }, disk.ErrTruncated, "the map needs 20 bytes"},
		{"cut in the header", func(b []byte) []byte { return b[:400] }, disk.ErrTruncated, "needs 456 bytes"},
		{"cut before the signature", func(b []byte) []byte { return b[:40] }, disk.ErrFormat, "signature"},
		{"nothing", func([]byte) []byte { return nil }, disk.ErrFormat, "signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openIn(t, folder{"x.vdi": c.change(bytes.Clone(good))}, "x.vdi")
			disktest.CheckError(t, err, c.kind, c.words, "x.vdi")
		})
	}
}

// TestCheckCounts holds that Check compares the header's count with the map.
func TestCheckCounts(t *testing.T) {
	content := mixed(5<<20, 1)
	b := shape{size: 5 << 20, blocks: []int64{2, 0}, content: content}.build(t)
	for _, n := range []uint32{1, 3} {
		binary.LittleEndian.PutUint32(b[388:], n)
		found, err := mustOpenIn(t, folder{"x.vdi": b}, "x.vdi").Check(t.Context())
		if err != nil || len(found.Problems) == 0 {
			t.Fatalf("%d: %+v, %v", n, found, err)
		}
		disktest.CheckError(t, found.Problems[0], disk.ErrCorrupt, "x.vdi")
	}
}

// TestChangedUnderReader holds that a map which changes while an image is open gives errors and no wrong places.
func TestChangedUnderReader(t *testing.T) {
	f := disktest.NewMemFile("x.vdi", shape{size: 5 << 20, blocks: []int64{2, 0}, content: mixed(5<<20, 1)}.build(t))
	img, err := Open(t.Context(), disktest.LyingFile(f, 1<<20), disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = img.ReadAt(make([]byte, 4096), 0)
	disktest.CheckError(t, err, disk.ErrTruncated, "x.vdi")
}

func TestReadsAllocateNothing(t *testing.T) {
	d := folder{"x.vdi": shape{size: 8 << 20, blocks: []int64{0, 1, 2, 5}, content: mixed(8<<20, 1)}.build(t)}
	img := mustOpenIn(t, d, "x.vdi")
	b, off := make([]byte, 1<<20), int64(0)
	if n := testing.AllocsPerRun(50, func() {
		if _, err := img.ReadAt(b, off%(7<<20)); err != nil {
			t.Fatal(err)
		}
		off += 300_001
	}); n > 0 {
		t.Errorf("a read allocates %v times", n)
	}
}
