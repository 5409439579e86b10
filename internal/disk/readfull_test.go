package disk_test

import (
	"bytes"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// TestStoredExtent holds that holes of a file are found, and that what the file does not have is no hole: it would be read as zeroes.
func TestStoredExtent(t *testing.T) {
	const page = 64 << 10 // the unit of holes of a MemFile
	f := disktest.NewMemFile("x", nil)
	if _, err := f.WriteAt(bytes.Repeat([]byte{1}, page), 2*page); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(10 * page); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		host, len int64
		want      disk.Extent
	}{
		{"before data", page, 3 * page, disk.Extent{Len: page, Kind: disk.Unallocated}},
		{"in data", 2*page + 7, 3 * page, disk.Extent{Len: page - 7}},
		{"behind all data", 4 * page, 6 * page, disk.Extent{Len: 6 * page, Kind: disk.Unallocated}},
		{"past the end", 4 * page, 6*page + 1, disk.Extent{Len: 6*page + 1}},
		{"behind the end", 11 * page, page, disk.Extent{Len: page}},
		{"far behind", 1<<63 - 1, page, disk.Extent{Len: page}},
		{"before the file", -1, page, disk.Extent{Len: page}},
	} {
		c.want.Off = 77
		e, err := disk.StoredExtent(f, "x", disk.Extent{Off: 77, Len: c.len}, c.host)
		if err != nil || e != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, e, err, c.want)
		}
		if c.want.Kind == disk.Unallocated {
			c.want.Kind = disk.Zero
		}
		if e, err := disk.MappedExtent(f, "x", disk.Extent{Off: 77, Len: c.len}, c.host); err != nil || e != c.want {
			t.Errorf("%s, mapped: %+v, %v; want %+v", c.name, e, err, c.want)
		}
	}
	if !disk.Sparse(f) || disk.Sparse(disktest.NewMemFile("full", make([]byte, 10*page))) || disk.Sparse(disk.SectionFile("part", f, 0, page, nil)) {
		t.Error("Sparse is wrong")
	}
}
