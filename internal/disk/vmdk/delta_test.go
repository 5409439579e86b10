package vmdk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// delta says what an extent of a snapshot holds.
type delta struct {
	capacity int64            // sectors
	grains   map[int64][]byte // grain -> its content, a full grain
	zero     []int64          // grains of zeroes, where the format has them
	unused   int              // grains of an seSparse extent that no entry names, before the others
}

// apply puts the delta over the content of the parent.
func (d delta) apply(parent []byte, grain int64) []byte {
	out := make([]byte, d.capacity*512)
	copy(out, parent)
	put := func(g int64, b []byte) {
		if g*grain < int64(len(out)) {
			copy(out[g*grain:], b)
		}
	}
	for g, b := range d.grains {
		put(g, b)
	}
	for _, g := range d.zero {
		put(g, make([]byte, grain))
	}
	return out
}

// newCOWD lays out a COWD extent as the specification has it: a header of four sectors, the grain directory right behind it,
// then tables and grains as they come into being. Grains come in the order of their numbers' last digits, so that they are not
// in the order of the disk.
func newCOWD(d delta, grainSectors uint32) []byte {
	const entries = 4096
	le := binary.LittleEndian
	grains := (d.capacity + int64(grainSectors) - 1) / int64(grainSectors)
	tables := int((grains + entries - 1) / entries)
	b := make([]byte, 2048+(4*tables+511)/512*512)
	copy(b, "COWD")
	le.PutUint32(b[4:], 1)
	le.PutUint32(b[8:], 3)
	le.PutUint32(b[12:], uint32(d.capacity))
	le.PutUint32(b[16:], grainSectors)
	le.PutUint32(b[20:], 4)
	le.PutUint32(b[24:], uint32(tables))
	for _, g := range mixed(d.grains) {
		gde := 2048 + 4*int(g/entries)
		if le.Uint32(b[gde:]) == 0 {
			le.PutUint32(b[gde:], uint32(len(b)/512))
			b = append(b, make([]byte, 4*entries)...)
		}
		gte := int(le.Uint32(b[gde:]))*512 + 4*int(g%entries)
		le.PutUint32(b[gte:], uint32(len(b)/512))
		b = append(b, d.grains[g]...)
	}
	le.PutUint32(b[28:], uint32(len(b)/512)) // the next free sector
	return b
}

// seSparseAt are the sectors at which newSESparse puts the parts of an extent.
const (
	seVolatileAt  = 1
	seJournalAt   = 2
	seDirectoryAt = 4
)

// newSESparse lays out an seSparse extent: constant header, volatile header, journal, grain directory, tables in the order in
// which they come into being, grains.
func newSESparse(d delta) []byte {
	const entries, tableBytes = 4096, 64 * 512
	le := binary.LittleEndian
	grains := (d.capacity + 7) / 8
	tables := (grains + entries - 1) / entries
	dirSectors := (tables*8 + 511) / 512
	tablesAt := seDirectoryAt + dirSectors
	bitmapAt := tablesAt + tables*64
	grainsAt := (bitmapAt + 2 + 7) / 8 * 8
	b := make([]byte, grainsAt*512)
	for i, v := range []int64{0xcafebabe, 0x200000001, d.capacity, 8, 64, 0, 0, 0, 0, 0, seVolatileAt, 1, seJournalAt, 1, seJournalAt + 1, 1,
		seDirectoryAt, dirSectors, tablesAt, tables * 64, bitmapAt, 1, bitmapAt + 1, 1, grainsAt, int64(len(d.grains)) * 8} {
		le.PutUint64(b[8*i:], uint64(v))
	}
	le.PutUint64(b[seVolatileAt*512:], 0xcafecafe)
	le.PutUint64(b[seVolatileAt*512+16:], 7) // number of the next transaction
	var used uint64
	entry := func(g int64) []byte {
		gde := b[seDirectoryAt*512+8*(g/entries):]
		if le.Uint64(gde) == 0 {
			le.PutUint64(gde, 1<<60|used)
			used++
		}
		table := tablesAt*512 + int64(le.Uint64(gde)&0xffffffff)*tableBytes
		return b[table+8*(g%entries):]
	}
	for i, g := range d.zero {
		le.PutUint64(entry(g), uint64(1+i%2)<<60|uint64(i)) // unmapped and zero in turn
	}
	next := uint64(d.unused)
	b = append(b, make([]byte, d.unused*4096)...)
	for _, g := range mixed(d.grains) {
		le.PutUint64(entry(g), 3<<60|next&0xfff<<48|next>>12)
		next++
		b = append(b, d.grains[g]...)
	}
	return b
}

// mixed returns the numbers of grains in an order that is not theirs.
func mixed(grains map[int64][]byte) []int64 {
	return slices.SortedFunc(maps.Keys(grains), func(a, b int64) int { return int(10*(a%10-b%10)) + int(min(1, max(-1, a-b))) })
}

// snapshotOf returns a descriptor of a snapshot with CID 2 on a parent with CID 1.
func snapshotOf(createType, parent string, lines ...string) []byte {
	text := "# Disk DescriptorFile\nversion=3\nencoding=\"UTF-8\"\nCID=00000002\nparentCID=00000001\nisNativeSnapshot=\"no\"\ncreateType=\"" + createType +
		"\"\nparentFileNameHint=\"" + parent + "\"\n# Extent description\n"
	for _, line := range lines {
		text += line + "\n"
	}
	return []byte(text + "# Change Tracking File\nchangeTrackPath=\"snap-ctk.vmdk\"\n")
}

// flatBase returns a folder with a flat disk of this content and CID 1.
func flatBase(content []byte) folder {
	return folder{
		"base-flat.vmdk": content,
		"base.vmdk": fmt.Appendf(nil, "# Disk DescriptorFile\nversion=1\nCID=00000001\nparentCID=ffffffff\ncreateType=\"vmfs\"\nRW %d VMFS \"base-flat.vmdk\"\n",
			len(content)/512),
	}
}

// deltaKinds are the kinds of extents that snapshots are made of.
var deltaKinds = []struct {
	name, createType, extent string
	grain                    int64 // bytes
	zeroes                   bool  // it has grains of zeroes
	build                    func(tb testing.TB, d delta) []byte
}{
	{"COWD", "vmfsSparse", "VMFSSPARSE", 512, false, func(_ testing.TB, d delta) []byte { return newCOWD(d, 1) }},
	{"COWD of large grains", "vmfsSparse", "VMFSSPARSE", 8192, false, func(_ testing.TB, d delta) []byte { return newCOWD(d, 16) }},
	{"seSparse", "seSparse", "SESPARSE", 4096, true, func(_ testing.TB, d delta) []byte { return newSESparse(d) }},
	{"hosted", "twoGbMaxExtentSparse", "SPARSE", testGrain, true, func(tb testing.TB, d delta) []byte {
		tb.Helper()
		return newHostedDelta(tb, d)
	}},
}

// newHostedDelta is a hosted sparse extent without a descriptor of at most one grain table.
func newHostedDelta(tb testing.TB, d delta) []byte {
	tb.Helper()
	x := newSparseImage(tb, sparseShape{version: 2, flags: shapeDefaults | flagZeroGrain, capacity: d.capacity, zero: d.zero})
	x.put64(28, 0)
	for _, g := range mixed(d.grains) {
		x.setEntry(g, uint32(len(x.b)/512))
		x.b = append(x.b, d.grains[g]...)
	}
	return x.b
}

// drawDelta draws a delta of up to two grain tables' worth of disk.
func drawDelta(r *rapid.T, grain int64, zeroes bool) delta {
	size := rapid.Int64Range(1, 40<<10).Draw(r, "sectors")
	if grain == testGrain {
		size = size/128*128 + 128 // newSparseImage has whole grains
	}
	d := delta{capacity: size, grains: map[int64][]byte{}}
	last := (size*512 - 1) / grain
	for range rapid.IntRange(0, 12).Draw(r, "runs") {
		first := rapid.Int64Range(0, last).Draw(r, "first")
		for g := first; g <= min(last, first+rapid.Int64Range(0, 20).Draw(r, "more")); g++ {
			d.grains[g] = disktest.Random(uint64(g+1), int(grain))
		}
	}
	if zeroes {
		for g := range rapid.Int64Range(0, 5).Draw(r, "zeroes") {
			if g = last / 5 * g; d.grains[g] == nil && !slices.Contains(d.zero, g) {
				d.zero = append(d.zero, g)
			}
		}
	}
	return d
}

// TestDeltas reads any delta of any kind over a flat base at odd offsets, and holds its map.
func TestDeltas(t *testing.T) {
	for _, kind := range deltaKinds {
		t.Run(kind.name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				d := drawDelta(r, kind.grain, kind.zeroes)
				base := disktest.Random(99, int(rapid.Int64Range(0, d.capacity+100).Draw(r, "base"))*512)
				files := flatBase(base)
				files["snap-delta.vmdk"] = kind.build(t, d)
				files["snap.vmdk"] = snapshotOf(kind.createType, "base.vmdk", fmt.Sprintf(`RW %d %s "snap-delta.vmdk"`, d.capacity, kind.extent))
				img, err := Open(t.Context(), disktest.NewMemFile("snap.vmdk", files["snap.vmdk"]), disktest.EnvOf(Open, formatName, files.Open, nil))
				if err != nil {
					r.Fatal(err)
				}
				defer img.Close()
				want := d.apply(base[:min(len(base), int(d.capacity)*512)], kind.grain)
				if img.Size() != int64(len(want)) {
					r.Fatalf("size %d, want %d", img.Size(), len(want))
				}
				for range 4 {
					off := rapid.Int64Range(0, img.Size()-1).Draw(r, "off")
					n := rapid.Int64Range(1, img.Size()-off).Draw(r, "n")
					got := make([]byte, n)
					if _, err := img.ReadAt(got, off); err != nil || !bytes.Equal(got, want[off:off+n]) {
						r.Fatalf("%d bytes at %d differ: %v", n, off, err)
					}
					checkDeltaKind(t, r, img, d, kind.grain, off, int64(len(base)))
				}
				found, err := img.Check(t.Context())
				if err != nil || len(found.Problems) > 0 || found.Stored != int64(len(d.grains)) {
					r.Fatalf("check found %+v, %v", found, err)
				}
			})
		})
	}
}

// checkDeltaKind holds what the map says about a byte.
func checkDeltaKind(t *testing.T, r *rapid.T, img *Image, d delta, grain, off, base int64) {
	t.Helper()
	e, err := img.Extent(t.Context(), off)
	if err != nil {
		r.Fatal(err)
	}
	want := disk.Unallocated
	switch g := off / grain; {
	case slices.Contains(d.zero, g):
		want = disk.Zero
	case d.grains[g] != nil || off < base:
		want = disk.Data
	}
	if e.Kind != want || e.Off != off || e.End() > img.Size() {
		r.Fatalf("extent %+v, want %s at %d", e, want, off)
	}
}

// TestDeltasInSuite runs the conformance suite over one image of each kind.
func TestDeltasInSuite(t *testing.T) {
	for _, kind := range deltaKinds {
		t.Run(kind.name, func(t *testing.T) {
			d := delta{capacity: 20 << 10, grains: map[int64][]byte{}}
			for _, g := range []int64{0, 1, 2, 5, 70, 71, 99} {
				d.grains[g] = disktest.Random(uint64(g+1), int(kind.grain))
			}
			if kind.zeroes {
				d.zero = []int64{3, 4, 72}
			}
			base := disktest.Random(5, 6<<20)
			files := flatBase(base)
			files["snap-delta.vmdk"] = kind.build(t, d)
			files["snap.vmdk"] = snapshotOf(kind.createType, "base.vmdk", fmt.Sprintf(`RW %d %s "snap-delta.vmdk"`, d.capacity, kind.extent))
			want := d.apply(base, kind.grain)
			disktest.TestImage(t, func(tb testing.TB) disk.Image {
				tb.Helper()
				img, err := openIn(tb, files, "snap.vmdk")
				if err != nil {
					tb.Fatal(err)
				}
				return img
			}, bytes.NewReader(want), int64(len(want)))
		})
	}
}
