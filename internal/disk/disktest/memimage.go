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
	n = min(n, m.Size()-off)
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

// mark puts an extent into the map, over what is there.
func (m *MemImage) mark(e disk.Extent) {
	var out []disk.Extent
	for _, old := range m.extents {
		if old.End() <= e.Off || old.Off >= e.End() {
			out = append(out, old)
			continue
		}
		if old.Off < e.Off {
			out = append(out, disk.Extent{Off: old.Off, Len: e.Off - old.Off, Kind: old.Kind})
		}
		if old.End() > e.End() {
			out = append(out, disk.Extent{Off: e.End(), Len: old.End() - e.End(), Kind: old.Kind})
		}
	}
	out = append(out, e)
	slices.SortFunc(out, func(a, b disk.Extent) int {
		if a.Off < b.Off {
			return -1
		}
		return 1
	})
	m.extents = out
}

// Size returns the virtual size in bytes.
func (m *MemImage) Size() int64 { return m.content.Size() }

// ReadAt implements io.ReaderAt.
func (m *MemImage) ReadAt(p []byte, off int64) (int, error) { return m.content.ReadAt(p, off) }

// Close does nothing.
func (m *MemImage) Close() error { return nil }

// Extent returns the rest of the extent that off is in.
func (m *MemImage) Extent(_ context.Context, off int64) (disk.Extent, error) {
	i, found := slices.BinarySearchFunc(m.extents, off, func(e disk.Extent, off int64) int {
		switch {
		case e.End() <= off:
			return -1
		case e.Off > off:
			return 1
		}
		return 0
	})
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
