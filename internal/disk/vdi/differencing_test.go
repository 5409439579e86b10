package vdi

import (
	"bytes"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// TestDifferencing reads a chain of three with blocks of other sizes: discarded blocks hide the parent, unwritten ones do not.
func TestDifferencing(t *testing.T) {
	const size = 8<<20 + 512
	var contents []*disktest.MemImage
	for i := range 3 {
		contents = append(contents, disktest.NewMemImage(size).Put(0, disktest.Random(uint64(i), size)))
	}
	d := folder{
		"base.vdi": shape{size: size - 1000, ids: [4]byte{1, 11}, content: contents[0], blocks: []int64{8, 0, 1, 2, 3}}.build(t),
		"mid.vdi":  shape{kind: 4, size: size, blockSize: 512 << 10, ids: [4]byte{2, 12, 1, 11}, content: contents[1], blocks: []int64{1, 9, 2}, gone: []int64{4, 5}}.build(t),
		"top.vdi":  shape{kind: 4, size: size, ids: [4]byte{3, 13, 2, 12}, content: contents[2], blocks: []int64{7}, gone: []int64{0}}.build(t),
		"x.txt":    []byte("not an image"),
	}
	want := disktest.NewMemImage(size)
	put := func(layer int, off, n int64) {
		b := make([]byte, n)
		contents[layer].ReadAt(b, off)
		want.Put(off, b)
	}
	const half = 512 << 10
	put(1, 2*half, half)
	put(0, 3*half, half)
	put(0, 6*half, 2*half) // 4 and 5 were discarded
	put(1, 9*half, half)
	put(2, 7<<20, 1<<20)
	disktest.TestImage(t, func(tb testing.TB) disk.Image { tb.Helper(); return mustOpenIn(tb, d, "top.vdi") }, want, size)
	layers := mustOpenIn(t, d, "top.vdi").Describe()
	if len(layers) != 3 || layers[0].Variant != "differencing" || layers[0].Parent != "02020202-0202-0202-0202-020202020202" ||
		len(layers[1].Notes) != 1 || layers[2].Variant != "dynamic" {
		t.Errorf("described as %+v", layers)
	}
}

func TestParents(t *testing.T) {
	content := mixed(2<<20, 1)
	base := func(create, modify byte) []byte {
		return shape{size: 2 << 20, ids: [4]byte{create, modify}, content: content, blocks: []int64{0, 1}}.build(t)
	}
	for _, c := range []struct {
		name  string
		link  [2]byte
		files folder
		kind  error
		words string
	}{
		{"found", [2]byte{1, 11}, folder{"a": []byte("x"), "b": base(5, 11), "c": base(1, 11)}, nil, ""},
		{"last change not recorded", [2]byte{1, 0}, folder{"b": base(1, 11)}, nil, ""},
		{"changed, and a copy from before", [2]byte{1, 11}, folder{"b": base(1, 12), "c": base(1, 11)}, nil, ""},
		{"changed", [2]byte{1, 11}, folder{"b": base(1, 12)}, disk.ErrCorrupt, "changed afterwards"},
		{"missing", [2]byte{1, 11}, folder{"b": base(2, 11)}, disk.ErrMissing, "01010101-0101-0101-0101-010101010101"},
		{"alone", [2]byte{1, 11}, folder{}, disk.ErrMissing, "01010101"},
		{"loop", [2]byte{8, 18}, folder{"y": shape{kind: 4, size: 2 << 20, ids: [4]byte{8, 18, 9, 19}}.build(t)}, disk.ErrLimit, "a loop"},
		{"damaged", [2]byte{1, 11}, folder{"b": base(1, 11)[:1<<20]}, disk.ErrTruncated, `"b"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.files["child.vdi"] = shape{kind: 4, size: 2 << 20, ids: [4]byte{9, 19, c.link[0], c.link[1]}}.build(t)
			img, err := openIn(t, c.files, "child.vdi")
			if c.kind != nil {
				disktest.CheckError(t, err, c.kind, c.words, "child.vdi")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, want := make([]byte, 4096), make([]byte, 4096)
			if _, err := img.ReadAt(got, 1<<20); err != nil {
				t.Fatal(err)
			}
			content.ReadAt(want, 1<<20)
			if !bytes.Equal(got, want) {
				t.Error("the parent's content is not read")
			}
		})
	}
	_, err := Open(t.Context(), disktest.NewMemFile("child.vdi", shape{kind: 4, size: 2 << 20, ids: [4]byte{9, 19, 1, 11}}.build(t)), disk.Env{})
	disktest.CheckError(t, err, disk.ErrOutside, "01010101")
}
