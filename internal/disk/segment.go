package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// span is a range of content that must be read.
type span struct{ off, end int64 }

// segment is the piece of content that one worker takes at a time.
type segment struct {
	off, end int64  // content; off is a multiple of the walk's unit
	spans    []span // where data is, ascending, not touching each other
	buf      []byte // the content, end-off bytes; zero outside the spans
}

// read fills buf with the content of the segment, reading nothing but the spans.
func (s *segment) read(ctx context.Context, img Image, unit int64) error {
	if int64(cap(s.buf)) < unit {
		s.buf = make([]byte, unit)
	}
	s.buf = s.buf[:s.end-s.off]
	at := s.off
	for _, sp := range s.spans {
		clear(s.buf[at-s.off : sp.off-s.off])
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := readFull(img, s.buf[sp.off-s.off:sp.end-s.off], sp.off); err != nil {
			return fmt.Errorf("read content at %#x: %w", sp.off, err)
		}
		at = sp.end
	}
	clear(s.buf[at-s.off:])
	return nil
}

// dataIn returns how many bytes of the spans lie in [off, end).
func (s *segment) dataIn(off, end int64) int64 {
	var n int64
	for _, sp := range s.spans {
		n += max(0, min(sp.end, end)-max(sp.off, off))
	}
	return n
}

// readFull fills p, or says why not. An image that ends before its own size is truncated.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return &Error{Op: "read", Off: -1, Kind: ErrTruncated, Detail: fmt.Sprintf("%d bytes needed, %d there", len(p), n)}
	}
	return err
}

// extentAt asks an image for its map and does not believe everything.
func extentAt(ctx context.Context, img Image, off int64) (Extent, error) {
	if ctx.Err() != nil {
		return Extent{}, context.Cause(ctx)
	}
	e, err := img.Extent(ctx, off)
	if err != nil {
		return Extent{}, fmt.Errorf("read map at %#x: %w", off, err)
	}
	if e.Off != off || e.Len < 1 || e.Len > img.Size()-off || e.Kind > Unallocated {
		return Extent{}, &Error{Op: "read map", Off: -1, Kind: ErrCorrupt,
			Detail: fmt.Sprintf("extent at %#x: got %s of %d bytes at %#x", off, e.Kind, e.Len, e.Off)}
	}
	return e, nil
}

// walk cuts the allocated content of a map into segments, ascending. Ranges without data cost one step of the map each.
type walk struct {
	extent func(ctx context.Context, off int64) (Extent, error)
	size   int64
	unit   int64 // length and alignment of a segment
	off    int64 // everything before is done
	at     Extent
}

// next describes the next segment that holds data; false at the end. It leaves buf alone.
func (w *walk) next(ctx context.Context, s *segment) (bool, error) {
	s.spans = s.spans[:0]
	for w.off < w.size {
		if len(s.spans) > 0 && w.off >= s.end {
			return true, nil
		}
		if w.off >= w.at.End() {
			e, err := w.extent(ctx, w.off)
			if err != nil {
				return false, err
			}
			w.at = e
		}
		if w.at.Kind != Data {
			w.off = w.at.End()
			continue
		}
		if len(s.spans) == 0 {
			s.off = w.off - w.off%w.unit
			s.end = min(s.off+w.unit, w.size)
		}
		end := min(w.at.End(), s.end)
		if n := len(s.spans); n > 0 && s.spans[n-1].end == w.off {
			s.spans[n-1].end = end
		} else {
			s.spans = append(s.spans, span{w.off, end})
		}
		w.off = end
	}
	return len(s.spans) > 0, nil
}

// Allocated returns how many bytes of the content are Data: what a copy has to read.
func Allocated(ctx context.Context, img Image) (int64, error) {
	var n int64
	for off := int64(0); off < img.Size(); {
		e, err := extentAt(ctx, img, off)
		if err != nil {
			return 0, err
		}
		if e.Kind == Data {
			n += e.Len
		}
		off = e.End()
	}
	return n, nil
}
