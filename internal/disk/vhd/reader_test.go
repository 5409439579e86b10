package vhd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// mixed is a disk of text and noise; what lies in blocks that are not stored must not be in it.
func mixed(size int64, seed uint64) *disktest.MemImage {
	img := disktest.NewMemImage(size)
	img.Put(0, disktest.Text(int(min(size, 300_000))))
	return img.Put(size/2, disktest.Random(seed, int(min(size/2, 500_000))))
}

// masked returns the content that a guest sees of an image whose only stored blocks are these.
func masked(tb testing.TB, content disk.Image, blockSize, size int64, blocks []int64) *disktest.MemImage {
	tb.Helper()
	img := disktest.NewMemImage(size)
	for _, i := range blocks {
		b := make([]byte, min(blockSize, size-i*blockSize))
		if n, err := content.ReadAt(b, i*blockSize); n < len(b) && i*blockSize < content.Size()-int64(len(b)) {
			tb.Fatal(err)
		}
		img.Put(i*blockSize, b)
	}
	return img
}

// TestShapes reads images that no writer here made.
func TestShapes(t *testing.T) {
	for _, s := range []struct {
		name string
		shape
		note string
	}{
		{"dynamic", shape{size: 10 << 20, blocks: []int64{3, 0, 4}}, ""},
		{"blocks of 512 KiB", shape{size: 5<<20 + 512, blockSize: 512 << 10, blocks: []int64{10, 5, 0}}, ""},
		{"blocks of 4 MiB", shape{size: 9 << 20, blockSize: 4 << 20, blocks: []int64{2, 1}}, ""},
		{"blocks of 4 KiB", shape{size: 1 << 20, blockSize: 4 << 10, blocks: []int64{255, 128, 130, 0}}, ""},
		{"blocks of 16 MiB", shape{size: 20 << 20, blockSize: 16 << 20, blocks: []int64{1, 0}}, ""},
		{"short last block", shape{size: 5<<20 + 1024, blocks: []int64{0, 2}, short: true}, ""},
		{"old footer", shape{size: 5 << 20, blocks: []int64{1}, oldEnd: true}, ""},
		{"no footer at the end", shape{size: 5 << 20, blocks: []int64{0, 1, 2}, noEnd: true}, "missing"},
		{"damaged footer at the end", shape{size: 5 << 20, blocks: []int64{1}, badEnd: true}, "damaged"},
		{"table longer than needed", shape{size: 5 << 20, blocks: []int64{1}, extra: 1000}, ""},
		{"table behind locators", shape{size: 5 << 20, blocks: []int64{1}, tableAt: 8192}, ""},
		{"batmap", shape{size: 5 << 20, blocks: []int64{1}, batmap: true, creator: "tap\x00"}, ""},
		{"empty", shape{size: 5 << 20}, ""},
		{"all sector bits clear", shape{size: 5 << 20, blocks: []int64{0, 1}, bits: func(int64) bool { return false }}, ""},
		{"fixed", shape{kind: 2, size: 3<<20 + 512}, ""},
		{"fixed of no size", shape{kind: 2}, ""},
		{"dynamic of no size", shape{}, ""},
		{"size that is no sector", shape{size: 5<<20 + 100, blocks: []int64{2, 0}}, ""},
	} {
		t.Run(s.name, func(t *testing.T) {
			content := mixed(s.size, 1)
			s.content = content
			bs := s.blockSize
			if bs == 0 {
				bs = 2 << 20
			}
			want := content
			if s.kind != 2 {
				want = masked(t, content, bs, s.size, s.blocks)
			}
			d := folder{"x.vhd": s.build(t)}
			disktest.TestImage(t, func(tb testing.TB) disk.Image { tb.Helper(); return mustOpenIn(tb, d, "x.vhd") }, want, s.size)
			img := mustOpenIn(t, d, "x.vhd")
			notes := img.Describe()[0].Notes
			if (s.note == "") != (len(notes) == 0) || s.note != "" && !bytes.Contains([]byte(notes[0]), []byte(s.note)) {
				t.Errorf("notes %q, want %q", notes, s.note)
			}
			found, err := img.Check(t.Context())
			if err != nil || found.Stored != int64(len(s.blocks)) {
				t.Errorf("check found %+v, %v", found, err)
			}
			if (len(found.Problems) > 0) != (s.note != "") {
				t.Errorf("check found %v", found.Problems)
			}
		})
	}
}

// TestMapOfDynamic holds that absent neighbours are one extent. Between the contents of blocks that are stored there are bitmaps.
func TestMapOfDynamic(t *testing.T) {
	d := folder{"x.vhd": shape{size: 20 << 20, blocks: []int64{5, 6, 4, 9}, content: mixed(20<<20, 1)}.build(t)}
	got := extents(t, mustOpenIn(t, d, "x.vhd"))
	want := []disk.Extent{
		{Off: 0, Len: 8 << 20, Kind: disk.Unallocated}, {Off: 8 << 20, Len: 2 << 20}, {Off: 10 << 20, Len: 2 << 20}, {Off: 12 << 20, Len: 2 << 20},
		{Off: 14 << 20, Len: 4 << 20, Kind: disk.Unallocated}, {Off: 18 << 20, Len: 2 << 20},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
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

// TestSizeByCreator holds whose geometry counts.
func TestSizeByCreator(t *testing.T) {
	const current, byGeometry = 10 << 20, 10479616
	for _, c := range []struct {
		creator string
		chs     [3]int
		want    int64
	}{
		{"win ", [3]int{301, 4, 17}, current},
		{"vbox", [3]int{301, 4, 17}, current},
		{"vs  ", [3]int{301, 4, 17}, current},
		{"qem2", [3]int{301, 4, 17}, current},
		{"????", [3]int{301, 4, 17}, current},
		{"vpc ", [3]int{301, 4, 17}, byGeometry},
		{"qemu", [3]int{301, 4, 17}, byGeometry},
		{"vpc ", [3]int{0, 0, 0}, current},
		{"vpc ", [3]int{65535, 16, 255}, current},
		{"qemu", [3]int{400, 4, 17}, current}, // more than there is
	} {
		for _, kind := range []uint32{2, 3} {
			d := folder{"x.vhd": shape{kind: kind, size: current, creator: c.creator, chs: c.chs, content: mixed(current, 1)}.build(t)}
			if img := mustOpenIn(t, d, "x.vhd"); img.Size() != c.want {
				t.Errorf("%q %v: size %d, want %d", c.creator, c.chs, img.Size(), c.want)
			}
		}
	}
}

// TestDamaged changes one thing of a good image each.
func TestDamaged(t *testing.T) {
	be := binary.BigEndian
	const last = 512 // from the end
	footers := func(b []byte, change func(foot []byte)) []byte {
		for _, foot := range [][]byte{b[:512], b[len(b)-last:]} {
			clear(foot[64:68])
			change(foot)
			sum(foot, 64)
		}
		return b
	}
	head := func(b []byte, change func(head []byte)) []byte {
		clear(b[512+36 : 512+40])
		change(b[512:1536])
		sum(b[512:1536], 36)
		return b
	}
	entry := func(b []byte, i int, e uint32) []byte { be.PutUint32(b[1536+4*i:], e); return b }
	good := shape{size: 5 << 20, blocks: []int64{2, 0}, content: mixed(5<<20, 1)}.build(t)
	for _, c := range []struct {
		name   string
		change func(b []byte) []byte
		kind   error
		words  string
	}{
		{"both footers' checksums", func(b []byte) []byte { b[90], b[len(b)-last+90] = 1, 1; return b }, disk.ErrCorrupt, "checksum"},
		{"header's checksum", func(b []byte) []byte { b[1500] = 1; return b }, disk.ErrCorrupt, "checksum"},
		{"no cookie", func(b []byte) []byte { b[0], b[len(b)-last] = 0, 0; return b }, disk.ErrFormat, "cookie"},
		{"header's cookie", func(b []byte) []byte { b[512] = 0; return b }, disk.ErrCorrupt, "cxsparse"},
		{"version 2", func(b []byte) []byte { return footers(b, func(f []byte) { f[13] = 2 }) }, disk.ErrUnsupported, "version 2.0"},
		{"saved state", func(b []byte) []byte { return footers(b, func(f []byte) { f[84] = 1 }) }, disk.ErrUnsupported, "saved state"},
		{"type 0", func(b []byte) []byte { return footers(b, func(f []byte) { f[63] = 0 }) }, disk.ErrUnsupported, "disk type 0"},
		{"type 1", func(b []byte) []byte { return footers(b, func(f []byte) { f[63] = 1 }) }, disk.ErrUnsupported, "disk type 1"},
		{"type 5", func(b []byte) []byte { return footers(b, func(f []byte) { f[63] = 5 }) }, disk.ErrUnsupported, "disk type 5"},
		{"type 6", func(b []byte) []byte { return footers(b, func(f []byte) { f[63] = 6 }) }, disk.ErrUnsupported, "disk type 6"},
		{"type 9", func(b []byte) []byte { return footers(b, func(f []byte) { f[63] = 9 }) }, disk.ErrUnsupported, "disk type 9"},
		{"fixed with a short file", func(b []byte) []byte { return footers(b, func(f []byte) { f[63] = 2; f[51] = 1 }) }, disk.ErrTruncated, "stand before the footer"},
		{"larger than 2040 GiB", func(b []byte) []byte { return footers(b, func(f []byte) { be.PutUint64(f[48:], 2040<<30+512) }) }, disk.ErrLimit, "2190433320960"},
		{"size 2^64-1", func(b []byte) []byte { return footers(b, func(f []byte) { be.PutUint64(f[48:], 1<<64-1) }) }, disk.ErrLimit, "size"},
		{"header past the end", func(b []byte) []byte { return footers(b, func(f []byte) { be.PutUint64(f[16:], 1<<63) }) }, disk.ErrTruncated, "dynamic header"},
		{"header at the very end", func(b []byte) []byte {
			return footers(b, func(f []byte) { be.PutUint64(f[16:], uint64(len(b)-10)) })
		}, disk.ErrTruncated, "dynamic header"},
		{"block size 0", func(b []byte) []byte { return head(b, func(h []byte) { be.PutUint32(h[32:], 0) }) }, disk.ErrCorrupt, "power of two"},
		{"block size 3 MiB", func(b []byte) []byte { return head(b, func(h []byte) { be.PutUint32(h[32:], 3<<20) }) }, disk.ErrCorrupt, "power of two"},
		{"block size 512", func(b []byte) []byte { return head(b, func(h []byte) { be.PutUint32(h[32:], 512) }) }, disk.ErrLimit, "block size 512"},
		{"block size 2 GiB", func(b []byte) []byte { return head(b, func(h []byte) { be.PutUint32(h[32:], 1<<31) }) }, disk.ErrLimit, "block size"},
		{"too few entries", func(b []byte) []byte { return head(b, func(h []byte) { be.PutUint32(h[28:], 2) }) }, disk.ErrCorrupt, "needs 3"},
		{"table past the end", func(b []byte) []byte { return head(b, func(h []byte) { be.PutUint64(h[16:], 1<<62) }) }, disk.ErrTruncated, "the table needs 12 bytes"},
		{"header version 0", func(b []byte) []byte { return head(b, func(h []byte) { h[25] = 0 }) }, disk.ErrUnsupported, "header version 0.0"},
		{"block on the footer copy", func(b []byte) []byte { return entry(b, 0, 0) }, disk.ErrCorrupt, "footer copy"},
		{"block on the header", func(b []byte) []byte { return entry(b, 0, 1) }, disk.ErrCorrupt, "dynamic header"},
		{"block on the table", func(b []byte) []byte { return entry(b, 0, 3) }, disk.ErrCorrupt, "the table"},
		{"block past the end", func(b []byte) []byte { return entry(b, 0, 0xfffffffe) }, disk.ErrTruncated, "block 0"},
		{"block on the footer", func(b []byte) []byte { return entry(b, 0, uint32(len(b)/512-4097)) }, disk.ErrCorrupt, "behind the footer"},
		{"cut", func(b []byte) []byte { return b[:len(b)-4096] }, disk.ErrTruncated, "block 0"},
		{"cut in the table", func(b []byte) []byte { return b[:1540] }, disk.ErrTruncated, "table"},
		{"cut in the header", func(b []byte) []byte { return b[:600] }, disk.ErrTruncated, "dynamic header"},
		{"only the footer", func(b []byte) []byte { return b[:512] }, disk.ErrTruncated, "dynamic header"},
		{"nothing", func(b []byte) []byte { return nil }, disk.ErrFormat, "too few"},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, err := openIn(t, folder{"x.vhd": c.change(bytes.Clone(good))}, "x.vhd")
			if err == nil {
				b := make([]byte, 100)
				_, err = img.ReadAt(b, 0)
				if _, merr := img.Extent(t.Context(), 0); fmt.Sprint(merr) != fmt.Sprint(err) {
					t.Errorf("the map says %v, the content %v", merr, err)
				}
				if found, cerr := img.Check(t.Context()); cerr != nil || len(found.Problems) == 0 {
					t.Errorf("check found %+v, %v", found, cerr)
				}
			}
			disktest.CheckError(t, err, c.kind, c.words, "x.vhd")
		})
	}
}

// TestFixedWithHeadCopy holds that the end decides: what a guest writes to its first sector is content.
func TestFixedWithHeadCopy(t *testing.T) {
	other := shape{size: 1 << 20}.footer()
	content := disktest.NewMemImage(4096).Put(0, other)
	d := folder{"x.vhd": shape{kind: 2, size: 4096, content: content}.build(t)}
	if img := mustOpenIn(t, d, "x.vhd"); img.Size() != 4096 {
		t.Errorf("size %d", img.Size())
	}
	d["x.vhd"] = append(shape{kind: 2, size: 4096}.footer(), make([]byte, 8192)...)
	_, err := openIn(t, d, "x.vhd")
	disktest.CheckError(t, err, disk.ErrCorrupt, "the disk is fixed")
}

// TestGrownByFooters holds that of several footers the last one counts.
func TestGrownByFooters(t *testing.T) {
	old := shape{size: 3 << 20, blocks: []int64{0}, content: mixed(3<<20, 1)}
	b := append(old.build(t), old.footer()...)
	img := mustOpenIn(t, folder{"x.vhd": b}, "x.vhd")
	if found, err := img.Check(t.Context()); err != nil || len(found.Problems) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestCheckFindsOverlaps puts blocks on top of each other.
func TestCheckFindsOverlaps(t *testing.T) {
	good := shape{size: 8 << 20, blocks: []int64{0, 1, 2}, content: mixed(8<<20, 1)}.build(t)
	for name, shift := range map[string]uint32{"same place": 0, "inside": 8} {
		b := bytes.Clone(good)
		binary.BigEndian.PutUint32(b[1536+4:], binary.BigEndian.Uint32(b[1536:])+shift)
		found, err := mustOpenIn(t, folder{"x.vhd": b}, "x.vhd").Check(t.Context())
		if err != nil || len(found.Problems) == 0 {
			t.Errorf("%s: %+v, %v", name, found, err)
			continue
		}
		disktest.CheckError(t, found.Problems[0], disk.ErrCorrupt, "x.vhd")
	}
}

func TestHoleOfFixed(t *testing.T) {
	content := disktest.NewMemImage(4<<20).Put(1<<20, disktest.Random(1, 1<<20))
	target := disktest.NewMemFile("x.vhd", nil)
	copyTo(t, target, content, Options{Fixed: true})
	img, err := Open(t.Context(), target, disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	want := []disk.Extent{{Len: 1 << 20, Kind: disk.Unallocated}, {Off: 1 << 20, Len: 1 << 20}, {Off: 2 << 20, Len: 2 << 20, Kind: disk.Unallocated}}
	if got := extents(t, img); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestReadsAllocateNothing(t *testing.T) {
	content := mixed(8<<20, 1)
	for _, s := range []shape{
		{size: 8 << 20, blocks: []int64{0, 1, 2, 3}, content: content},
		{kind: 4, size: 8 << 20, blocks: []int64{0, 1, 2, 3}, content: content, name: "p.vhd", above: 7, id: 1, bits: func(i int64) bool { return i%3 == 0 }},
	} {
		d := folder{"x.vhd": s.build(t), "p.vhd": shape{size: 8 << 20, id: 7, blocks: []int64{0, 2}, content: content}.build(t)}
		img := mustOpenIn(t, d, "x.vhd")
		b := make([]byte, 1<<20)
		off := int64(0)
		if n := testing.AllocsPerRun(50, func() {
			if _, err := img.ReadAt(b, off%(7<<20)); err != nil {
				t.Fatal(err)
			}
			off += 300_001
		}); n > 0 {
			t.Errorf("%d: a read allocates %v times", s.kind, n)
		}
	}
}
