package disk

import (
	"context"
	"io"
)

// EmptyImage returns an image of size bytes in which nothing was ever written: a blank disk.
func EmptyImage(size int64) Image { return emptyImage(max(size, 0)) }

type emptyImage int64

func (e emptyImage) Size() int64 { return int64(e) }

func (e emptyImage) Close() error { return nil }

func (e emptyImage) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, &Error{Op: "read", Off: -1, Kind: ErrLimit, Detail: "negative offset"}
	}
	if off >= int64(e) {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), int64(e)-off))
	clear(p[:n])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (e emptyImage) Extent(_ context.Context, off int64) (Extent, error) {
	if off < 0 || off >= int64(e) {
		return Extent{}, io.EOF
	}
	return Extent{Off: off, Len: int64(e) - off, Kind: Unallocated}, nil
}

// Describe returns one layer without files.
func (e emptyImage) Describe() []Info {
	return []Info{{Format: "raw", Variant: "blank", Size: int64(e), Notes: []string{"blank disk: nothing is stored"}}}
}
