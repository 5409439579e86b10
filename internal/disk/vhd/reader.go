package vhd

import (
	"context"
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
	end        int64  // where the footer begins, or the file ends
	head       header // not of a fixed disk
	table      *disk.PageCache[[]byte]
	bitmaps    sync.Pool // *[]byte, each as long as a sector bitmap
	parent     disk.Parent
	parentName string
	notes      []string
	closing    disk.Closing
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
			err = img.parent.Read(part, off)
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

// Extent returns the extent at off, see disk.Image. In a differencing disk a sector bitmap may end it. Holes of the file in a block read
// as zeroes.
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
		return disk.StoredExtent(img.file, formatName, disk.Extent{Off: off, Len: img.size - off}, off)
	}
	cur := cursor{img: img}
	first, err := img.run(&cur, off)
	if err != nil {
		return disk.Extent{}, err
	}
	if first.here {
		return disk.MappedExtent(img.file, formatName, disk.Extent{Off: off, Len: first.end - off}, first.host)
	}
	e, err := img.parent.Extent(ctx, off, img.size)
	if err != nil {
		return disk.Extent{}, err
	}
	limit := e.End()
	end := first.end
	for range maxSteps {
		if end >= limit {
			break
		}
		next, err := img.run(&cur, end)
		if err != nil || next.here {
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
	r := sectorRun{here: stored, end: limit}
	if stored && img.foot.diskType == typeDifferencing {
		r, err = img.mixedRun(at, in, limit)
	}
	r.end += start
	r.host = at + img.head.bitmapSize + in
	return r, err
}

// Close closes the parent and the image's own file.
func (img *Image) Close() error {
	return img.closing.Close(img.parent, img.file)
}

// Describe says what the image and its parents are.
func (img *Image) Describe() []disk.Info {
	variant := map[uint32]string{typeFixed: "fixed", typeDynamic: "dynamic", typeDifferencing: "differencing"}
	info := disk.Info{
		Format: formatName, Variant: variant[img.foot.diskType], Creator: img.foot.creatorName(), Files: []string{img.file.Name()},
		Parent: img.parentName, Size: img.size, ClusterSize: img.head.blockSize, Notes: slices.Clone(img.notes),
	}
	return img.parent.Describe(info)
}
