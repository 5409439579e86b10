package vhd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"hyper2kvm/internal/disk"
)

// Image is an open VHD with its parents. It is safe for concurrent use.
type Image struct {
	file       disk.File
	foot       footer
	size       int64
	end        int64           // where the footer begins, or the file ends
	head       header          // not of a fixed disk
	holes      disk.HoleFinder // only of a fixed disk; nil: all is data
	table      *disk.PageCache[[]byte]
	bitmaps    sync.Pool // *[]byte, each as long as a sector bitmap
	parent     disk.Image
	parentName string
	notes      []string
	closing    sync.Once
	closed     error
}

var (
	_ disk.Image     = (*Image)(nil)
	_ disk.Describer = (*Image)(nil)
)

// Size returns the virtual size in bytes, at most 2040 GiB.
func (img *Image) Size() int64 { return img.size }

// ReadAt reads content, see disk.Image.
func (img *Image) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fault(disk.ErrLimit, "read", img.file.Name(), noOffset, "negative offset %d", off)
	}
	if off >= img.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), img.size-off)]
	var err error
	if img.foot.diskType == typeFixed {
		err = readFull(img.file, "read content", want, off)
	} else {
		err = img.readBlocks(want, off)
	}
	if err != nil {
		return 0, err
	}
	if len(want) < len(p) {
		return len(want), io.EOF
	}
	return len(want), nil
}

// readBlocks fills p, which ends inside the disk.
func (img *Image) readBlocks(p []byte, off int64) error {
	cur := cursor{img: img}
	for len(p) > 0 {
		i, in := off>>img.head.blockShift, off&(img.head.blockSize-1)
		part := p[:min(int64(len(p)), img.head.blockSize-in)]
		at, stored, err := cur.block(i)
		switch {
		case err != nil:
		case !stored:
			err = img.readBelow(part, off)
		case img.foot.diskType == typeDifferencing:
			err = img.readMixed(part, at, in, off)
		default:
			err = readFull(img.file, "read block", part, at+img.head.bitmapSize+in)
		}
		if err != nil {
			return err
		}
		p, off = p[len(part):], off+int64(len(part))
	}
	return nil
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

// Extent returns the extent at off, see disk.Image. In a differencing disk a sector bitmap may end it; holes of the file count
// only in a fixed disk.
func (img *Image) Extent(ctx context.Context, off int64) (disk.Extent, error) {
	if off < 0 {
		return disk.Extent{}, fault(disk.ErrLimit, "map", img.file.Name(), noOffset, "negative offset %d", off)
	}
	if off >= img.size {
		return disk.Extent{}, io.EOF
	}
	if err := context.Cause(ctx); err != nil {
		return disk.Extent{}, err
	}
	if img.foot.diskType == typeFixed {
		return img.fixedExtent(off)
	}
	cur := cursor{img: img}
	first, err := img.run(&cur, off)
	if err != nil {
		return disk.Extent{}, err
	}
	limit := img.size
	e := disk.Extent{Off: off}
	if !first.here {
		e.Kind = disk.Unallocated
		if img.parent != nil && off < img.parent.Size() {
			// Asking first bounds the walk over this layer: a fragmented parent would make every call walk it anew.
			below, err := img.parent.Extent(ctx, off)
			if err != nil {
				return disk.Extent{}, fmt.Errorf("parent of %s: %w", disk.Printable(img.file.Name()), err)
			}
			e.Kind, e.Compressed = below.Kind, below.Compressed
			limit = min(limit, below.End())
		}
	}
	end := first.end
	for range maxSteps {
		if end >= limit {
			break
		}
		next, err := img.run(&cur, end)
		if err != nil || next.here != first.here {
			break // an error is told when somebody asks for the place itself
		}
		end = next.end
	}
	e.Len = min(end, limit) - off
	return e, nil
}

// run returns what of the block at off is here or is not; its end is an offset of the disk.
func (img *Image) run(cur *cursor, off int64) (sectorRun, error) {
	i, in := off>>img.head.blockShift, off&(img.head.blockSize-1)
	start := off - in
	limit := min(img.head.blockSize, img.size-start)
	at, stored, err := cur.block(i)
	if err != nil {
		return sectorRun{}, err
	}
	if !stored || img.foot.diskType != typeDifferencing {
		return sectorRun{stored, start + limit}, nil
	}
	r, err := img.mixedRun(at, in, limit)
	r.end += start
	return r, err
}

// fixedExtent reports holes of the file as Unallocated and everything else as Data.
func (img *Image) fixedExtent(off int64) (disk.Extent, error) {
	e := disk.Extent{Off: off, Len: img.size - off, Kind: disk.Data}
	if img.holes == nil {
		return e, nil
	}
	start, end, err := img.holes.NextData(off)
	switch {
	case errors.Is(err, io.EOF), err == nil && start >= img.size:
		e.Kind = disk.Unallocated
	case err != nil:
		return disk.Extent{}, &disk.Error{Format: formatName, Op: "map", File: img.file.Name(), Off: off, Err: err}
	case start > off:
		e.Kind, e.Len = disk.Unallocated, start-off
	case end > off && end < img.size:
		e.Len = end - off
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
	variant := map[uint32]string{typeFixed: "fixed", typeDynamic: "dynamic", typeDifferencing: "differencing"}
	info := disk.Info{
		Format: formatName, Variant: variant[img.foot.diskType], Creator: img.foot.creatorName(), Files: []string{img.file.Name()},
		Parent: img.parentName, Size: img.size, ClusterSize: img.head.blockSize, Notes: slices.Clone(img.notes),
	}
	layers := []disk.Info{info}
	if d, ok := img.parent.(disk.Describer); ok {
		layers = append(layers, d.Describe()...)
	}
	return layers
}
