package vmdk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// sparseShape says what a hand-made sparse extent is like. Zero fields get what VMware writes.
type sparseShape struct {
	version, flags uint32
	capacity       int64
	descriptor     string
	grains         map[int64]byte // grain -> every byte of it
	zero           []int64        // grains that are zero by their entry
}

// sparseImage is a hand-made extent and where its parts are, in bytes.
type sparseImage struct {
	b                      []byte
	rgd, gd, rtable, table int
}

const (
	testGrain     = 128 * 512
	shapeDefaults = flagLineEnds | flagRedundant
)

// newSparseImage lays out one table's worth of disk as VMware does: header, descriptor, redundant directory and table,
// directory and table, grains from sector 128 on.
func newSparseImage(tb testing.TB, s sparseShape) sparseImage {
	tb.Helper()
	if s.version == 0 {
		s.version = 1
	}
	if s.flags == 0 {
		s.flags = shapeDefaults
	}
	if s.capacity == 0 {
		s.capacity = 1024
	}
	if s.descriptor == "" {
		s.descriptor = fmt.Sprintf("# Disk DescriptorFile\nversion=1\nCID=00000001\nparentCID=ffffffff\ncreateType=\"monolithicSparse\"\nRW %d SPARSE \"stale.vmdk\"\n", s.capacity)
	}
	le := binary.LittleEndian
	x := sparseImage{b: make([]byte, 128*512), rgd: 21 * 512, rtable: 22 * 512, gd: 26 * 512, table: 27 * 512}
	copy(x.b, magicSparse)
	le.PutUint32(x.b[4:], s.version)
	le.PutUint32(x.b[8:], s.flags)
	le.PutUint64(x.b[12:], uint64(s.capacity))
	le.PutUint64(x.b[20:], 128)
	le.PutUint64(x.b[28:], 1)
	le.PutUint64(x.b[36:], 20)
	le.PutUint32(x.b[44:], 512)
	le.PutUint64(x.b[48:], 21)
	le.PutUint64(x.b[56:], 26)
	le.PutUint64(x.b[64:], 128)
	copy(x.b[73:], lineEnds)
	copy(x.b[512:], s.descriptor)
	le.PutUint32(x.b[x.rgd:], 22)
	le.PutUint32(x.b[x.gd:], 27)
	for _, g := range s.zero {
		x.setEntry(g, rawZeroGrain)
	}
	for g := range (s.capacity + 127) / 128 {
		if v, ok := s.grains[g]; ok {
			x.setEntry(g, uint32(len(x.b)/512))
			x.b = append(x.b, bytes.Repeat([]byte{v}, testGrain)...)
		}
	}
	return x
}

// setEntry sets a grain table entry and its copy.
func (x sparseImage) setEntry(grain int64, v uint32) {
	binary.LittleEndian.PutUint32(x.b[x.table+4*int(grain):], v)
	binary.LittleEndian.PutUint32(x.b[x.rtable+4*int(grain):], v)
}

func (x sparseImage) put32(at int, v uint32) { binary.LittleEndian.PutUint32(x.b[at:], v) }
func (x sparseImage) put64(at int, v uint64) { binary.LittleEndian.PutUint64(x.b[at:], v) }

// firstBytes returns the first byte of every grain.
func firstBytes(t *testing.T, img disk.Image) string {
	t.Helper()
	var s strings.Builder
	b := disktest.ReadAll(t, img)
	for off := 0; off < len(b); off += testGrain {
		g := b[off:min(off+testGrain, len(b))]
		if !bytes.Equal(g, bytes.Repeat(g[:1], len(g))) {
			t.Fatalf("the grain at %d is not of one byte", off)
		}
		s.WriteByte(max(g[0], '.'))
	}
	return s.String()
}

func TestSparse(t *testing.T) {
	abc := map[int64]byte{1: 'a', 2: 'b', 5: 'c'}
	for _, c := range []struct {
		name  string
		shape sparseShape
		edit  func(x *sparseImage)
		want  string // first bytes of the grains, "." = zero
		note  string
		kind  error
		words string
	}{
		{name: "as VMware writes", shape: sparseShape{grains: abc}, want: ".ab..c.."},
		{name: "versions", shape: sparseShape{version: 3, grains: abc}, want: ".ab..c.."},
		{name: "zero grains", shape: sparseShape{version: 2, flags: shapeDefaults | flagZeroGrain, grains: abc, zero: []int64{0, 6}}, want: ".ab..c.."},
		{name: "entry 1 without the flag", shape: sparseShape{grains: abc, zero: []int64{0}}, kind: disk.ErrCorrupt, words: "inside the descriptor"},
		{name: "short last grain", shape: sparseShape{capacity: 1000, grains: map[int64]byte{7: 'x'}}, edit: func(x *sparseImage) {
			x.b = x.b[:len(x.b)-24*512] // what lies behind the capacity need not be there
		}, want: ".......x"},
		{name: "short table", shape: sparseShape{capacity: 1000, grains: abc}, want: ".ab..c.."},
		{name: "descriptor larger than the header", shape: sparseShape{capacity: 512, grains: map[int64]byte{3: 'x'},
			descriptor: "version=1\nCID=1\nRW 1024 SPARSE \"x\"\n"}, want: "...x....", note: "nothing is stored behind"},
		{name: "descriptor smaller than the header", shape: sparseShape{grains: abc, descriptor: "version=1\nCID=1\nRW 256 SPARSE \"x\"\n"}, want: ".a"},
		{name: "no descriptor", shape: sparseShape{grains: abc}, edit: func(x *sparseImage) { x.put64(28, 0) }, want: ".ab..c..", note: "has no descriptor"},
		{name: "empty descriptor", shape: sparseShape{grains: abc}, edit: func(x *sparseImage) { clear(x.b[512 : 21*512]) }, want: ".ab..c..", note: "has no descriptor"},
		{name: "unclean", shape: sparseShape{grains: abc}, edit: func(x *sparseImage) { x.b[72] = 1 }, want: ".ab..c..", note: "not closed by its writer"},
		{name: "unknown flag", shape: sparseShape{grains: abc, flags: shapeDefaults | 0x100}, want: ".ab..c..", note: "unknown header flags 0x100"},
		{name: "grain directory behind the end", shape: sparseShape{grains: abc}, edit: func(x *sparseImage) { x.put64(56, 1<<40) }, want: ".ab..c..",
			note: "the redundant one is used"},
		{name: "grain directory at 0", shape: sparseShape{grains: abc}, edit: func(x *sparseImage) { x.put64(56, 0) }, want: ".ab..c..", note: "the redundant one"},
		{name: "grain directory entry behind the end", shape: sparseShape{grains: abc}, edit: func(x *sparseImage) { x.put32(x.gd, 0xffffff) },
			want: ".ab..c..", note: "the redundant one"},
		{name: "grain table entry behind the end", shape: sparseShape{grains: abc}, edit: func(x *sparseImage) { x.put32(x.table, 0xffffff) },
			want: ".ab..c..", note: "their redundant copies were used"},
		{name: "both directories bad", shape: sparseShape{grains: abc}, edit: func(x *sparseImage) {
			x.put64(56, 1<<40)
			x.put64(48, 1<<41)
		}, kind: disk.ErrTruncated, words: "the directory of 1 tables ends at byte 562949953421316, the file has 262144 bytes"},
		{name: "both tables bad", shape: sparseShape{grains: abc}, edit: func(x *sparseImage) { x.setEntry(3, 0xffffff) }, kind: disk.ErrTruncated,
			words: "grain 3 ends at byte 8589999616 or later, the file has 262144 bytes"},
		{name: "cut", shape: sparseShape{grains: abc}, edit: func(x *sparseImage) { x.b = x.b[:len(x.b)-1] }, kind: disk.ErrTruncated, words: "grain 5 ends at byte 262144"},
		{name: "cut in the header", edit: func(x *sparseImage) { x.b = x.b[:100] }, kind: disk.ErrTruncated, words: "needs 512 bytes"},
		{name: "cut in the descriptor", edit: func(x *sparseImage) { x.b = x.b[:2000] }, kind: disk.ErrTruncated, words: "needs 10240 bytes"},
		{name: "cut in the tables", edit: func(x *sparseImage) { x.b = x.b[:27*512+8] }, kind: disk.ErrTruncated, words: "the file has 13832 bytes"},
		{name: "grain over the header", shape: sparseShape{grains: abc}, edit: func(x *sparseImage) { x.setEntry(0, 26) },
			kind: disk.ErrCorrupt, words: "inside the grain directory"},
		{name: "text mode", edit: func(x *sparseImage) { copy(x.b[73:], "\n \n\n") }, kind: disk.ErrCorrupt, words: "text mode"},
		{name: "text mode, not checked", shape: sparseShape{flags: flagRedundant, grains: abc}, edit: func(x *sparseImage) { clear(x.b[73:77]) }, want: ".ab..c.."},
		{name: "version 0", edit: func(x *sparseImage) { x.put32(4, 0) }, kind: disk.ErrUnsupported, words: "version 0"},
		{name: "version 4", edit: func(x *sparseImage) { x.put32(4, 4) }, kind: disk.ErrUnsupported, words: "version 4"},
		{name: "grain of 3 sectors", edit: func(x *sparseImage) { x.put64(20, 3) }, kind: disk.ErrCorrupt, words: "power of two"},
		{name: "grain of 2 MiB", edit: func(x *sparseImage) { x.put64(20, 4096) }, kind: disk.ErrLimit, words: "the limit is 2048"},
		{name: "tables of 2^31", edit: func(x *sparseImage) { x.put32(44, 1<<31) }, kind: disk.ErrLimit, words: "the limit is 8192"},
		{name: "capacity of 64 TiB and a sector", edit: func(x *sparseImage) { x.put64(12, maxSectors+1) }, kind: disk.ErrLimit, words: "capacity"},
		{name: "directory too large", edit: func(x *sparseImage) {
			x.put64(12, maxSectors)
			x.put64(20, 1)
		}, kind: disk.ErrLimit, words: "268435456 grain tables"},
		{name: "64 TiB that are not there", edit: func(x *sparseImage) { x.put64(12, maxSectors) }, kind: disk.ErrTruncated, words: "2097152 tables"},
		{name: "unknown compression", shape: sparseShape{flags: shapeDefaults | flagCompressed | flagMarkers}, edit: func(x *sparseImage) { x.b[77] = 2 },
			kind: disk.ErrUnsupported, words: "compression algorithm 2"},
		{name: "compression without markers", shape: sparseShape{flags: shapeDefaults | flagCompressed}, edit: func(x *sparseImage) { x.b[77] = 1 },
			kind: disk.ErrUnsupported, words: "0x10003"},
		{name: "several extents inside", shape: sparseShape{descriptor: "version=1\nCID=1\nRW 8 SPARSE \"x\"\nRW 8 SPARSE \"y\""}, kind: disk.ErrUnsupported,
			words: "2 extents"},
		{name: "flat extent inside", shape: sparseShape{descriptor: "version=1\nCID=1\nRW 8 FLAT \"x\" 0"}, kind: disk.ErrUnsupported, words: "FLAT"},
		{name: "descriptor is garbage", shape: sparseShape{descriptor: "\x01\x02garbage"}, kind: disk.ErrCorrupt, words: "neither a version"},
		{name: "native snapshot", shape: sparseShape{descriptor: "version=1\nCID=1\nisNativeSnapshot=\"yes\"\nRW 8 SPARSE \"x\""}, kind: disk.ErrUnsupported,
			words: "native snapshot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newSparseImage(t, c.shape)
			if c.edit != nil {
				c.edit(&x)
			}
			img, err := openIn(t, folder{"renamed.vmdk": x.b}, "renamed.vmdk")
			if c.kind != nil {
				if err == nil {
					_, err = img.ReadAt(make([]byte, img.Size()), 0)
				}
				disktest.CheckError(t, err, c.kind, c.words, "renamed.vmdk")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := firstBytes(t, img); got != c.want {
				t.Errorf("content %s, want %s", got, c.want)
			}
			notes := strings.Join(img.Describe()[0].Notes, "; ")
			if c.note == "" && notes != "" || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
			if found, err := img.Check(t.Context()); err != nil || strings.Contains(c.note, "redundant") && found.Clean() {
				t.Errorf("a check found %+v, %v", found, err)
			}
		})
	}
}

func TestSparseMap(t *testing.T) {
	x := newSparseImage(t, sparseShape{version: 2, flags: shapeDefaults | flagZeroGrain, capacity: 1000, grains: map[int64]byte{1: 'a', 2: 'b', 7: 'c'}, zero: []int64{3, 4}})
	img, err := openIn(t, folder{"x.vmdk": x.b}, "x.vmdk")
	if err != nil {
		t.Fatal(err)
	}
	want := []disk.Extent{
		{Off: 0, Len: testGrain, Kind: disk.Unallocated},
		{Off: testGrain, Len: 2 * testGrain, Kind: disk.Data},
		{Off: 3 * testGrain, Len: 2 * testGrain, Kind: disk.Zero},
		{Off: 5 * testGrain, Len: 2 * testGrain, Kind: disk.Unallocated},
		{Off: 7 * testGrain, Len: 1000*512 - 7*testGrain, Kind: disk.Data},
	}
	for _, w := range want {
		if got, err := img.Extent(t.Context(), w.Off); err != nil || got != w {
			t.Errorf("got %+v, %v, want %+v", got, err, w)
		}
	}
	raw := disktest.ReadAll(t, img)
	disktest.TestImage(t, func(tb testing.TB) disk.Image {
		tb.Helper()
		img, err := Open(tb.Context(), disktest.NewMemFile("x.vmdk", x.b), disk.Env{})
		if err != nil {
			tb.Fatal(err)
		}
		return img
	}, bytes.NewReader(raw), int64(len(raw)))
}

// TestAbsentTables holds that a run over tables that do not exist is one extent, however long.
func TestAbsentTables(t *testing.T) {
	f := written(t, disktest.NewMemImage(8<<40).Put(5<<40, []byte{1}), Options{})
	img, err := Open(t.Context(), f, disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	for _, want := range []disk.Extent{
		{Off: 0, Len: 5 << 40, Kind: disk.Unallocated},
		{Off: 5 << 40, Len: testGrain, Kind: disk.Data, Compressed: true},
		{Off: 5<<40 + testGrain, Len: 3<<40 - testGrain, Kind: disk.Unallocated},
	} {
		if got, err := img.Extent(t.Context(), want.Off); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	grains := map[int64]byte{1: 'a', 2: 'b', 5: 'c'}
	for _, c := range []struct {
		name  string
		edit  func(x *sparseImage)
		words []string
	}{
		{"sound", func(*sparseImage) {}, nil},
		{"two entries for one grain", func(x *sparseImage) { x.setEntry(3, 128) }, []string{"grain 3 is at sector 128, where another grain is"}},
		{"overlap", func(x *sparseImage) { x.setEntry(3, 130) }, []string{"begins 2 sectors after", "begins 126 sectors after"}},
		{"out of range", func(x *sparseImage) { x.setEntry(3, 0xfffffff) }, []string{"grain 3 ends"}},
		{"in the metadata", func(x *sparseImage) { x.setEntry(3, 5) }, []string{"inside the descriptor"}},
		{"one table twice", func(x *sparseImage) { x.put64(12, 128*1024); x.put32(x.gd+4, 27) }, []string{"two entries name this grain table"}},
		{"copies differ", func(x *sparseImage) { x.put32(x.rtable+12, 128) }, []string{"compare redundant grain table"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newSparseImage(t, sparseShape{grains: grains})
			c.edit(&x)
			img, err := openIn(t, folder{"x.vmdk": x.b}, "x.vmdk")
			if err != nil {
				t.Fatal(err)
			}
			found, err := img.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			all := fmt.Sprint(found.Problems)
			for _, w := range c.words {
				if !strings.Contains(all, w) {
					t.Errorf("problems %s, want %q", all, w)
				}
			}
			if (len(c.words) == 0) != (len(found.Problems) == 0) || len(c.words) == 0 && found.Stored != 3 {
				t.Errorf("found %+v", found)
			}
		})
	}
}
