package disk

import (
	"context"
	"errors"
	"io"
)

// Resize returns img with another size: cut, or with nothing allocated behind its end. Formats that count in sectors take a disk
// of an odd size only so. Closing it closes img.
func Resize(img Image, size int64) Image {
	if size == img.Size() {
		return img
	}
	return &resized{Image: img, size: max(size, 0)}
}

type resized struct {
	Image
	size int64
}

func (r *resized) Size() int64 { return r.size }

func (r *resized) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, &Error{Op: "read", Off: -1, Kind: ErrLimit, Detail: "negative offset"}
	}
	if off >= r.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), r.size-off)]
	there := want[:max(0, min(int64(len(want)), r.Image.Size()-off))]
	if len(there) > 0 {
		if n, err := r.Image.ReadAt(there, off); n < len(there) {
			if errors.Is(err, io.EOF) {
				err = &Error{Op: "read", Off: off, Kind: ErrTruncated, Err: io.ErrUnexpectedEOF}
			}
			return n, err
		}
	}
	clear(want[len(there):])
	if len(want) < len(p) {
		return len(want), io.EOF
	}
	return len(want), nil
}

func (r *resized) Extent(ctx context.Context, off int64) (Extent, error) {
	if off >= r.size {
		return Extent{}, io.EOF
	}
	if off >= r.Image.Size() {
		return Extent{Off: off, Len: r.size - off, Kind: Unallocated}, nil
	}
	e, err := r.Image.Extent(ctx, off)
	e.Len = min(e.Len, r.size-off)
	return e, err
}

// Describe describes the image below, with the size that it has here.
func (r *resized) Describe() []Info {
	d, ok := r.Image.(Describer)
	if !ok {
		return nil
	}
	layers := d.Describe()
	if len(layers) > 0 {
		layers[0].Size = r.size
	}
	return layers
}
