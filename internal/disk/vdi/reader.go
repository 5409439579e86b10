package vdi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"hyper2kvm/internal/disk"
)

// Image is an open VDI with its parents. It is safe for concurrent use.
type Image struct {
	file    disk.File
	head    header
	holes   disk.HoleFinder // only of a static image; nil: all of a block is data
	table   *disk.PageCache[[]byte]
	parent  disk.Image
	notes   []string
	closing sync.Once
	closed  error
}

var (
	_ disk.Image     = (*Image)(nil)
	_ disk.Describer = (*Image)(nil)
)

// Size returns the virtual size in bytes, any number up to disk.MaxSize.
func (img *Image) Size() int64 { return img.head.size }

// ReadAt reads content, see disk.Image.
func (img *Image) ReadAt(p []byte, off int64) (int, error) {
	h := &img.head
	if off < 0 {
		return 0, fault(disk.ErrLimit, "read", img.file.Name(), noOffset, "negative offset %d", off)
	}
	if off >= h.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), h.size-off)]
	cur := cursor{img: img}
	for done := int64(0); done < int64(len(want)); {
		at := off + done
		in := at & (h.blockSize - 1)
		part := want[done:min(int64(len(want)), done+h.blockSize-in)]
		kind, host, err := cur.block(at >> h.blockShift)
		switch {
		case err != nil:
		case kind == stored:
			err = readFull(img.file, "read block", part, host+in)
		case kind == absent:
			err = img.readBelow(part, at)
		default:
			clear(part)
		}
		if err != nil {
			return 0, err
		}
		done += int64(len(part))
	}
	if len(want) < len(p) {
		return len(want), io.EOF
	}
	return len(want), nil
}

// readBelow fills p from the parent, and with zeroes past its end.
func (img *Image) readBelow(p []byte, off int64) error {
	n := 0
	if img.parent != nil && off < img.parent.Size() {
		n = int(min(int64(len(p)), img.parent.Size()-off))
		if m, err := img.parent.ReadAt(p[:n], off); m < n {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("parent of %s: %w", disk.Printable(img.file.Name()), err)
		}
	}
	clear(p[n:])
	return nil
}

// Extent returns the extent at off, see disk.Image. Holes of the file count only in a static image.
func (img *Image) Extent(ctx context.Context, off int64) (disk.Extent, error) {
	h := &img.head
	if off < 0 {
		return disk.Extent{}, fault(disk.ErrLimit, "map", img.file.Name(), noOffset, "negative offset %d", off)
	}
	if off >= h.size {
		return disk.Extent{}, io.EOF
	}
	if err := context.Cause(ctx); err != nil {
		return disk.Extent{}, err
	}
	cur := cursor{img: img}
	kind, host, err := cur.block(off >> h.blockShift)
	if err != nil {
		return disk.Extent{}, err
	}
	limit := h.size
	e := disk.Extent{Off: off}
	switch {
	case kind == stored:
		if img.holes != nil {
			return img.storedExtent(off, host+off&(h.blockSize-1))
		}
	case kind == zero:
		e.Kind = disk.Zero
	case img.parent == nil || off >= img.parent.Size():
		e.Kind = disk.Unallocated
	default:
		// Asking first bounds the walk over this layer: a fragmented parent would make every call walk it anew.
		below, err := img.parent.Extent(ctx, off)
		if err != nil {
			return disk.Extent{}, fmt.Errorf("parent of %s: %w", disk.Printable(img.file.Name()), err)
		}
		e.Kind, e.Compressed = below.Kind, below.Compressed
		limit = min(limit, below.End())
	}
	next := off>>h.blockShift + 1
	for range maxSteps {
		if next<<h.blockShift >= limit {
			break
		}
		k, _, err := cur.block(next)
		if err != nil || k != kind {
			break // an error is told when somebody asks for the place itself
		}
		next++
	}
	e.Len = min(next<<h.blockShift, limit) - off
	return e, nil
}

// storedExtent returns the rest of the block at off, whose content there is at host, or what of it is data or a hole of the file.
func (img *Image) storedExtent(off, host int64) (disk.Extent, error) {
	h := &img.head
	e := disk.Extent{Off: off, Len: min(h.blockSize-off&(h.blockSize-1), h.size-off)}
	start, end, err := img.holes.NextData(host)
	switch {
	case errors.Is(err, io.EOF), err == nil && start >= host+e.Len:
		e.Kind = disk.Unallocated
	case err != nil:
		return disk.Extent{}, &disk.Error{Format: formatName, Op: "map", File: img.file.Name(), Off: host, Err: err}
	case start > host:
		e.Kind, e.Len = disk.Unallocated, start-host
	case end > host && end < host+e.Len:
		e.Len = end - host
	}
	return e, nil
}

// Close closes the parent and the image's own file.
func (img *Image) Close() error {
	img.closing.Do(func() {
		if img.parent != nil {
			img.closed = img.parent.Close()
		}
		if err := img.file.Close(); img.closed == nil {
			img.closed = err
		}
	})
	return img.closed
}

// Describe says what the image and its parents are.
func (img *Image) Describe() []disk.Info {
	h := &img.head
	info := disk.Info{Format: formatName, Variant: typeNames[h.imageType], Creator: h.text, Files: []string{img.file.Name()},
		Size: h.size, ClusterSize: h.blockSize, Notes: slices.Clone(img.notes)}
	if h.imageType == typeDifferencing {
		info.Parent = uuid(h.link)
	}
	layers := []disk.Info{info}
	if d, ok := img.parent.(disk.Describer); ok {
		layers = append(layers, d.Describe()...)
	}
	return layers
}
