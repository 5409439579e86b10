package vhdx

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

func TestFixtures(t *testing.T) {
	tested := 0
	for _, x := range disktest.FixturesOf(t, "vhdx") {
		if x.Expect != "ok" {
			t.Fatalf("expectation %q of %s is not known", x.Expect, x.Name)
		}
		tested++
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			f := x.Open(t)
			img := mustOpen(t, f, nil)
			disktest.CheckContent(t, img, x)
			found, err := img.Check(t.Context())
			if err != nil || len(found.Problems) > 0 || found.Stored == 0 {
				t.Errorf("check: %+v, %v", found, err)
			}
			info := img.Describe()[0]
			if !strings.Contains(x.Notes, "'"+info.Creator+"'") {
				t.Errorf("creator is %q, INDEX.tsv says %s", info.Creator, x.Notes)
			}
			if want := fmt.Sprintf("block %d MiB;", info.ClusterSize>>20); !strings.Contains(x.Notes, want) {
				t.Errorf("block size is %d, INDEX.tsv says %s", info.ClusterSize, x.Notes)
			}
			if fixed := strings.Contains(x.Notes, "fixed"); fixed != (info.Variant == "fixed") {
				t.Errorf("variant is %s, INDEX.tsv says %s", info.Variant, x.Notes)
			}
			if dirty := strings.Contains(x.Notes, "LOG NOT EMPTY"); dirty != strings.Contains(fmt.Sprint(info.Notes), "replayed in memory") {
				t.Errorf("notes are %q, INDEX.tsv says %s", info.Notes, x.Notes)
			}
		})
	}
	if tested < 8 {
		t.Errorf("only %d images", tested)
	}
}

func TestProbe(t *testing.T) {
	for head, want := range map[string]bool{"vhdxfile": true, "vhdxfile and more": true, "vhdxfil": false, "": false, "conectix": false} {
		if Probe([]byte(head)) != want {
			t.Errorf("%q: want %v", head, want)
		}
	}
}

// conformance runs the suite for readers over an image.
func conformance(t *testing.T, f disk.File, d folder, want *disktest.MemImage) {
	t.Helper()
	disktest.TestImage(t, func(tb testing.TB) disk.Image {
		tb.Helper()
		img, err := Open(tb.Context(), shared{f}, disktest.EnvOf(Open, formatName, d.open, nil))
		if err != nil {
			tb.Fatal(err)
		}
		return img
	}, want, want.Size())
}

func TestStates(t *testing.T) {
	s := plainDisk()
	conformance(t, s.make(t), nil, s.want())
	img := mustOpen(t, s.make(t), nil)
	for n, want := range []disk.Kind{disk.Data, disk.Unallocated, disk.Zero, disk.Zero, disk.Data, disk.Zero, disk.Zero, disk.Data} {
		e, err := img.Extent(t.Context(), int64(n)*testMiB)
		if err != nil || e.Kind != want {
			t.Errorf("block %d is %s, %v; want %s", n, e.Kind, err, want)
		}
	}
	if e, err := img.Extent(t.Context(), 2*testMiB+5); err != nil || e.Len != 2*testMiB-5 {
		t.Errorf("two blocks of one kind: %+v, %v", e, err)
	}
	info := img.Describe()
	if len(info) != 1 || info[0].Creator != "a test by hand" || info[0].Variant != "dynamic" || len(info[0].Notes) > 0 || info[0].Parent != "" {
		t.Errorf("described as %+v", info)
	}
	found, err := img.Check(t.Context())
	if err != nil || len(found.Problems) > 0 || found.Units != 8 || found.Stored != 3 {
		t.Errorf("check: %+v, %v", found, err)
	}
}

func TestFixed(t *testing.T) {
	s := plainDisk()
	s.flags = 1
	img := mustOpen(t, s.make(t), nil)
	if info := img.Describe()[0]; info.Variant != "fixed" {
		t.Errorf("described as %+v", info)
	}
	if !bytes.Equal(disktest.ReadAll(t, img), disktest.ReadAll(t, s.want())) {
		t.Error("content differs")
	}
}

// TestSectorsOf4096 reads a disk whose chunks are eight times as large.
func TestSectorsOf4096(t *testing.T) {
	s := &specImage{size: 3*testMiB - 4096, blockSize: 2 * testMiB, sector: 4096, blocks: map[int64]specBlock{1: {state: 6, content: disktest.Random(1, 2*testMiB)}}}
	f := s.make(t)
	conformance(t, f, nil, s.want())
	img := mustOpen(t, f, nil)
	if notes := img.Describe()[0].Notes; len(notes) != 1 || !strings.HasPrefix(notes[0], "4096-byte sectors: ") || img.SectorSize() != 4096 {
		t.Errorf("notes are %q", notes)
	}
}

// TestInterleaving reads blocks on both sides of where the entries of sector bitmaps stand, for several chunk ratios.
func TestInterleaving(t *testing.T) {
	for _, c := range []struct{ blockSize, sector int64 }{{256 * testMiB, 512}, {128 * testMiB, 512}, {256 * testMiB, 4096}, {testMiB, 512}} {
		t.Run(fmt.Sprintf("%d MiB, sectors of %d", c.blockSize>>20, c.sector), func(t *testing.T) {
			s := &specImage{blockSize: c.blockSize, sector: c.sector, blocks: map[int64]specBlock{}}
			ratio := s.ratio()
			s.size = (2*ratio + 1) * c.blockSize
			for _, n := range []int64{0, ratio - 1, ratio, 2*ratio - 1, 2 * ratio} {
				s.blocks[n] = specBlock{state: 6, content: disktest.Random(uint64(n), 4096)}
			}
			f := s.make(t)
			if want := (2*ratio + 1) + 2; f.entries != want {
				t.Fatalf("%d entries, want %d", f.entries, want)
			}
			img := mustOpen(t, f, nil)
			b := make([]byte, 4096)
			for n, want := range s.blocks {
				if _, err := img.ReadAt(b, n*c.blockSize); err != nil || !bytes.Equal(b, want.content) {
					t.Errorf("block %d: content differs, %v", n, err)
				}
				e, err := img.Extent(t.Context(), n*c.blockSize)
				if err != nil || e.Kind != disk.Data {
					t.Errorf("block %d: %+v, %v", n, e, err)
				}
			}
			if e, err := img.Extent(t.Context(), c.blockSize); err != nil || e.Kind != disk.Unallocated || e.End() > (ratio-1)*c.blockSize {
				t.Errorf("after block 0: %+v, %v", e, err)
			}
		})
	}
}

// TestBATOfExactlyTheRightSize has a BAT that fills its region to the last entry, and one entry more than it has.
func TestBATOfExactlyTheRightSize(t *testing.T) {
	const fits = testMiB / 8 // entries of 1 MiB
	// In blocks of 256 MiB there is one entry of a bitmap for every 16.
	blocks := int64(fits - fits/17)
	s := &specImage{blockSize: 256 * testMiB, size: blocks * 256 * testMiB, blocks: map[int64]specBlock{blocks - 1: {state: 6, content: []byte{9}}}}
	f := s.make(t)
	if f.entries > fits || f.entries < fits-1 {
		t.Fatalf("%d entries", f.entries)
	}
	img := mustOpen(t, f, nil)
	b := make([]byte, 1)
	if _, err := img.ReadAt(b, (blocks-1)*s.blockSize); err != nil || b[0] != 9 {
		t.Errorf("read %v, %v", b, err)
	}
	f.put(f.item(textSize), []byte{0, 0, 0, 0, 0, 0x20, 0, 0}) // 32 TiB
	if _, err := openIn(t, f, nil); err != nil {
		disktest.CheckError(t, err, disk.ErrCorrupt, "at 0x200000", "1048576", "needs")
	} else {
		t.Error("a BAT that is too small was accepted")
	}
}

// TestLargestDisk reads the ends of a disk of 64 TiB with the smallest blocks: its BAT has half a GiB.
func TestLargestDisk(t *testing.T) {
	s := &specImage{blockSize: testMiB, size: 64 << 40, blocks: map[int64]specBlock{0: {state: 6, content: []byte{1}}, 64<<20 - 1: {state: 6, content: bytes.Repeat([]byte{2}, testMiB)}}}
	img := mustOpen(t, s.make(t), nil)
	b := make([]byte, 2)
	if n, err := img.ReadAt(b, 64<<40-1); n != 1 || b[0] != 2 {
		t.Errorf("the last byte: %v, %v", b, err)
	}
	if e, err := img.Extent(t.Context(), 64<<40-testMiB); err != nil || e.Kind != disk.Data || e.Len != testMiB {
		t.Errorf("the last block: %+v, %v", e, err)
	}
}

func TestNoDisk(t *testing.T) {
	img := mustOpen(t, (&specImage{blockSize: testMiB}).make(t), nil)
	if img.Size() != 0 || len(disktest.ReadAll(t, img)) != 0 {
		t.Errorf("size is %d", img.Size())
	}
	if found, err := img.Check(t.Context()); err != nil || found.Units != 0 {
		t.Errorf("check: %+v, %v", found, err)
	}
}

// TestSecondCopies damages one copy of the headers and of the region tables at a time.
func TestSecondCopies(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int64
		note string
	}{
		{"first header", 65536 + 100, "the first header is damaged, the second was used"},
		{"second header", 131072, "the second header is damaged, the first was used"},
		{"first region table", 196608 + 30000, "the first region table is damaged, the second was used"},
		{"second region table", 262144 + 30000, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plainDisk()
			f := s.make(t)
			f.put(c.at, []byte{0xff})
			img := mustOpen(t, f, nil)
			if !bytes.Equal(disktest.ReadAll(t, img), disktest.ReadAll(t, s.want())) {
				t.Error("content differs")
			}
			if got := strings.Join(img.Describe()[0].Notes, "; "); got != c.note {
				t.Errorf("notes are %q, want %q", got, c.note)
			}
			found, err := img.Check(t.Context())
			if err != nil || len(found.Problems) != 1 {
				t.Fatalf("check: %+v, %v", found, err)
			}
			disktest.CheckError(t, found.Problems[0], disk.ErrCorrupt, fmt.Sprintf("at %#x", c.at&^0xffff))
		})
	}
}

// TestCurrentHeader has headers that say different things.
func TestCurrentHeader(t *testing.T) {
	for _, c := range []struct {
		first, second uint64
		want          string
	}{{7, 8, textOther}, {9, 8, textParent}, {8, 8, ""}, {1<<64 - 1, 3, textParent}} {
		s := plainDisk()
		f := s.make(t)
		f.header(t, 0, c.first, s, testMiB)
		other := *s
		other.written = textOther
		f.header(t, 1, c.second, &other, testMiB)
		if got := mustOpen(t, f, nil).DataWriteGUID().String(); c.want != "" && got != c.want {
			t.Errorf("%d and %d: DataWriteGuid is %s, want %s", c.first, c.second, got, c.want)
		}
	}
}

// TestShortLastBlock cuts the file where the disk ends, as QEMU does, and one byte before.
func TestShortLastBlock(t *testing.T) {
	s := &specImage{size: 3*testMiB + 512, blockSize: testMiB, blocks: map[int64]specBlock{3: {state: 6, content: disktest.Random(1, 512)}}}
	f := s.make(t)
	end := f.blocks[3] + 512
	if !bytes.Equal(disktest.ReadAll(t, mustOpen(t, disktest.TruncatedFile(f, end), nil)), disktest.ReadAll(t, s.want())) {
		t.Error("content differs")
	}
	img := mustOpen(t, disktest.TruncatedFile(f, end-1), nil)
	_, err := img.ReadAt(make([]byte, 1), 3*testMiB)
	disktest.CheckError(t, err, disk.ErrTruncated, "block 3", "512 bytes", "0x200018")
}

// TestCutEverywhere cuts a file at many places: an error, or the right content.
func TestCutEverywhere(t *testing.T) {
	s := plainDisk()
	f := s.make(t)
	want := disktest.ReadAll(t, s.want())
	for cut := int64(0); cut < f.Size(); cut += 100_003 {
		for _, file := range []disk.File{disktest.TruncatedFile(f, cut), disktest.LyingFile(f, cut)} {
			img, err := openIn(t, file, nil)
			if err != nil {
				if !disktest.IsKind(err) {
					t.Errorf("cut at %d: %v is of no kind", cut, err)
				}
				continue
			}
			got := make([]byte, len(want))
			if _, err := img.ReadAt(got, 0); err == nil && !bytes.Equal(got, want) {
				t.Errorf("cut at %d: content differs without an error", cut)
			} else if err != nil && !disktest.IsKind(err) {
				t.Errorf("cut at %d: %v is of no kind", cut, err)
			}
		}
	}
}

func TestReadErrorsArePassedOn(t *testing.T) {
	s := diffDisk()
	f, d := s.make(t), folder{"base.vhdx": baseDisk().make(t)}
	count := &disktest.FailingFile{File: f}
	disktest.ReadAll(t, mustOpen(t, count, d))
	for n := 1; n <= count.Reads(); n += 1 + n/15 {
		img, err := openIn(t, &disktest.FailingFile{File: f, FailAt: n}, d)
		if err == nil {
			var got int
			if got, err = img.ReadAt(make([]byte, s.size), 0); got != 0 {
				t.Errorf("read %d fails: %d bytes came with %v", n, got, err)
			}
		}
		disktest.CheckError(t, err, disktest.ErrInjected)
	}
}

// TestReadsTakeNoMemory holds that reading what was read before allocates nothing, for plain and partial blocks.
func TestReadsTakeNoMemory(t *testing.T) {
	img := mustOpen(t, diffDisk().make(t), folder{"base.vhdx": baseDisk().make(t)})
	b := make([]byte, 100_000)
	read := func() {
		for off := int64(0); off < img.Size()-int64(len(b)); off += 77_777 {
			if _, err := img.ReadAt(b, off); err != nil {
				t.Fatal(err)
			}
		}
	}
	read()
	if n := testing.AllocsPerRun(5, read); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestAnyRange reads any range of an image with parents, against a model.
func TestAnyRange(t *testing.T) {
	img := mustOpen(t, diffDisk().make(t), folder{"base.vhdx": baseDisk().make(t)})
	want := disktest.ReadAll(t, diffWant())
	rapid.Check(t, func(t *rapid.T) {
		off := rapid.Int64Range(0, img.Size()-1).Draw(t, "off")
		b := make([]byte, rapid.Int64Range(0, min(img.Size()-off, 3*testMiB)).Draw(t, "n"))
		if _, err := img.ReadAt(b, off); err != nil || !bytes.Equal(b, want[off:off+int64(len(b))]) {
			t.Fatalf("%d bytes at %d differ, %v", len(b), off, err)
		}
	})
}
