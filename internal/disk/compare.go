package disk

import (
	"bytes"
	"context"
	"fmt"
)

// CompareOptions say how to compare. The zero value is good.
type CompareOptions struct {
	Workers int  // as in Options
	Strict  bool // different sizes are a difference; otherwise what one image has over the other must be zero
}

// Difference is where two images differ.
type Difference struct {
	Found bool
	Off   int64 // of the first differing byte of content, if Found
	SizeA int64 // virtual sizes, bytes
	SizeB int64
}

// Compare reads what is allocated in either image and returns an error that wraps ErrMismatch, and the first offset, where the
// contents differ. Without Strict, images of different size are equal when the rest of the larger one is zero.
func Compare(ctx context.Context, a, b Image, o CompareOptions) (Difference, error) {
	d := Difference{SizeA: a.Size(), SizeB: b.Size()}
	if o.Strict && d.SizeA != d.SizeB {
		d.Found, d.Off = true, min(d.SizeA, d.SizeB)
		return d, &Error{Op: "compare", Off: -1, Kind: ErrMismatch, Detail: fmt.Sprintf("sizes are %d and %d", d.SizeA, d.SizeB)}
	}
	pair := &imagePair{a: a, b: b}
	walk := &walk{extent: pair.extent, size: max(d.SizeA, d.SizeB), unit: DigestBlock}
	err := pipeline[comparePiece]{
		workers: Options{Workers: o.Workers}.workers(),
		fill:    func(ctx context.Context, p *comparePiece) (bool, error) { return walk.next(ctx, &p.a) },
		work:    pair.work,
		drain: func(_ context.Context, p *comparePiece) error {
			if p.differs < 0 {
				return nil
			}
			d.Found, d.Off = true, p.differs
			return &Error{Op: "compare", Off: -1, Kind: ErrMismatch, Detail: fmt.Sprintf("first difference at content offset %d", p.differs)}
		},
	}.run(ctx)
	return d, err
}

// comparePiece is one segment of both images.
type comparePiece struct {
	a       segment
	b       []byte
	differs int64 // offset of content; -1 if the two are equal
}

// imagePair walks two images at once.
type imagePair struct{ a, b Image }

// extent returns a range in which neither image changes its kind: Data if one of them has data there.
func (p *imagePair) extent(ctx context.Context, off int64) (Extent, error) {
	e := Extent{Off: off, Len: max(p.a.Size(), p.b.Size()) - off, Kind: Zero}
	for _, img := range []Image{p.a, p.b} {
		if off >= img.Size() {
			continue // reads as zero
		}
		one, err := extentAt(ctx, img, off)
		if err != nil {
			return Extent{}, err
		}
		e.Len = min(e.Len, one.Len)
		if one.Kind == Data {
			e.Kind = Data
		}
	}
	return e, nil
}

// work reads one segment of both images and finds the first difference.
func (p *imagePair) work(ctx context.Context, c *comparePiece) error {
	c.differs = -1
	if c.b == nil {
		c.a.buf, c.b = make([]byte, DigestBlock), make([]byte, DigestBlock)
	}
	for _, sp := range c.a.spans {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		x, y := c.a.buf[:sp.end-sp.off], c.b[:sp.end-sp.off]
		if err := readPadded(p.a, x, sp.off); err != nil {
			return fmt.Errorf("read first image at %#x: %w", sp.off, err)
		}
		if err := readPadded(p.b, y, sp.off); err != nil {
			return fmt.Errorf("read second image at %#x: %w", sp.off, err)
		}
		if bytes.Equal(x, y) {
			continue
		}
		for i := range x {
			if x[i] != y[i] {
				c.differs = sp.off + int64(i)
				return nil
			}
		}
	}
	return nil
}

// readPadded fills p with content and, past the end of the image, with zeroes.
func readPadded(img Image, p []byte, off int64) error {
	n := max(0, min(int64(len(p)), img.Size()-off))
	clear(p[n:])
	if n == 0 {
		return nil
	}
	return readFull(img, p[:n], off)
}
