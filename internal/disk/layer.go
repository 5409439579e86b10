package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Parent is what shows where a layer of a chain stores nothing: another image, or, with the zero value, zeroes.
type Parent struct {
	Image Image  // nil if there is none
	Child string // name of the layer above, for messages
}

// Read fills p from the parent's content at off, and with zeroes past its end.
func (a Parent) Read(p []byte, off int64) error {
	n := 0
	if a.Image != nil && off < a.Image.Size() {
		n = int(min(int64(len(p)), a.Image.Size()-off))
		if m, err := a.Image.ReadAt(p[:n], off); m < n {
			if err == nil || errors.Is(err, io.EOF) {
				err = &Error{Op: "read", Off: -1, Kind: ErrTruncated, Detail: fmt.Sprintf("got %d of %d bytes at %#x of the disk", m, n, off)}
			}
			return a.error(err)
		}
	}
	clear(p[n:])
	return nil
}

// Extent returns what shows at off of a layer of size bytes: the parent's extent as far as the layer goes, and Unallocated past its
// end. A layer asks for it before it looks how far it stores nothing itself: that bounds the walk, which a fragmented parent would
// otherwise make begin anew at every call.
func (a Parent) Extent(ctx context.Context, off, size int64) (Extent, error) {
	e := Extent{Off: off, Len: size - off, Kind: Unallocated}
	if a.Image == nil || off >= a.Image.Size() {
		return e, nil
	}
	shown, err := a.Image.Extent(ctx, off)
	if err != nil {
		return Extent{}, a.error(err)
	}
	e.Kind, e.Compressed, e.Len = shown.Kind, shown.Compressed, min(e.Len, shown.Len)
	return e, nil
}

func (a Parent) error(err error) error {
	return fmt.Errorf("parent of %s: %w", Printable(a.Child), err)
}

// Describe returns info with the layers below behind it.
func (a Parent) Describe(info Info) []Info {
	layers := []Info{info}
	if d, ok := a.Image.(Describer); ok {
		layers = append(layers, d.Describe()...)
	}
	return layers
}

// Closing closes what an image holds, once. The zero value is ready.
type Closing struct {
	once sync.Once
	err  error
}

// Close closes the parent, if there is one, and then the files. It returns the first error, also when it is called again.
func (c *Closing) Close(parent Parent, files ...File) error {
	c.once.Do(func() {
		if parent.Image != nil {
			c.err = parent.Image.Close()
		}
		for _, f := range files {
			if err := f.Close(); c.err == nil {
				c.err = err
			}
		}
	})
	return c.err
}
