package convert

import (
	"context"
	"io"

	"hyper2kvm/internal/disk"
)

// prefix is the first size bytes of a larger image: an output whose format counts in sectors is up to 511 bytes longer than
// a source of odd size, and is compared on the source's size.
type prefix struct {
	disk.Image
	size int64
}

// Size returns the number of bytes that are seen.
func (p prefix) Size() int64 { return p.size }

// ReadAt implements io.ReaderAt, ending at the prefix's size.
func (p prefix) ReadAt(b []byte, off int64) (int, error) {
	if off >= p.size {
		return 0, io.EOF
	}
	if room := p.size - off; int64(len(b)) > room {
		n, err := p.Image.ReadAt(b[:room], off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	return p.Image.ReadAt(b, off)
}

// Extent implements disk.Image.
func (p prefix) Extent(ctx context.Context, off int64) (disk.Extent, error) {
	if off >= p.size {
		return disk.Extent{}, io.EOF
	}
	e, err := p.Image.Extent(ctx, off)
	e.Len = min(e.Len, p.size-off)
	return e, err
}
