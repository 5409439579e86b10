package vhd

import (
	"context"
	"errors"
	"fmt"

	"hyper2kvm/internal/disk"
)

const opParent = "open parent"

// openParent finds the parent of a differencing disk by name, else by its identifier among the files of the job.
func (img *Image) openParent(ctx context.Context, env disk.Env) error {
	stated := img.statedNames()
	names := plainNames(stated)
	if len(stated) > 0 {
		img.parentName = stated[0]
	}
	if env.OpenImage == nil {
		return fault(disk.ErrOutside, opParent, img.file.Name(), noOffset, "parent %q", img.parentName)
	}
	var first error // of the name that is most likely the parent's
	for _, name := range names {
		err := img.tryParent(ctx, env, name)
		if err == nil {
			return nil
		}
		if first == nil || errors.Is(first, disk.ErrMissing) && !errors.Is(err, disk.ErrMissing) {
			first = err
		}
		if !elsewhere(err) {
			break
		}
	}
	if first == nil || elsewhere(first) {
		if name := img.parentByID(env); name != "" {
			return img.tryParent(ctx, env, name)
		}
	}
	if first == nil {
		return fault(disk.ErrMissing, opParent, img.file.Name(), img.head.at,
			"the header names no parent, and no file of the job has the identifier %x", img.head.parentID)
	}
	return first
}

// elsewhere says whether the parent may be found under another name.
func elsewhere(err error) bool {
	return errors.Is(err, disk.ErrMissing) || errors.Is(err, disk.ErrOutside) || errors.Is(err, errOtherDisk)
}

// errOtherDisk marks a file that has the parent's name and not its identifier.
var errOtherDisk = errors.New("it is another disk, or the parent was made anew")

// tryParent opens the image of this name, and takes it if it is the parent.
func (img *Image) tryParent(ctx context.Context, env disk.Env, name string) error {
	fail := func(kind, cause error, detail string) error {
		return &disk.Error{Format: formatName, Op: opParent, File: img.file.Name(), Off: noOffset, Kind: kind,
			Detail: fmt.Sprintf("parent %q%s", name, detail), Err: cause}
	}
	parent, err := env.OpenImage(ctx, name, formatName)
	if err != nil {
		return fail(nil, err, "")
	}
	known, ok := parent.(interface{ UniqueID() [16]byte })
	switch {
	case !ok:
		parent.Close()
		return fail(disk.ErrCorrupt, errOtherDisk, " is not a VHD")
	case known.UniqueID() != img.head.parentID:
		parent.Close()
		return fail(disk.ErrCorrupt, errOtherDisk, fmt.Sprintf(" has the identifier %x, the differencing disk was made on %x", known.UniqueID(), img.head.parentID))
	}
	img.parent = parent
	if parent.Size() != img.size {
		img.note("the parent has %d bytes, this image %d", parent.Size(), img.size)
	}
	return nil
}

// parentByID looks through the files of the job for the VHD with the parent's identifier.
func (img *Image) parentByID(env disk.Env) string {
	if env.Siblings == nil || env.Open == nil {
		return ""
	}
	names := env.Siblings()
	for _, name := range names[:min(len(names), maxSiblings)] {
		if name == img.file.Name() {
			continue
		}
		f, err := env.Open(name)
		if err != nil {
			continue // whatever it is, it is no parent
		}
		foot, err := findFooter(f)
		f.Close()
		if err == nil && foot.id == img.head.parentID {
			return name
		}
	}
	return ""
}
