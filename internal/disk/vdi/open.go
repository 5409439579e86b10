package vdi

import (
	"context"
	"fmt"

	"hyper2kvm/internal/disk"
)

// Open opens the VDI in f, and through env the parent of a differencing image. It owns f from then on, and closes it when it
// fails. Errors: ErrFormat without the signature, and the other kinds of package disk for what doc.go lists.
func Open(ctx context.Context, f disk.File, env disk.Env) (*Image, error) {
	img, err := open(ctx, f, env)
	if err != nil {
		f.Close()
		return nil, err
	}
	return img, nil
}

func open(ctx context.Context, f disk.File, env disk.Env) (*Image, error) {
	h, err := readHeader(f)
	if err != nil {
		return nil, err
	}
	if 4*h.blocks > f.Size()-h.mapAt {
		return nil, fault(disk.ErrTruncated, "open", f.Name(), h.mapAt, "the map needs %d bytes there, the file has %d in all", 4*h.blocks, f.Size())
	}
	img := &Image{file: f, head: h, table: disk.NewPageCache[[]byte](mapCache / mapPage)}
	if s := newScan(img); h.blocks <= maxOpenScan && s.windows() == 1 {
		if err := s.window(ctx, 0, func(err error) bool { return false }); err != nil {
			return nil, err
		}
	}
	if h.imageType == typeDifferencing {
		if err := img.openParent(ctx, env); err != nil {
			return nil, err
		}
	}
	return img, nil
}

func (img *Image) note(text string, args ...any) {
	img.notes = append(img.notes, fmt.Sprintf(text, args...))
}
