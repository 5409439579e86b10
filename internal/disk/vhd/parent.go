package vhd

import (
	"context"
	"errors"
	"fmt"

	"hyper2kvm/internal/disk"
)

const opParent = "open parent"

// openParent finds the parent of a differencing disk and opens it.
func (img *Image) openParent(ctx context.Context, env disk.Env) error {
	stated := img.statedNames()
	if len(stated) > 0 {
		img.parentName = stated[0]
	}
	if env.OpenImage == nil || env.Open == nil {
		return fault(disk.ErrOutside, opParent, img.file.Name(), noOffset, "parent %q", img.parentName)
	}
	name, err := img.findParent(ctx, env, plainNames(stated))
	if err != nil {
		return err
	}
	parent, err := env.OpenImage(ctx, name, formatName)
	if err != nil {
		return img.parentError(name, nil, "", err)
	}
	img.parent = disk.Parent{Image: parent, Child: img.file.Name()}
	if p, ok := parent.(*Image); !ok || p.foot.id != img.head.parentID {
		return img.parentError(name, disk.ErrCorrupt, " was the parent a moment ago and is not now", nil)
	}
	if parent.Size() != img.size {
		img.note("the parent has %d bytes, this image %d", parent.Size(), img.size)
	}
	return nil
}

func (img *Image) parentError(name string, kind error, detail string, cause error) error {
	return &disk.Error{Format: formatName, Op: opParent, File: img.file.Name(), Off: noOffset, Kind: kind,
		Detail: fmt.Sprintf("parent %q%s", name, detail), Err: cause}
}

// findParent returns the name of the file with the parent's identifier: one that the image states, else any of the job. Only
// footers are read: opening an image would open its parents too.
func (img *Image) findParent(ctx context.Context, env disk.Env, names []string) (string, error) {
	look := env.Siblings.Look // does not count what is not the parent after all
	if look == nil {
		look = env.Open
	}
	var first error // of the name that is most likely the parent's
	for _, name := range names {
		f, err := look(name)
		if err != nil {
			err = img.parentError(name, nil, "", err)
		} else {
			err = img.identify(name, f)
			f.Close()
		}
		if err == nil {
			return name, nil
		}
		if first == nil || errors.Is(first, disk.ErrMissing) && !errors.Is(err, disk.ErrMissing) {
			first = err
		}
	}
	if name, err := env.Siblings.Find(ctx, func(name string, f disk.File) bool { return img.identify(name, f) == nil }); name != "" || err != nil {
		return name, err
	}
	if env.Siblings.Look != nil && errors.Is(first, disk.ErrMissing) {
		if f, err := env.Open(names[0]); err == nil { // says to who watches it what is missing
			f.Close()
		}
	}
	if first == nil {
		first = fault(disk.ErrMissing, opParent, img.file.Name(), img.head.at,
			"the header names no parent, and no file of the job has the identifier %x", img.head.parentID)
	}
	return "", first
}

// identify says why a file is not the parent; nil if it is.
func (img *Image) identify(name string, f disk.File) error {
	foot, err := findFooter(f)
	switch {
	case err != nil:
		return img.parentError(name, nil, "", err)
	case foot.id != img.head.parentID:
		return img.parentError(name, disk.ErrCorrupt, fmt.Sprintf(" has the identifier %x, the differencing disk was made on %x: it is another disk, or was made anew",
			foot.id, img.head.parentID), nil)
	}
	return nil
}
