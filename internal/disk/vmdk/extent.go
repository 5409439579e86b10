package vmdk

import (
	"context"

	"hyper2kvm/internal/disk"
)

// content is what stands behind one VMDK extent. Offsets and lengths are bytes and relative to its beginning; callers stay inside it.
type content interface {
	readAt(p []byte, off int64) error
	// extent returns the extent at off; its Off is relative too.
	extent(ctx context.Context, off int64) (disk.Extent, error)
}

// span is a VMDK extent in its place on the disk.
type span struct {
	off, len int64
	content  content
}

func (s span) end() int64 { return s.off + s.len }

// zeroes is an extent of type ZERO.
type zeroes struct{ len int64 }

func (zeroes) readAt(p []byte, _ int64) error {
	clear(p)
	return nil
}

func (z zeroes) extent(_ context.Context, off int64) (disk.Extent, error) {
	return disk.Extent{Off: off, Len: z.len - off, Kind: disk.Zero}, nil
}

// below is what shows where an extent stores nothing: the parent from base on, or zeroes.
type below struct {
	parent disk.Parent
	base   int64
}

func (b below) readAt(p []byte, off int64) error { return b.parent.Read(p, b.base+off) }

// extent returns the extent at off, at most n bytes long.
func (b below) extent(ctx context.Context, off, n int64) (disk.Extent, error) {
	e, err := b.parent.Extent(ctx, b.base+off, b.base+off+n)
	e.Off = off
	return e, err
}
