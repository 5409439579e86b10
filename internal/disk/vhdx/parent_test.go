package vhdx

import (
	"bytes"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// baseDisk is the parent of diffDisk: shorter, and with holes.
func baseDisk() *specImage {
	return &specImage{size: 6*testMiB + 512, blockSize: testMiB, blocks: map[int64]specBlock{
		0: {state: 6, content: disktest.Random(10, testMiB)},
		1: {state: 6, content: disktest.Random(11, testMiB)},
		2: {state: 6, content: disktest.Random(12, testMiB)},
		3: {state: 6, content: disktest.Random(13, testMiB)},
		4: {state: 6, content: disktest.Random(14, testMiB)},
		6: {state: 6, content: disktest.Random(16, 512)},
	}}
}

// everyThird are the sectors that the partial blocks of diffDisk hold, and a long run.
func everyThird(sector int64) bool { return sector%3 == 0 || sector%4096 > 3000 && sector%4096 < 3500 }

// diffDisk has blocks of another size than its parent.
func diffDisk() *specImage {
	return &specImage{size: 9 * testMiB, blockSize: 2 * testMiB, flags: 2, written: textOther,
		parent: [][2]string{{"parent_linkage", "{" + textParent + "}"}, {"relative_path", `.\base.vhdx`}},
		blocks: map[int64]specBlock{
			0: {state: 7, content: disktest.Random(20, 2*testMiB), sectors: everyThird},
			1: {state: 2},
			// 2 is the parent's
			3: {state: 7, content: disktest.Random(23, 2*testMiB), sectors: everyThird}, // the parent ends inside
			4: {state: 6, content: disktest.Random(24, testMiB)},
		}}
}

// diffWant is what diffDisk must read as.
func diffWant() *disktest.MemImage { return over(diffDisk(), baseDisk().want()) }

// over puts the content of a differencing disk on top of its parent's.
func over(s *specImage, below disk.Image) *disktest.MemImage {
	m := disktest.NewMemImage(s.size)
	base := make([]byte, min(below.Size(), s.size))
	_, _ = below.ReadAt(base, 0) // of a MemImage
	m.Put(0, base)
	for n, b := range s.blocks {
		at := n * s.blockSize
		switch b.state {
		case 0:
		case 6:
			m.Put(at, b.content)
		case 7:
			size := s.sectorSize()
			for i := range s.blockSize / size {
				if b.sectors(at/size + i) {
					m.Put(at+i*size, b.content[i*size:(i+1)*size])
				}
			}
		default:
			m.Zero(at, s.blockSize)
		}
	}
	return m
}

func TestDifferencing(t *testing.T) {
	f, d := diffDisk().make(t), folder{"base.vhdx": baseDisk().make(t)}
	conformance(t, f, d, diffWant())
	img := mustOpen(t, f, d)
	info := img.Describe()
	if len(info) != 2 || info[0].Variant != "differencing" || info[0].Parent != `.\base.vhdx` || info[1].Variant != "dynamic" ||
		!strings.Contains(strings.Join(info[0].Notes, ""), "the parent has 6291968 bytes, this image 9437184") {
		t.Errorf("described as %+v", info)
	}
	found, err := img.Check(t.Context())
	if err != nil || len(found.Problems) > 0 || found.Stored != 3 {
		t.Errorf("check: %+v, %v", found, err)
	}
	for off, want := range map[int64]disk.Kind{2 * testMiB: disk.Zero, 4 * testMiB: disk.Data, 5 * testMiB: disk.Unallocated, 8 * testMiB: disk.Data} {
		if e, err := img.Extent(t.Context(), off); err != nil || e.Kind != want {
			t.Errorf("at %d MiB: %+v, %v; want %s", off>>20, e, err, want)
		}
	}
}

// TestEmptyDifferencing has nothing of its own: one range that is absent covers data and holes of the parent.
func TestEmptyDifferencing(t *testing.T) {
	s := diffDisk()
	s.blockSize, s.blocks = 32*testMiB, nil
	f, d := s.make(t), folder{"base.vhdx": baseDisk().make(t)}
	conformance(t, f, d, over(s, baseDisk().want()))
	img := mustOpen(t, f, d)
	if e, err := img.Extent(t.Context(), 5*testMiB+1); err != nil || e.Kind != disk.Unallocated || e.End() != 6*testMiB {
		t.Errorf("a hole of the parent: %+v, %v", e, err)
	}
}

// TestPartialBlocksOfManySizes reads partial blocks at the borders of bitmaps, with both sizes of sectors.
func TestPartialBlocksOfManySizes(t *testing.T) {
	for _, c := range []struct{ blockSize, sector int64 }{{testMiB, 512}, {32 * testMiB, 512}, {256 * testMiB, 512}, {256 * testMiB, 4096}, {testMiB, 4096}} {
		s := &specImage{blockSize: c.blockSize, sector: c.sector, flags: 2, parent: diffDisk().parent, blocks: map[int64]specBlock{}}
		ratio := s.ratio()
		s.size = (ratio+1)*c.blockSize + 5*c.sector
		content := disktest.Random(uint64(c.blockSize), int(min(c.blockSize, 4*testMiB)))
		held := func(sector int64) bool { return (sector*c.sector)%testMiB >= testMiB/2+c.sector }
		for _, n := range []int64{1, ratio - 1, ratio} {
			s.blocks[n] = specBlock{state: 7, content: content, sectors: held}
		}
		base := &specImage{blockSize: 256 * testMiB, sector: c.sector, size: s.size}
		f := s.make(t)
		if len(f.bitmaps) != 2 {
			t.Fatalf("%d bitmaps", len(f.bitmaps))
		}
		img := mustOpen(t, f, folder{"base.vhdx": base.make(t)})
		for n := range s.blocks {
			got := make([]byte, len(content))
			if _, err := img.ReadAt(got, n*c.blockSize); err != nil {
				t.Fatal(err)
			}
			for i := int64(0); i < int64(len(got)); i += c.sector {
				want := make([]byte, c.sector)
				if held((n*c.blockSize + i) / c.sector) {
					copy(want, content[i:])
				}
				if !bytes.Equal(got[i:i+c.sector], want) {
					t.Fatalf("blocks of %d, sectors of %d: block %d differs at %d", c.blockSize, c.sector, n, i)
				}
			}
			e, err := img.Extent(t.Context(), n*c.blockSize)
			if err != nil || e.Kind != disk.Unallocated || e.Len != testMiB/2+c.sector {
				t.Errorf("block %d: %+v, %v", n, e, err)
			}
		}
	}
}

// TestChain reads three layers.
func TestChain(t *testing.T) {
	top := &specImage{size: 9 * testMiB, blockSize: testMiB, flags: 2,
		parent: [][2]string{{"absolute_win32_path", `\\?\d:\vm\Snap 1.avhdx`}, {"parent_linkage", "{" + strings.ToUpper(textOther) + "}"}},
		blocks: map[int64]specBlock{3: {state: 6, content: disktest.Random(33, testMiB)}, 5: {state: 1}, 8: {state: 7, content: disktest.Random(38, testMiB), sectors: everyThird}}}
	d := folder{"base.vhdx": baseDisk().make(t), "Snap 1.avhdx": diffDisk().make(t)}
	f := top.make(t)
	conformance(t, f, d, over(top, diffWant()))
	if n := len(mustOpen(t, f, d).Describe()); n != 3 {
		t.Errorf("%d layers", n)
	}
}

// TestParentNames opens the parent by what each key says.
func TestParentNames(t *testing.T) {
	linkage := [2]string{"parent_linkage", "{" + textParent + "}"}
	base, other := baseDisk(), baseDisk()
	other.written = textOther
	d := folder{"base.vhdx": base.make(t), "other.vhdx": other.make(t), "raw.img": nil}
	want := disktest.ReadAll(t, diffWant())
	for _, c := range []struct {
		name    string
		entries [][2]string
		kind    error
		words   []string
	}{
		{"relative", [][2]string{{"relative_path", `..\..\a\base.vhdx`}, linkage}, nil, nil},
		{"relative only a name", [][2]string{{"relative_path", `base.vhdx`}, linkage}, nil, nil},
		{"volume", [][2]string{linkage, {"volume_path", `\\?\Volume{26A21BDA-A627-11D7-9931-806E6F6E6963}\a\base.vhdx`}}, nil, nil},
		{"absolute", [][2]string{linkage, {"absolute_win32_path", `\\?\d:\a\base.vhdx`}}, nil, nil},
		{"relative is gone, absolute is there", [][2]string{linkage, {"absolute_win32_path", `\\?\d:\a\base.vhdx`}, {"relative_path", `..\gone.vhdx`}}, nil, nil},
		{"relative is another disk", [][2]string{linkage, {"absolute_win32_path", `\\?\d:\a\base.vhdx`}, {"relative_path", `..\other.vhdx`}}, nil, nil},
		{"second linkage", [][2]string{{"parent_linkage", "{" + textOther + "}"}, {"parent_linkage2", "{" + textParent + "}"}, {"relative_path", `base.vhdx`}}, nil, nil},
		{"keys not known here", [][2]string{linkage, {"colour", "blue"}, {"relative_path", `base.vhdx`}}, nil, nil},
		{"another disk", [][2]string{linkage, {"relative_path", `other.vhdx`}}, disk.ErrCorrupt, []string{textParent, textOther, "other.vhdx"}},
		{"gone", [][2]string{linkage, {"relative_path", `..\gone.vhdx`}, {"volume_path", `\\?\Volume{x}\gone too.vhdx`}}, disk.ErrMissing, []string{`"gone.vhdx"`}},
		{"a directory", [][2]string{linkage, {"relative_path", `..\`}}, disk.ErrCorrupt, []string{"no path"}},
		{"dots", [][2]string{linkage, {"relative_path", `..\..`}}, disk.ErrCorrupt, []string{"no path"}},
		{"no path", [][2]string{linkage}, disk.ErrCorrupt, []string{"no path"}},
		{"no linkage", [][2]string{{"relative_path", `base.vhdx`}}, disk.ErrCorrupt, []string{"parent_linkage"}},
		{"a linkage that is none", [][2]string{{"parent_linkage", "{83ed0ec3-24c8-49a6-a959-5e4bf1288bf}"}, {"relative_path", `base.vhdx`}}, disk.ErrCorrupt, []string{"a GUID is needed"}},
		{"twice", [][2]string{linkage, linkage, {"relative_path", `base.vhdx`}}, disk.ErrCorrupt, []string{"twice", "at 0x110"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := diffDisk()
			s.parent = c.entries
			img, err := openIn(t, s.make(t), d)
			if c.kind != nil {
				disktest.CheckError(t, err, c.kind, c.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(disktest.ReadAll(t, img), want) {
				t.Error("content differs")
			}
		})
	}
}

func TestParentRefused(t *testing.T) {
	d := folder{"base.vhdx": baseDisk().make(t)}
	s := diffDisk()
	_, err := Open(t.Context(), s.make(t), disk.Env{})
	disktest.CheckError(t, err, disk.ErrOutside, "base.vhdx")

	s.locator = textOther
	_, err = openIn(t, s.make(t), d)
	disktest.CheckError(t, err, disk.ErrUnsupported, textOther)

	s = diffDisk()
	s.sector, s.blocks = 4096, nil
	_, err = openIn(t, s.make(t), d)
	disktest.CheckError(t, err, disk.ErrCorrupt, "512", "4096")

	s = diffDisk()
	f := s.make(t)
	items := s.items()
	f.metadataItems(items[:len(items)-1])
	_, err = openIn(t, f, d)
	disktest.CheckError(t, err, disk.ErrCorrupt, "no parent locator")
}

// TestHiddenZeroes holds that blocks which are undefined, zero or unmapped do not show the parent.
func TestHiddenZeroes(t *testing.T) {
	for _, state := range []int{1, 2, 3, 5} {
		s := diffDisk()
		s.blocks = map[int64]specBlock{0: {state: state}}
		img := mustOpen(t, s.make(t), folder{"base.vhdx": baseDisk().make(t)})
		if b := disktest.ReadAll(t, img)[:2*testMiB]; !bytes.Equal(b, make([]byte, len(b))) {
			t.Errorf("state %d shows the parent", state)
		}
	}
}
