package vmdk

import (
	"bytes"
	"encoding/binary"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// TestSparseLayoutLikeVDDK writes the disk of an image that VMware's own library wrote: everything but the descriptor is the
// same, down to the last byte.
func TestSparseLayoutLikeVDDK(t *testing.T) {
	x := disktest.FixtureNamed(t, "vmdk/vmdk-rs/monolithicSparse.vmdk")
	theirs := x.Bytes(t)
	img, err := Open(t.Context(), disktest.NewMemFile("theirs.vmdk", theirs), disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	target := disktest.NewMemFile("ours.vmdk", nil)
	w, err := NewWriter(target, img.Size(), Options{Subformat: MonolithicSparse})
	if err != nil {
		t.Fatal(err)
	}
	grain := make([]byte, testGrain) // VDDK stores grains of zeroes too, which a copy leaves out
	for off := int64(0); off < img.Size(); off += testGrain {
		if e, err := img.Extent(t.Context(), off); err != nil || e.Kind != disk.Data {
			continue
		}
		if _, err := img.ReadAt(grain, off); err != nil {
			t.Fatal(err)
		}
		if err := w.Append(t.Context(), off, grain); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	ours := target.Bytes()
	if len(theirs) != len(ours) {
		t.Fatalf("%d bytes, VDDK wrote %d", len(ours), len(theirs))
	}
	if !bytes.Equal(theirs[:512], ours[:512]) {
		t.Errorf("header % x\nof VDDK % x", ours[:80], theirs[:80])
	}
	if !bytes.Equal(theirs[21*512:], ours[21*512:]) {
		t.Error("directories, tables or grains differ")
	}
}

// TestSparseLayoutPlaces holds where the parts of a disk with many tables are.
func TestSparseLayoutPlaces(t *testing.T) {
	const tables = 130 // two sectors of directory
	src := disktest.NewMemImage(tables*(32<<20)).Put(0, disktest.Text(testGrain)).Put((tables-1)*(32<<20)+5, []byte("last"))
	b := written(t, src, Options{Subformat: MonolithicSparse}).Bytes()
	le := binary.LittleEndian
	rgd, gd, overhead := int(le.Uint64(b[48:])), int(le.Uint64(b[56:])), int(le.Uint64(b[64:]))
	if rgd != 21 || gd != 21+2+4*tables || overhead != 1152 || len(b) != (1152+2*128)*512 {
		t.Fatalf("directories at %d and %d, grains from %d on, %d bytes in all", rgd, gd, overhead, len(b))
	}
	for i := range tables {
		for _, at := range []int{rgd, gd} {
			if got := int(le.Uint32(b[at*512+4*i:])); got != at+2+4*i {
				t.Errorf("table %d is at sector %d, want %d", i, got, at+2+4*i)
			}
		}
	}
	if first, last := le.Uint32(b[(gd+2)*512:]), le.Uint32(b[(gd+2+4*(tables-1))*512:]); first != 1152 || last != 1280 {
		t.Errorf("the grains are at sectors %d and %d", first, last)
	}
	if !bytes.Equal(b[(rgd+2)*512:gd*512], b[(gd+2)*512:(gd+2+4*tables)*512]) {
		t.Error("the redundant tables differ")
	}
	img, err := openIn(t, folder{"x.vmdk": b}, "x.vmdk")
	if err != nil {
		t.Fatal(err)
	}
	found, err := img.Check(t.Context())
	if err != nil || len(found.Problems) > 0 || found.Stored != 2 || found.Compressed != 0 {
		t.Errorf("check found %+v, %v", found, err)
	}
}

// TestUnfinishedSparseIsNoImage holds that what was not finished cannot be taken for an image.
func TestUnfinishedSparseIsNoImage(t *testing.T) {
	target := disktest.NewMemFile("x.vmdk", nil)
	w, err := NewWriter(target, 8<<20, Options{Subformat: MonolithicSparse})
	if err != nil {
		t.Fatal(err)
	}
	for off := range int64(64) {
		if err := w.Append(t.Context(), off*testGrain, disktest.Random(1, testGrain)); err != nil {
			t.Fatal(err)
		}
	}
	head := make([]byte, 512)
	if _, err := target.ReadAt(head, 0); err != nil || Probe(head) {
		t.Errorf("an unfinished file is taken for an image: %v", err)
	}
	if err := w.Append(t.Context(), 64*testGrain, make([]byte, 512)); err == nil {
		t.Error("a part of a grain was appended")
	}
}

// TestLargestSparse writes a disk of the largest size, of which next to nothing is stored.
func TestLargestSparse(t *testing.T) {
	f := written(t, disktest.NewMemImage(disk.MaxSize).Put(disk.MaxSize-1, []byte{1}), Options{Subformat: MonolithicSparse})
	img, err := Open(t.Context(), f, disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	b := make([]byte, 2)
	if n, err := img.ReadAt(b, disk.MaxSize-2); n != 2 || b[1] != 1 {
		t.Errorf("read %d bytes, %x, %v", n, b, err)
	}
}
