package vmdk

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// maxSeed keeps the seeds small enough for a fuzzer to work with.
const maxSeed = 80 << 10

// addSeeds adds the images of other products, where they are present.
func addSeeds(f *testing.F) {
	f.Helper()
	f.Add([]byte("# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=2\nparentFileNameHint=\"p\"\nRW 8 FLAT \"self\" 0\nRW 8 ZERO\nRW 128 SPARSE \"self\"\n"))
	f.Add(newSparseImage(f, sparseShape{version: 2, flags: shapeDefaults | flagZeroGrain, capacity: 300, grains: map[int64]byte{0: 1, 2: 2}, zero: []int64{1}}).b)
	stream := streamImage(f)
	f.Add(stream[:maxSeed])
	f.Add(append(slices.Clone(stream[:len(stream)-2048]), bytes.Repeat([]byte{0xee}, 1536)...))
	f.Add([]byte("# Disk DescriptorFile\nversion=1\nencoding=\"GBK\"\nCID=1\nRW 8 VMFSSPARSE \"\xc4\xe3/x\"\nRW 8 SESPARSE \"C:\\x\"\n"))
	disktest.Seeds(f, maxSeed, func(x disktest.Fixture) bool {
		return (x.Format == "vmdk" || x.Format == "hostile") && strings.Contains(x.Name, "vmdk")
	}, func(b []byte) { f.Add(b) })
}

// FuzzOpen opens anything, with itself as every file that it names, and holds what must be true of whatever opens: errors have a
// kind, the map has no gaps and agrees with the content, a part reads as it does within the whole, and every file is closed.
func FuzzOpen(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		depth := 0
		open, trace := disktest.TracingOpener(func(name string) (disk.File, error) {
			if depth++; depth > 20 {
				return nil, disk.ErrLimit
			}
			return disktest.NewMemFile("sibling", b), nil
		})
		defer trace.CheckClosed(t)
		img, err := Open(t.Context(), disktest.NewMemFile("self", b), disktest.EnvOf(Open, formatName, open, nil))
		disktest.CheckOpened(t, img, err)
	})
}

// FuzzDelta opens anything as the extent of a snapshot of a flat disk, under a name of each kind, and holds the same.
func FuzzDelta(f *testing.F) {
	d := delta{capacity: 2000, grains: map[int64][]byte{}, zero: []int64{1, 2}}
	for _, kind := range deltaKinds {
		d.grains = map[int64][]byte{0: disktest.Text(int(kind.grain)), 12: disktest.Text(int(kind.grain))}
		if b := kind.build(f, d); len(b) <= 3*maxSeed {
			f.Add(b)
		}
	}
	base := disktest.Random(3, 3000*512)
	f.Fuzz(func(t *testing.T, b []byte) {
		files := flatBase(base)
		files["delta.vmdk"] = b
		for _, kind := range []string{"SPARSE", "VMFSSPARSE", "SESPARSE"} {
			files["snap.vmdk"] = snapshotOf("any", "base.vmdk", "RW 100 ZERO", "RW 3000 "+kind+" \"delta.vmdk\"", "RW 7 FLAT \"base-flat.vmdk\" 9")
			open, trace := disktest.TracingOpener(files.Open)
			img, err := Open(t.Context(), disktest.NewMemFile("snap.vmdk", files["snap.vmdk"]), disktest.EnvOf(Open, formatName, open, nil))
			disktest.CheckOpened(t, img, err)
			trace.CheckClosed(t)
		}
	})
}

// checkSpellings holds that the name itself comes first, and that no other is empty or longer than an encoding can make it.
func checkSpellings(t *testing.T, d *Descriptor, name string) {
	t.Helper()
	for i, s := range d.Spellings(name) {
		if i == 0 && s != name && name != "." && name != ".." || s == "" || len(s) > 4*len(name) {
			t.Fatalf("spelling %d of %q is %q", i, name, s)
		}
	}
}

// FuzzDescriptor parses anything, and holds that what was parsed stays the same whatever the line ends, the padding and the
// blanks, and that the size is in bounds.
func FuzzDescriptor(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParseDescriptor(b)
		if err != nil {
			if !disktest.IsKind(err) {
				t.Fatalf("error %v is of no kind", err)
			}
			return
		}
		if d.Size() < 0 || d.Size() > disk.MaxSize || len(d.Extents) > maxExtents {
			t.Fatalf("%d extents of %d bytes", len(d.Extents), d.Size())
		}
		for _, e := range d.Extents {
			checkSpellings(t, d, e.Name)
			if e.Sectors < 0 || e.Offset < 0 || e.Offset > maxSector || e.Type == "" || strings.ContainsAny(e.Name, "\n\x00") {
				t.Fatalf("extent %+v", e)
			}
		}
		if i := bytes.IndexByte(b, 0); i >= 0 {
			b = b[:i]
		}
		if len(b) > maxDescriptor/4 {
			return
		}
		again, err := ParseDescriptor(append(bytes.ReplaceAll(b, []byte("\n"), []byte(" \r\n\t")), "\r\n\x00\x00RW 1 ZERO"...))
		if err != nil {
			t.Fatalf("with other line ends: %v", err)
		}
		if again.CID != d.CID || again.ParentCID != d.ParentCID || again.ParentHint != d.ParentHint || again.CreateType != d.CreateType ||
			len(again.Extents) != len(d.Extents) || again.Size() != d.Size() {
			t.Fatalf("with other line ends %+v, before %+v", again, d)
		}
	})
}
