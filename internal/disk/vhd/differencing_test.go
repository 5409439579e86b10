package vhd

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// layered is a chain of three with sectors from everywhere, and what a guest sees.
func layered(t *testing.T) (folder, *disktest.MemImage) {
	t.Helper()
	const size = 9<<20 + 512
	contents := []*disktest.MemImage{disktest.NewMemImage(size), disktest.NewMemImage(size), disktest.NewMemImage(size)}
	for i, c := range contents {
		c.Put(0, disktest.Random(uint64(i), size))
	}
	middle := func(sector int64) bool { return sector%7 < 3 }
	top := func(sector int64) bool { return sector%100 < 40 || sector%1024 == 1023 }
	d := folder{
		"base.vhd": shape{size: size - 4096, id: 1, content: contents[0], blocks: []int64{0, 2, 3}}.build(t),
		"mid.vhd": shape{kind: 4, size: size, id: 2, above: 1, blockSize: 512 << 10, content: contents[1], blocks: []int64{18, 3, 4, 5, 0, 10},
			bits: middle, locators: map[string]string{"W2ru": `..\disks\base.vhd`}, tableAt: 8192}.build(t),
		"top.avhd": shape{kind: 4, size: size, id: 3, above: 2, content: contents[2], blocks: []int64{4, 0}, bits: top,
			name: `C:\VM\mid.vhd`, short: true}.build(t),
	}
	want := disktest.NewMemImage(size)
	sector := make([]byte, 512)
	for s := range int64(size / 512) {
		off := s * 512
		from := contents[0]
		switch b2, b5 := off>>21, off>>19; {
		case (b2 == 4 || b2 == 0) && top(s):
			from = contents[2]
		case (b5 == 18 || b5 == 3 || b5 == 4 || b5 == 5 || b5 == 0 || b5 == 10) && middle(s):
			from = contents[1]
		case b2 != 0 && b2 != 2 && b2 != 3 || off >= size-4096:
			continue
		}
		if _, err := from.ReadAt(sector, off); err != nil {
			t.Fatal(err)
		}
		want.Put(off, sector)
	}
	return d, want
}

func TestDifferencing(t *testing.T) {
	d, want := layered(t)
	disktest.TestImage(t, func(tb testing.TB) disk.Image { tb.Helper(); return mustOpenIn(tb, d, "top.avhd") }, want, want.Size())
	img := mustOpenIn(t, d, "top.avhd")
	layers := img.Describe()
	if len(layers) != 3 || layers[0].Variant != "differencing" || layers[0].Parent != `C:\VM\mid.vhd` || layers[2].Variant != "dynamic" {
		t.Errorf("described as %+v", layers)
	}
	// The map knows sectors: content of no layer is not data.
	e, err := img.Extent(t.Context(), 3<<20) // block 1 of the base is absent, block 6 of the middle is not stored
	if err != nil || e.Kind != disk.Unallocated {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestParentFound lists the ways to a parent.
func TestParentFound(t *testing.T) {
	content := mixed(3<<20, 1)
	base := shape{size: 3 << 20, id: 1, content: content, blocks: []int64{0, 1}}.build(t)
	other := shape{size: 3 << 20, id: 9, content: content}.build(t)
	for _, c := range []struct {
		name  string
		child shape
		files folder
		kind  error
		words string
	}{
		{"relative locator", shape{locators: map[string]string{"W2ru": `.\base.vhd`}}, folder{"base.vhd": base}, nil, ""},
		{"absolute locator", shape{locators: map[string]string{"W2ku": `C:\x y\base.vhd`}}, folder{"base.vhd": base}, nil, ""},
		{"locator of a Mac", shape{locators: map[string]string{"MacX": "file://localhost/Users/a%20b/b%20se.vhd"}}, folder{"b se.vhd": base}, nil, ""},
		{"old locator", shape{locators: map[string]string{"Wi2r": `base.vhd`}}, folder{"base.vhd": base}, nil, ""},
		{"name in the header", shape{name: `\\server\share\bäse.vhd`}, folder{"bäse.vhd": base}, nil, ""},
		{"Unix path", shape{name: "/srv/xen/base.vhd"}, folder{"base.vhd": base}, nil, ""},
		{"the second name", shape{name: "base.vhd", locators: map[string]string{"W2ru": `gone.vhd`}}, folder{"base.vhd": base}, nil, ""},
		{"another disk of the first name", shape{name: "base.vhd", locators: map[string]string{"W2ru": `other.vhd`}},
			folder{"other.vhd": other, "base.vhd": base}, nil, ""},
		{"renamed", shape{name: "base.vhd"}, folder{"a.txt": []byte("text"), "other.vhd": other, "renamed.vhd": base}, nil, ""},
		{"no name at all", shape{}, folder{"renamed.vhd": base}, nil, ""},
		{"missing", shape{locators: map[string]string{"W2ru": `.\base.vhd`}}, folder{"other.vhd": other}, disk.ErrMissing, "base.vhd"},
		{"no name and not there", shape{}, folder{"other.vhd": other}, disk.ErrMissing, "0101010101010101"},
		{"another disk", shape{name: "base.vhd"}, folder{"base.vhd": other}, disk.ErrCorrupt, "0909090909090909"},
		{"not a VHD", shape{name: "base.vhd"}, folder{"base.vhd": make([]byte, 4096)}, disk.ErrFormat, "base.vhd"},
		{"damaged", shape{name: "base.vhd"}, folder{"base.vhd": append([]byte("conectix"), make([]byte, 4096)...)}, disk.ErrCorrupt, "base.vhd"},
		{"outside", shape{name: "/etc/.."}, folder{}, disk.ErrMissing, "no file of the job"},
		{"itself", shape{name: "child.vhd", id: 1}, folder{}, disk.ErrLimit, "a loop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := c.child
			s.kind, s.size, s.above, s.content = 4, 3<<20, 1, content
			c.files["child.vhd"] = s.build(t)
			img, err := openIn(t, c.files, "child.vhd")
			if c.kind != nil {
				disktest.CheckError(t, err, c.kind, c.words, "child.vhd")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, want := make([]byte, 4<<10), make([]byte, 4<<10)
			if _, err := img.ReadAt(got, 1<<20); err != nil {
				t.Fatal(err)
			}
			content.ReadAt(want, 1<<20)
			if !bytes.Equal(got, want) {
				t.Error("the parent's content is not read")
			}
		})
	}
	s := shape{kind: 4, size: 3 << 20, above: 1, name: "base.vhd"}
	_, err := Open(t.Context(), disktest.NewMemFile("child.vhd", s.build(t)), disk.Env{})
	disktest.CheckError(t, err, disk.ErrOutside, "base.vhd")
}

// TestBadLocators holds that a locator that cannot be read is passed over.
func TestBadLocators(t *testing.T) {
	base := shape{size: 3 << 20, id: 1}.build(t)
	child := shape{kind: 4, size: 3 << 20, above: 1, name: "base.vhd", locators: map[string]string{"W2ru": "x", "W2ku": "y", "MacX": "\x01%zz"}}.build(t)
	for i, change := range []func(l []byte){
		func(l []byte) { copy(l[8:], "\xff\xff\xff\xff") },
		func(l []byte) { copy(l[16:], "\xff\xff\xff\xff\xff\xff\xff\xff") },
		func(l []byte) { copy(l[16:], "\x00\x00\x00\x00\x7f\xff\xff\xff") },
		func(l []byte) { copy(l[8:], "\x00\x00\x00\x01") },
	} {
		b := bytes.Clone(child)
		for n := range 3 {
			change(b[512+576+24*n:])
		}
		clear(b[512+36 : 512+40])
		sum(b[512:1536], 36)
		if _, err := openIn(t, folder{"base.vhd": base, "child.vhd": b}, "child.vhd"); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestBitRun holds the run finder against looking at every bit.
func TestBitRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var bitmap []byte
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 3), 1, 20).Draw(t, "parts") {
			bitmap = append(bitmap, [][]byte{{0, 0}, {0xff, 0xff, 0xff}, {0x0f}, {0x81, 0xfe}}[n]...)
		}
		n := rapid.IntRange(1, len(bitmap)*8).Draw(t, "n")
		i := rapid.IntRange(0, n-1).Draw(t, "i")
		bit := func(i int) bool { return bitmap[i/8]>>(7-i%8)&1 == 1 }
		end := i
		for end < n && bit(end) == bit(i) {
			end++
		}
		if set, got := bitRun(bitmap, i, n); set != bit(i) || got != end {
			t.Fatalf("%x from %d to %d: %v, %d; want %v, %d", bitmap, i, n, set, got, bit(i), end)
		}
	})
}
