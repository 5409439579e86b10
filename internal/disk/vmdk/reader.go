package vmdk

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"

	"hyper2kvm/internal/disk"
)

// Image is an open VMDK with all its extents and its parent. It is safe for concurrent use.
type Image struct {
	name       string
	size       int64
	spans      []span // in order, none empty, no gaps
	parent     disk.Parent
	closing    disk.Closing
	parentName string
	descriptor *Descriptor // never nil
	files      []disk.File
	notes      []string
}

var (
	_ disk.Image     = (*Image)(nil)
	_ disk.Describer = (*Image)(nil)
)

// Size returns the sum of the extents in bytes, a multiple of 512.
func (img *Image) Size() int64 { return img.size }

// CID returns the content identifier that a child compares with its parentCID.
func (img *Image) CID() uint32 { return img.descriptor.CID }

// Descriptor returns the image's descriptor. It must not be changed.
func (img *Image) Descriptor() *Descriptor { return img.descriptor }

// Close closes the parent and every file of the image.
func (img *Image) Close() error {
	return img.closing.Close(img.parent, img.files...)
}

// ReadAt reads content, see disk.Image.
func (img *Image) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fault(disk.ErrLimit, "read", img.name, noOffset, "negative offset %d", off)
	}
	if off >= img.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), img.size-off)]
	for done := 0; done < len(want); {
		at := off + int64(done)
		s := img.spanAt(at)
		n := int(min(int64(len(want)-done), s.end()-at))
		if err := s.content.readAt(want[done:done+n], at-s.off); err != nil {
			return 0, err
		}
		done += n
	}
	if len(want) < len(p) {
		return len(want), io.EOF
	}
	return len(want), nil
}

// Extent returns the extent at off, see disk.Image. It ends where the VMDK extent or the grain table ends at the latest,
// unless nothing is stored there.
func (img *Image) Extent(ctx context.Context, off int64) (disk.Extent, error) {
	if err := ctx.Err(); err != nil {
		return disk.Extent{}, err
	}
	if off < 0 {
		return disk.Extent{}, fault(disk.ErrLimit, "map", img.name, noOffset, "negative offset %d", off)
	}
	if off >= img.size {
		return disk.Extent{}, io.EOF
	}
	s := img.spanAt(off)
	e, err := s.content.extent(ctx, off-s.off)
	e.Off += s.off
	return e, err
}

// spanAt returns the extent that holds a byte of the disk.
func (img *Image) spanAt(off int64) span {
	return img.spans[sort.Search(len(img.spans), func(i int) bool { return img.spans[i].end() > off })]
}

// Describe says what the image and its parents are.
func (img *Image) Describe() []disk.Info {
	info := disk.Info{
		Format: formatName, Variant: printable(img.descriptor.CreateType), Creator: printable(img.descriptor.Creator),
		Size: img.size, Parent: img.parentName, Notes: slices.Clone(img.notes),
	}
	for _, f := range img.files {
		info.Files = append(info.Files, f.Name())
	}
	for _, s := range img.spans {
		x, ok := s.content.(*sparse)
		if !ok {
			continue
		}
		info.ClusterSize = max(info.ClusterSize, x.head.grainBytes())
		info.Compressed = info.Compressed || x.head.compressed()
		if n := x.repaired.Load(); n > 0 {
			info.Notes = append(info.Notes, fmt.Sprintf("%s: %d damaged grain tables so far, their redundant copies were used", x.file.Name(), n))
		}
	}
	return img.parent.Describe(info)
}

// printable replaces what a terminal would act on in a text of the image.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
