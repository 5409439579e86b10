package vmdk

import (
	"encoding/binary"
	"fmt"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// badDelta is an edit that makes a sound delta hostile, and what must come of it.
type badDelta struct {
	name  string
	edit  func(b []byte) []byte
	kind  error
	words string
}

func put32(at int, v uint32) func([]byte) []byte {
	return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b }
}

func put64(at int, v uint64) func([]byte) []byte {
	return func(b []byte) []byte { binary.LittleEndian.PutUint64(b[at:], v); return b }
}

func cutAt(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }

// checkBadDelta opens and reads a snapshot whose delta was edited.
func checkBadDelta(t *testing.T, b []byte, sectors int64, c badDelta) {
	t.Helper()
	files := flatBase(disktest.Random(1, 4096))
	files["snap-delta.vmdk"] = c.edit(b)
	files["snap.vmdk"] = snapshotOf("any", "base.vmdk", fmt.Sprintf(`RW %d SPARSE "snap-delta.vmdk"`, sectors))
	img, err := openIn(t, files, "snap.vmdk")
	if err == nil {
		_, err = img.ReadAt(make([]byte, img.Size()), 0)
	}
	disktest.CheckError(t, err, c.kind, c.words, "snap-delta.vmdk")
}

func TestBadCOWD(t *testing.T) {
	d := delta{capacity: 5000, grains: map[int64][]byte{1: make([]byte, 512), 4999: make([]byte, 512)}}
	const gd, firstTable = 4 * 512, 5 * 512
	for _, c := range []badDelta{
		{"version", put32(4, 2), disk.ErrUnsupported, "version 2"},
		{"no grain size", put32(16, 0), disk.ErrCorrupt, "grain size is 0"},
		{"odd grain size", put32(16, 3), disk.ErrCorrupt, "grain size is 3"},
		{"huge grains", put32(16, 1<<31), disk.ErrLimit, "grain size is 2147483648"},
		{"huge capacity", put32(12, 0xffffffff), disk.ErrCorrupt, "needs 1048576"},
		{"huge capacity and directory", func(b []byte) []byte { return put32(12, 0xffffffff)(put32(24, 0xffffffff)(b)) }, disk.ErrTruncated, "1048576 tables"},
		{"short directory", put32(24, 1), disk.ErrCorrupt, "has 1 entries"},
		{"directory in the header", put32(20, 1), disk.ErrCorrupt, "in the header"},
		{"directory at 0", put32(20, 0), disk.ErrCorrupt, "in the header"},
		{"directory past the end", put32(20, 0xffffffff), disk.ErrTruncated, "grain directory"},
		{"table past the end", put32(gd, 0xffffffff), disk.ErrTruncated, "grain table 0 ends"},
		{"directory that names itself", put32(gd, 4), disk.ErrCorrupt, "grain table 0 is inside the grain directory"},
		{"table in the header", put32(gd, 2), disk.ErrCorrupt, "grain table 0 is inside the header"},
		{"grain past the end", put32(firstTable+4, 0xffffffff), disk.ErrTruncated, "grain 1 ends"},
		{"grain in the header", put32(firstTable+4, 3), disk.ErrCorrupt, "inside the header"},
		{"grain in the directory", put32(firstTable+4, 4), disk.ErrCorrupt, "inside the grain directory"},
		{"entry 1 is no grain of zeroes", put32(firstTable+8, 1), disk.ErrCorrupt, "inside the header"},
		{"cut in the header", cutAt(2047), disk.ErrTruncated, "needs 2048"},
		{"cut in the directory", cutAt(2050), disk.ErrTruncated, "directory of 2 tables"},
		{"cut in a table", cutAt(firstTable + 600), disk.ErrTruncated, "grain table 0"},
		{"cut in the last grain", func(b []byte) []byte { return b[:len(b)-1] }, disk.ErrTruncated, "grain 4999 ends"},
	} {
		t.Run(c.name, func(t *testing.T) { checkBadDelta(t, newCOWD(d, 1), d.capacity, c) })
	}
	t.Run("notes", func(t *testing.T) {
		files := flatBase(make([]byte, 512))
		files["snap-delta.vmdk"] = put32(1648, 1)(put32(8, 0x13)(newCOWD(d, 1)))
		files["snap.vmdk"] = snapshotOf("vmfsSparse", "base.vmdk", `RW 6000 VMFSSPARSE "snap-delta.vmdk"`)
		checkNotes(t, files, "not closed by its writer", "unknown header flags 0x10", "6000 sectors, the header 5000", "the parent has 512 bytes")
	})
}

// checkNotes opens the snapshot and wants exactly these notes on its top layer.
func checkNotes(t *testing.T, files folder, notes ...string) {
	t.Helper()
	img, err := openIn(t, files, "snap.vmdk")
	if err != nil {
		t.Fatal(err)
	}
	got := img.Describe()[0].Notes
	if len(got) != len(notes) {
		t.Errorf("notes %q, want %q", got, notes)
	}
	for _, want := range notes {
		found := false
		for _, n := range got {
			found = found || containsAll(n, want)
		}
		if !found {
			t.Errorf("notes %q, want %q", got, want)
		}
	}
}

func TestBadSESparse(t *testing.T) {
	d := delta{capacity: 40 << 10, grains: map[int64][]byte{0: make([]byte, 4096), 5000: make([]byte, 4096)}, zero: []int64{1}}
	const gd, firstTable = seDirectoryAt * 512, (seDirectoryAt + 1) * 512
	header := func(word int, v uint64) func([]byte) []byte { return put64(8*word, v) }
	for _, c := range []badDelta{
		{"version", header(1, 0x200000002), disk.ErrUnsupported, "version is 0x200000002"},
		{"grain size", header(3, 16), disk.ErrUnsupported, "grain size is 0x10"},
		{"table size", header(4, 128), disk.ErrUnsupported, "grain table size"},
		{"flags", header(5, 1), disk.ErrUnsupported, "flags is 0x1"},
		{"reserved word", header(7, 1), disk.ErrUnsupported, "where other images have 0"},
		{"padding", header(63, 1<<56), disk.ErrUnsupported, "at 0x1ff"},
		{"dirty", put64(seVolatileAt*512+24, 1), disk.ErrUnsupported, "journal has to be replayed"},
		{"volatile signature", put64(seVolatileAt*512, 0xcafebabe), disk.ErrCorrupt, "signature is 0xcafebabe"},
		{"volatile padding", put64(seVolatileAt*512+504, 1), disk.ErrUnsupported, "where other images have 0"},
		{"volatile header past the end", header(10, 1<<40), disk.ErrTruncated, "volatile header"},
		{"volatile header beyond numbers", header(10, 1<<63), disk.ErrCorrupt, "volatile header offset"},
		{"capacity beyond the limit", header(2, 1<<40), disk.ErrLimit, "capacity"},
		{"capacity beyond the directory", header(2, 1<<37), disk.ErrCorrupt, "room for 64 tables"},
		{"capacity and directory beyond the file", func(b []byte) []byte { return header(2, 1<<37)(header(17, 1<<40)(b)) }, disk.ErrTruncated, "4194304 tables"},
		{"directory in the header", header(16, 0), disk.ErrCorrupt, "in the header"},
		{"directory past the end", header(16, 1<<52), disk.ErrTruncated, "grain directory"},
		{"directory entry of another kind", put64(gd, 2<<60), disk.ErrCorrupt, "names no grain table"},
		{"directory entry without a kind", put64(gd, 7), disk.ErrCorrupt, "names no grain table"},
		{"directory entry beyond numbers", put64(gd, 1<<60|1<<32), disk.ErrCorrupt, "names no grain table"},
		{"table past the end", put64(gd, 1<<60|0xfffffffe), disk.ErrTruncated, "grain table 0 ends"},
		{"tables in the header", header(18, 0), disk.ErrCorrupt, "grain table 0 is inside the header"},
		{"tables far beyond", header(18, 1<<53), disk.ErrTruncated, "grain table 0 ends"},
		{"grains in the header", header(24, 0), disk.ErrCorrupt, "begin in the header"},
		{"grains in the tables", header(24, seDirectoryAt+2), disk.ErrCorrupt, "inside the grain tables"},
		{"grains far beyond", header(24, 1<<53), disk.ErrTruncated, "grain 0 ends"},
		{"grain past the end", put64(firstTable, 3<<60|1000), disk.ErrTruncated, "grain 0 ends"},
		{"grain beyond numbers", put64(firstTable, 1<<62-1), disk.ErrCorrupt, "means nothing"},
		{"entry of an unknown kind", put64(firstTable+16, 4<<60), disk.ErrCorrupt, "grain 2 is 0x4000000000000000"},
		{"entry without a kind", put64(firstTable+16, 9), disk.ErrCorrupt, "grain 2 is 0x9"},
		{"cut in the header", cutAt(511), disk.ErrTruncated, "needs 512"},
		{"cut in the tables", cutAt(firstTable + 600), disk.ErrTruncated, "grain table"},
		{"cut in the last grain", func(b []byte) []byte { return b[:len(b)-1] }, disk.ErrTruncated, "grain 5000 ends"},
	} {
		t.Run(c.name, func(t *testing.T) { checkBadDelta(t, newSESparse(d), d.capacity, c) })
	}
	files := flatBase(make([]byte, 512))
	files["snap-delta.vmdk"] = newSESparse(d)
	files["snap.vmdk"] = snapshotOf("vmfsSparse", "base.vmdk", fmt.Sprintf(`RW %d VMFSSPARSE "snap-delta.vmdk"`, d.capacity))
	checkNotes(t, files, "of type SESPARSE, the descriptor says VMFSSPARSE", "the parent has 512 bytes")
}

// TestLoneDelta names an extent of a snapshot that comes without its descriptor.
func TestLoneDelta(t *testing.T) {
	d := delta{capacity: 8, grains: map[int64][]byte{}}
	for words, b := range map[string][]byte{"COWD (vmfsSparse)": newCOWD(d, 1), "an seSparse extent": newSESparse(d)} {
		_, err := openIn(t, folder{"x-000001-delta.vmdk": b}, "x-000001-delta.vmdk")
		disktest.CheckError(t, err, disk.ErrUnsupported, words, "without its descriptor", "x-000001-delta.vmdk")
		_, _, err = References(disktest.NewMemFile("x", b))
		disktest.CheckError(t, err, disk.ErrUnsupported, words)
	}
}

// TestCheckDeltas holds that a check finds grains on top of each other, and entries that mean nothing.
func TestCheckDeltas(t *testing.T) {
	d := delta{capacity: 8192, grains: map[int64][]byte{0: make([]byte, 4096), 1: make([]byte, 4096)}}
	for name, c := range map[string]badDelta{
		"sound":  {edit: func(b []byte) []byte { return b }},
		"twice":  {edit: put64((seDirectoryAt+1)*512+8, 3<<60), words: "where another grain is"},
		"kind":   {edit: put64((seDirectoryAt+1)*512+80, 15<<60), words: "means nothing"},
		"beyond": {edit: put64((seDirectoryAt+1)*512+80, 3<<60|77), words: "grain 10 ends"},
	} {
		t.Run(name, func(t *testing.T) {
			files := flatBase(make([]byte, 8192*512))
			files["snap-delta.vmdk"] = c.edit(newSESparse(d))
			files["snap.vmdk"] = snapshotOf("seSparse", "base.vmdk", `RW 8192 SESPARSE "snap-delta.vmdk"`)
			img, err := openIn(t, files, "snap.vmdk")
			if err != nil {
				t.Fatal(err)
			}
			found, err := img.Check(t.Context())
			if err != nil || found.Units != 1024 || !containsAll(fmt.Sprint(found.Problems), c.words) || (len(found.Problems) == 0) != (c.words == "") {
				t.Errorf("found %+v, %v, want %q", found, err, c.words)
			}
		})
	}
}
