package disktest

import (
	"context"
	"io"
	"slices"

	"hyper2kvm/internal/disk"
)

// MemImage is an image in memory with a map of its own.
type MemImage struct {
	content *MemFile
	extents []disk.Extent
}

// NewMemImage returns an image of size bytes in which nothing was ever written.
func NewMemImage(size int64) *MemImage {
	m := &MemImage{content: NewMemFile("memory", nil)}
	if err := m.content.Truncate(size); err != nil {
		panic(err) // a test asked for a negative size
	}
	if size > 0 {
		m.extents = []disk.Extent{{Len: size, Kind: disk.Unallocated}}
	}
	return m
}

// Put makes [off, off+len(b)) Data with content b, cut at the size. It returns the image.
func (m *MemImage) Put(off int64, b []byte) *MemImage {
	b = b[:max(0, min(int64(len(b)), m.Size()-off))]
	if len(b) > 0 {
		if _, err := m.content.WriteAt(b, off); err != nil {
			panic(err) // a test asked for a negative offset
		}
		m.mark(disk.Extent{Off: off, Len: int64(len(b)), Kind: disk.Data})
	}
	return m
}

// Zero makes a range Zero. It returns the image.
func (m *MemImage) Zero(off, n int64) *MemImage {
	if n = min(n, m.Size()-off); n <= 0 {
		return m
	}
	buf := make([]byte, memPage)
	for at := off; at < off+n; at += memPage {
		part := buf[:min(memPage, off+n-at)]
		if _, err := m.content.WriteAt(part, at); err != nil {
			panic(err) // a test asked for a negative offset
		}
	}
	m.mark(disk.Extent{Off: off, Len: n, Kind: disk.Zero})
	return m
}

// mark puts an extent into the map, over what is there. Extents are sorted and have no gaps.
func (m *MemImage) mark(e disk.Extent) {
	first, _ := m.find(e.Off)
	last, _ := m.find(e.End() - 1)
	head, tail := m.extents[first], m.extents[last]
	var put []disk.Extent
	if head.Off < e.Off {
		put = append(put, disk.Extent{Off: head.Off, Len: e.Off - head.Off, Kind: head.Kind})
	}
	put = append(put, e)
	if tail.End() > e.End() {
		put = append(put, disk.Extent{Off: e.End(), Len: tail.End() - e.End(), Kind: tail.Kind})
	}
	m.extents = slices.Replace(m.extents, first, last+1, put...)
}

// find returns the index of the extent that off is in.
func (m *MemImage) find(off int64) (int, bool) {
	return slices.BinarySearchFunc(m.extents, off, func(e disk.Extent, off int64) int {
		switch {
		case e.End() <= off:
			return -1
		case e.Off > off:
			return 1
		}
		return 0
	})
}

// Size returns the virtual size in bytes.
func (m *MemImage) Size() int64 { return m.content.Size() }

// ReadAt implements io.ReaderAt.
func (m *MemImage) ReadAt(p []byte, off int64) (int, error) { return m.content.ReadAt(p, off) }

// Close does nothing.
func (m *MemImage) Close() error { return nil }

// Extent returns the rest of the extent that off is in.
func (m *MemImage) Extent(_ context.Context, off int64) (disk.Extent, error) {
	i, found := m.find(off)
	if !found {
		return disk.Extent{}, io.EOF
	}
	e := m.extents[i]
	e.Off, e.Len = off, e.End()-off
	return e, nil
}

// Describe returns one layer.
func (m *MemImage) Describe() []disk.Info {
	return []disk.Info{{Format: "raw", Variant: "memory", Size: m.Size(), Files: []string{m.content.Name()}}}
}
