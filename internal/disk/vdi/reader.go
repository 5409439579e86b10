package vdi

import (
	"context"
	"io"
	"slices"

	"hyper2kvm/internal/disk"
)

// Image is an open VDI with its parents. It is safe for concurrent use.
type Image struct {
	file    disk.File
	head    header
	table   *disk.PageCache[[]byte]
	parent  disk.Parent
	notes   []string
	closing disk.Closing
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
			err = img.parent.Read(part, at)
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

// Extent returns the extent at off, see disk.Image. Holes of the file in a block read as zeroes.
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
	first := off >> h.blockShift
	kind, host, err := cur.block(first)
	if err != nil {
		return disk.Extent{}, err
	}
	limit := h.size
	e := disk.Extent{Off: off}
	switch kind {
	case stored:
	case zero:
		e.Kind = disk.Zero
	default:
		if e, err = img.parent.Extent(ctx, off, h.size); err != nil {
			return disk.Extent{}, err
		}
		limit = e.End()
	}
	next := first + 1
	for range maxSteps {
		if next<<h.blockShift >= limit {
			break
		}
		k, at, err := cur.block(next)
		if err != nil || k != kind || k == stored && at != host+(next-first)<<h.blockShift {
			break // an error is told when somebody asks for the place itself
		}
		next++
	}
	e.Len = min(next<<h.blockShift, limit) - off
	if kind == stored {
		return disk.MappedExtent(img.file, formatName, e, host+off&(h.blockSize-1))
	}
	return e, nil
}

// Close closes the parent and the image's own file.
func (img *Image) Close() error {
	return img.closing.Close(img.parent, img.file)
}

// Describe says what the image and its parents are.
func (img *Image) Describe() []disk.Info {
	h := &img.head
	info := disk.Info{Format: formatName, Variant: typeNames[h.imageType], Creator: h.text, Files: []string{img.file.Name()},
		Size: h.size, ClusterSize: h.blockSize, Notes: slices.Clone(img.notes)}
	if h.imageType == typeDifferencing {
		info.Parent = uuid(h.link)
	}
	return img.parent.Describe(info)
}
