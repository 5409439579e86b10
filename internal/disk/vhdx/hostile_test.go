package vhdx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// le64 and le32 return numbers as they are stored.
func le64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// TestRefused changes one thing of a sound image at a time.
func TestRefused(t *testing.T) {
	bat, meta := specRegion{textBAT, specBATAt, testMiB, 1}, specRegion{textMetadata, specMetadataAt, testMiB, 1}
	free := int64(200 * testMiB)
	for _, c := range []struct {
		name   string
		change func(f *specFile)
		kind   error
		words  []string
	}{
		{"signature", func(f *specFile) { f.put(0, []byte("vhdxfilE")) }, disk.ErrFormat, []string{"at 0x0"}},
		{"both headers", func(f *specFile) { f.put(65536, []byte("x")); f.put(131072+9, []byte("x")) }, disk.ErrCorrupt, []string{"at 0x10000", "0x20000", "checksum"}},
		{"version", func(f *specFile) { f.both(false, 66, []byte{2, 0}) }, disk.ErrUnsupported, []string{"version is 2"}},
		{"log over the BAT", func(f *specFile) { f.both(false, 72, le64(specBATAt)) }, disk.ErrCorrupt, []string{"overlaps", "the BAT", "the log"}},
		{"log far away", func(f *specFile) { f.both(false, 72, le64(1<<63)) }, disk.ErrCorrupt, []string{"log at"}},

		{"both region tables", func(f *specFile) { f.put(3*65536, []byte("x")); f.put(4*65536+100, []byte("x")) }, disk.ErrCorrupt, []string{"at 0x30000", "0x40000"}},
		{"too many regions", func(f *specFile) { f.both(true, 8, le32(2048)) }, disk.ErrCorrupt, []string{"2048 entries"}},
		{"required region", func(f *specFile) { f.regionTables(bat, meta, specRegion{textOther, free, testMiB, 1}) }, disk.ErrUnsupported, []string{"at 0x30000", textOther}},
		{"region twice", func(f *specFile) { f.regionTables(bat, meta, bat) }, disk.ErrCorrupt, []string{"twice", strings.ToLower(textBAT)}},
		{"no BAT", func(f *specFile) { f.regionTables(meta) }, disk.ErrCorrupt, []string{"not listed"}},
		{"no metadata region", func(f *specFile) { f.regionTables(bat) }, disk.ErrCorrupt, []string{"not listed"}},
		{"no regions", func(f *specFile) { f.regionTables() }, disk.ErrCorrupt, []string{"not listed"}},
		{"region over another", func(f *specFile) { f.regionTables(bat, meta, specRegion{textOther, specBATAt, testMiB, 0}) }, disk.ErrCorrupt, []string{"overlaps"}},
		{"region over the log", func(f *specFile) { f.regionTables(bat, meta, specRegion{textOther, f.log, testMiB, 0}) }, disk.ErrCorrupt, []string{"overlaps", "the log"}},
		{"region over the headers", func(f *specFile) { f.regionTables(specRegion{textBAT, 0, testMiB, 1}, meta) }, disk.ErrCorrupt, []string{"1 MiB"}},
		{"region not at a MiB", func(f *specFile) { f.regionTables(specRegion{textBAT, specBATAt + 4096, testMiB, 1}, meta) }, disk.ErrCorrupt, []string{"1 MiB"}},
		{"region of half a MiB", func(f *specFile) { f.regionTables(specRegion{textBAT, specBATAt, testMiB / 2, 1}, meta) }, disk.ErrCorrupt, []string{"1 MiB"}},
		{"region of no bytes", func(f *specFile) { f.regionTables(specRegion{textBAT, specBATAt, 0, 1}, meta) }, disk.ErrCorrupt, []string{"1 MiB"}},
		{"region far away", func(f *specFile) { f.regionTables(specRegion{textBAT, -testMiB, testMiB, 1}, meta) }, disk.ErrCorrupt, nil},
		{"BAT past the end", func(f *specFile) { f.regionTables(specRegion{textBAT, free, testMiB, 1}, meta) }, disk.ErrTruncated, []string{"at 0xc800000"}},
		{"metadata past the end", func(f *specFile) { f.regionTables(bat, specRegion{textMetadata, free, testMiB, 1}) }, disk.ErrTruncated, []string{"at 0xc800000"}},

		{"metadata signature", func(f *specFile) { f.put(specMetadataAt, []byte("M")) }, disk.ErrCorrupt, []string{"at 0x100000"}},
		{"too many items", func(f *specFile) { f.put(specMetadataAt+10, []byte{0, 8}) }, disk.ErrCorrupt, []string{"2048 entries"}},
		{"no items", func(f *specFile) { f.put(specMetadataAt+10, []byte{0, 0}) }, disk.ErrCorrupt, []string{"no file parameters"}},
		{"required item", func(f *specFile) { f.metadataItems(append(f.sum.items(), specItem{textOther, 4, []byte("?")})) }, disk.ErrUnsupported, []string{"at 0x1000c0", textOther}},
		{"required item of a user", func(f *specFile) { f.metadataItems(append(f.sum.items(), specItem{textSize, 5, le64(9)})) }, disk.ErrUnsupported, []string{strings.ToLower(textSize)}},
		{"item twice", func(f *specFile) { f.metadataItems(append(f.sum.items(), specItem{textSize, 6, le64(512)})) }, disk.ErrCorrupt, []string{"twice"}},
		{"too many items of users", func(f *specFile) {
			items := f.sum.items()
			for i := range 1025 {
				items = append(items, specItem{fmt.Sprintf("00000000-0000-0000-0000-%012x", i), 1, nil})
			}
			f.metadataItems(items)
		}, disk.ErrCorrupt, []string{"1024"}},
		{"items over each other", func(f *specFile) { f.put(specMetadataAt+32+16, le32(65536+41+28)) }, disk.ErrCorrupt, []string{"overlaps"}},
		{"item in the table", func(f *specFile) { f.put(specMetadataAt+32+16, le32(65535)) }, disk.ErrCorrupt, []string{"at 0x100020"}},
		{"item past the region", func(f *specFile) { f.put(specMetadataAt+32+16, le32(testMiB-3)) }, disk.ErrCorrupt, []string{"at 0x100020"}},
		{"item past everything", func(f *specFile) { f.put(specMetadataAt+32+16, le32(1<<32-1)) }, disk.ErrCorrupt, []string{"at 0x100020"}},
		{"item too long", func(f *specFile) { f.put(specMetadataAt+32+20, le32(testMiB+1)) }, disk.ErrCorrupt, []string{"1048576"}},
		{"empty item at a place", func(f *specFile) { f.put(specMetadataAt+32+20, le32(0)) }, disk.ErrCorrupt, []string{"0 bytes at"}},
		{"size too short", func(f *specFile) { f.put(specMetadataAt+32+3*32+20, le32(7)) }, disk.ErrCorrupt, []string{"7 bytes, needs 8"}},
		{"no size", func(f *specFile) { f.metadataItems(f.sum.items()[4:]) }, disk.ErrCorrupt, []string{"no logical sector size"}},

		{"block size 0", func(f *specFile) { f.put(f.item(textFile), le32(0)) }, disk.ErrCorrupt, []string{"block size 0"}},
		{"block size of half a MiB", func(f *specFile) { f.put(f.item(textFile), le32(testMiB/2)) }, disk.ErrCorrupt, []string{"block size 524288"}},
		{"block size of 512 MiB", func(f *specFile) { f.put(f.item(textFile), le32(512*testMiB)) }, disk.ErrCorrupt, nil},
		{"block size of 3 MiB", func(f *specFile) { f.put(f.item(textFile), le32(3*testMiB)) }, disk.ErrCorrupt, nil},
		{"flags", func(f *specFile) { f.put(f.item(textFile)+4, le32(4)) }, disk.ErrUnsupported, []string{"flags 0x4"}},
		{"a parent that is not stated", func(f *specFile) { f.put(f.item(textFile)+4, le32(2)) }, disk.ErrCorrupt, []string{"no parent locator"}},
		{"sector size 520", func(f *specFile) { f.put(f.item(textLogical), le32(520)) }, disk.ErrCorrupt, []string{"520"}},
		{"size not of sectors", func(f *specFile) { f.put(f.item(textSize), le64(1000)) }, disk.ErrCorrupt, []string{"1000"}},
		{"size over 64 TiB", func(f *specFile) { f.put(f.item(textSize), le64(64<<40+512)) }, disk.ErrLimit, []string{"70368744178176"}},
		{"size without end", func(f *specFile) { f.put(f.item(textSize), le64(1<<64-512)) }, disk.ErrLimit, nil},
		{"size beyond the BAT", func(f *specFile) { f.put(f.item(textSize), le64(1<<40)) }, disk.ErrCorrupt, []string{"at 0x200000", "needs"}},

		{"reserved state", func(f *specFile) { f.put(specBATAt, le64(uint64(f.blocks[0])|4)) }, disk.ErrCorrupt, []string{"at 0x200000", "block 0", "state 4"}},
		{"partial without a parent", func(f *specFile) { f.put(specBATAt, le64(uint64(f.blocks[0])|7)) }, disk.ErrCorrupt, []string{"no parent"}},
		{"reserved bits", func(f *specFile) { f.put(specBATAt, le64(uint64(f.blocks[0])|0x86)) }, disk.ErrCorrupt, []string{"reserved bits"}},
		{"block at no place", func(f *specFile) { f.put(specBATAt, le64(6)) }, disk.ErrCorrupt, []string{"at no place"}},
		{"block in the log", func(f *specFile) { f.put(specBATAt, le64(uint64(f.log)|6)) }, disk.ErrCorrupt, []string{"overlaps the log"}},
		{"block in the BAT", func(f *specFile) { f.put(specBATAt, le64(specBATAt|6)) }, disk.ErrCorrupt, []string{"overlaps the BAT"}},
		{"block past the end", func(f *specFile) { f.put(specBATAt, le64(uint64(free)|6)) }, disk.ErrTruncated, []string{"at 0x200000", "0xc800000"}},
		{"block far away", func(f *specFile) { f.put(specBATAt, le64(1<<63|6)) }, disk.ErrCorrupt, []string{"block 0"}},
		{"block at the end of the numbers", func(f *specFile) { f.put(specBATAt, le64((1<<64-1)&^(testMiB-1)|6)) }, disk.ErrCorrupt, []string{"block 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := plainDisk().make(t)
			c.change(f)
			img, err := openIn(t, f, nil)
			if err == nil {
				_, err = img.ReadAt(make([]byte, 512), 0)
				if _, merr := img.Extent(t.Context(), 0); !errors.Is(merr, c.kind) {
					t.Errorf("map: %v, want %v", merr, c.kind)
				}
			}
			disktest.CheckError(t, err, c.kind, append(c.words, "vhdx", "disk.vhdx")...)
		})
	}
}

// TestAccepted has what looks odd and is allowed.
func TestAccepted(t *testing.T) {
	bat, meta := specRegion{textBAT, specBATAt, testMiB, 1}, specRegion{textMetadata, specMetadataAt, testMiB, 1}
	for _, c := range []struct {
		name   string
		change func(f *specFile)
	}{
		{"a region that is not required", func(f *specFile) { f.regionTables(specRegion{textOther, 300 * testMiB, testMiB, 0}, bat, meta) }},
		{"items that are not required", func(f *specFile) {
			f.metadataItems(append(f.sum.items(), specItem{textOther, 2, []byte("?")}, specItem{textSize, 1, []byte("a user's")}, specItem{textDisk, 1, nil}))
		}},
		{"no disk id, no physical sector size", func(f *specFile) { f.metadataItems(append(f.sum.items()[1:2], f.sum.items()[3:]...)) }},
		{"remains in the entry of a sector bitmap", func(f *specFile) { f.put(specBATAt+4096*8, le64(77<<20|5)) }},
		{"places of blocks that are not stored", func(f *specFile) { f.put(specBATAt+8, le64(1<<60)); f.put(specBATAt+16, le64(uint64(f.log)|1)) }},
		{"a larger file", func(f *specFile) { f.put(f.end+12345, []byte{1}) }},
		{"an empty log that is not there", func(f *specFile) { f.both(false, 72, le64(500*testMiB)) }},
		{"no log", func(f *specFile) { f.both(false, 68, make([]byte, 12)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plainDisk()
			f := s.make(t)
			c.change(f)
			if !bytes.Equal(disktest.ReadAll(t, mustOpen(t, f, nil)), disktest.ReadAll(t, s.want())) {
				t.Error("content differs")
			}
		})
	}
}

// TestDifferencingRefused damages what only differencing disks have.
func TestDifferencingRefused(t *testing.T) {
	d := folder{"base.vhdx": baseDisk().make(t)}
	for _, c := range []struct {
		name   string
		change func(f *specFile)
		kind   error
		words  []string
	}{
		{"no bitmap", func(f *specFile) { f.put(specBATAt+8*2048, le64(0)) }, disk.ErrCorrupt, []string{"at 0x204000", "sector bitmap 0", "state 0"}},
		{"state of the bitmap", func(f *specFile) { f.put(specBATAt+8*2048, le64(uint64(f.bitmaps[0])|7)) }, disk.ErrCorrupt, []string{"at 0x204000", "state 7"}},
		{"bitmap past the end", func(f *specFile) { f.put(specBATAt+8*2048, le64(900<<20|6)) }, disk.ErrTruncated, []string{"at 0x204000", "1048576 bytes"}},
		{"bitmap at the end", func(f *specFile) {
			if err := f.Truncate(f.end + 512); err != nil {
				panic(err) // the size is not negative
			}
			f.put(specBATAt+8*2048, le64(uint64(f.end)|6))
		}, disk.ErrTruncated, []string{"at 0x204000"}},
		{"bitmap in the BAT", func(f *specFile) { f.put(specBATAt+8*2048, le64(specBATAt|6)) }, disk.ErrCorrupt, []string{"overlaps the BAT"}},
		{"bitmap at no place", func(f *specFile) { f.put(specBATAt+8*2048, le64(6)) }, disk.ErrCorrupt, []string{"at no place"}},
		{"locator cut", func(f *specFile) { f.put(f.item(textLocator)+18, []byte{0xff, 0xff}) }, disk.ErrCorrupt, []string{"65535 entries"}},
		{"locator too short", func(f *specFile) { f.put(specMetadataAt+32+5*32+20, le32(19)) }, disk.ErrCorrupt, []string{"19 bytes"}},
		{"key outside", func(f *specFile) { f.put(f.item(textLocator)+20, le32(1<<32-2)) }, disk.ErrCorrupt, []string{"entry 0"}},
		{"value outside", func(f *specFile) { f.put(f.item(textLocator)+24, le32(5000)) }, disk.ErrCorrupt, []string{"entry 0"}},
		{"key of no length", func(f *specFile) { f.put(f.item(textLocator)+28, []byte{0, 0}) }, disk.ErrCorrupt, []string{"entry 0"}},
		{"key of odd length", func(f *specFile) { f.put(f.item(textLocator)+28, []byte{3, 0}) }, disk.ErrCorrupt, []string{"entry 0"}},
		{"key in the table", func(f *specFile) { f.put(f.item(textLocator)+20, le32(4)) }, disk.ErrCorrupt, []string{"entry 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := diffDisk().make(t)
			c.change(f)
			img, err := openIn(t, f, d)
			if err == nil {
				_, err = img.ReadAt(make([]byte, 512), 0)
			}
			disktest.CheckError(t, err, c.kind, append(c.words, "vhdx", "disk.vhdx")...)
		})
	}
}

// TestHostileNames holds that what an image says is escaped and asked for as a plain name only.
func TestHostileNames(t *testing.T) {
	s := diffDisk()
	for _, path := range []string{`C:\etc\passwd`, "/etc/passwd", `..\..\etc\passwd`, "\x1b[2Jpasswd", `nbd:host/passwd`} {
		s.parent = [][2]string{{"parent_linkage", "{" + textParent + "}"}, {"relative_path", path}}
		open, trace := disktest.TracingOpener(folder{}.open)
		_, err := Open(t.Context(), s.make(t), disktest.EnvOf(Open, formatName, open, nil))
		disktest.CheckError(t, err, disk.ErrMissing, "passwd")
		if strings.ContainsRune(err.Error(), 0x1b) {
			t.Errorf("%q has an escape", err)
		}
		if names := trace.Names(); len(names) != 1 || strings.ContainsAny(names[0], `/\`) {
			t.Errorf("%q: asked for %q", path, names)
		}
	}
	f := plainDisk().make(t)
	f.put(8, utf16le("\x1b[2J\u202eevil\x00"))
	if c := mustOpen(t, f, nil).Describe()[0].Creator; c != "?[2J?evil" {
		t.Errorf("creator is %q", c)
	}
}

func TestSetsAreRefusedByName(t *testing.T) {
	for _, name := range []string{"disk.vhds", "DISK.VHDS", "disk.vhdset"} {
		_, err := Open(t.Context(), disktest.NewMemFile(name, []byte("vhdxfile")), disk.Env{})
		disktest.CheckError(t, err, disk.ErrUnsupported, "VHD set", name)
	}
}

// TestCheckFindsOverlaps has blocks and bitmaps on top of each other, which only a look at the whole BAT can find.
func TestCheckFindsOverlaps(t *testing.T) {
	f := diffDisk().make(t)
	f.put(specBATAt+8*3, le64(uint64(f.blocks[0])|6))           // the same place
	f.put(specBATAt+8*4, le64(uint64(f.blocks[0]+testMiB)|6))   // half of it
	f.put(specBATAt+8*2048, le64(uint64(f.blocks[0]+0)|6))      // a bitmap in a block
	f.put(specBATAt+8*2, le64(uint64(f.end+100*testMiB)<<20|4)) // not sound at all
	img := mustOpen(t, f, folder{"base.vhdx": baseDisk().make(t)})
	found, err := img.Check(t.Context())
	if err != nil || len(found.Problems) != 4 || found.More != 0 {
		t.Fatalf("check: %+v, %v", found, err)
	}
	for i, want := range []string{"at 0x200010", "at 0x200018", "at 0x200020", "at 0x204000"} {
		disktest.CheckError(t, found.Problems[i], disk.ErrCorrupt, want)
	}
}

func TestCheckCounts(t *testing.T) {
	s := &specImage{size: 300 * testMiB, blockSize: testMiB}
	f := s.make(t)
	for i := range int64(300) {
		f.put(specBATAt+8*i, le64(4))
	}
	found, err := mustOpen(t, f, nil).Check(t.Context())
	if err != nil || len(found.Problems) != disk.MaxProblems || found.More != 200 {
		t.Errorf("%d problems and %d more, %v", len(found.Problems), found.More, err)
	}
}

// TestHostileSizes holds that numbers in an image do not become memory.
func TestHostileSizes(t *testing.T) {
	s := &specImage{blockSize: testMiB, size: 64 << 40}
	f := s.make(t)
	d := diffDisk()
	d.size, d.blocks = 64<<40, nil
	g := d.make(t)
	base := baseDisk().make(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, x := range []disk.File{f, g} {
		img := mustOpen(t, x, folder{"base.vhdx": base})
		for off := int64(0); off < img.Size(); {
			e, err := img.Extent(t.Context(), off)
			if err != nil {
				t.Fatal(err)
			}
			off = e.End() + 1<<35
		}
	}
	runtime.GC() // what is held is what is left after it, whenever the last one was
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 600<<20 {
		t.Errorf("%d MiB were allocated", n>>20)
	}
	if n := int64(after.HeapAlloc) - int64(before.HeapAlloc); n > 64<<20 {
		t.Errorf("%d MiB are held", n>>20)
	}
}
