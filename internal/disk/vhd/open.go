package vhd

import (
	"context"
	"fmt"

	"hyper2kvm/internal/disk"
)

// Open opens the VHD in f, and through env the parent of a differencing disk. It owns f from then on, and closes it when it
// fails. Errors: ErrFormat without a footer, and the other kinds of package disk for what doc.go lists.
func Open(ctx context.Context, f disk.File, env disk.Env) (*Image, error) {
	img, err := open(ctx, f, env)
	if err != nil {
		f.Close()
		return nil, err
	}
	return img, nil
}

func open(ctx context.Context, f disk.File, env disk.Env) (*Image, error) {
	found, err := findFooter(f)
	if err != nil {
		return nil, err
	}
	img := &Image{file: f, foot: found.footer, size: int64(found.size()), end: found.end}
	if found.note != "" {
		img.note("%s", found.note)
	}
	if n := uint64(img.size); n != img.foot.current {
		img.note("the disk has %d bytes by its geometry, as %s counts; the footer's size is %d", n, img.foot.creatorName(), img.foot.current)
	}
	if img.foot.diskType == typeFixed {
		if img.size > img.end {
			return nil, fault(disk.ErrTruncated, "open", f.Name(), found.at, "a fixed disk of %d bytes, %d stand before the footer", img.size, img.end)
		}
		return img, nil
	}
	if img.head, err = readHeader(f, &img.foot); err != nil {
		return nil, err
	}
	img.table = disk.NewPageCache[[]byte](tableCache / tablePage)
	img.bitmaps.New = func() any { b := make([]byte, img.head.bitmapSize); return &b }
	if found.note != "" {
		if err := img.checkComplete(ctx); err != nil {
			return nil, err
		}
	}
	if img.foot.diskType == typeDifferencing {
		if err := img.openParent(ctx, env); err != nil {
			if img.parent.Image != nil {
				img.parent.Image.Close()
			}
			return nil, err
		}
	}
	return img, nil
}

// checkComplete tells a file that was cut from one whose footer is damaged: in the latter all blocks are there.
func (img *Image) checkComplete(ctx context.Context) error {
	cur := cursor{img: img}
	for i := range img.head.blocks {
		if i%entriesPerPage == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, _, err := cur.block(i); err != nil {
			return err
		}
	}
	return nil
}

func (img *Image) note(text string, args ...any) {
	img.notes = append(img.notes, fmt.Sprintf(text, args...))
}
