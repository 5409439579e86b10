package formats

import (
	"context"
	"errors"
	"slices"
	"strings"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/vmdk"
)

// References lists the files that the image in f is made of, beside f itself: its extents, and the parents of its chain with
// theirs. Names are as the images write them, without a leading "./"; of a path on another machine only the last element
// counts. Files that open does not find are listed too, but not what those would name.
//
// The error is that of opening the image, ErrMissing left out. f stays open.
func References(ctx context.Context, f disk.File, open disk.Opener) ([]string, error) {
	var names []string
	add := func(name string) {
		name = name[strings.LastIndexAny(name, `/\`)+1:]
		if name != "" && name != "." && name != ".." && name != f.Name() && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	// A VMDK descriptor names all its extents at once; other formats are asked by opening them, which stops at the first file
	// that is missing.
	if extents, parent, err := vmdk.References(f); err == nil {
		for _, e := range extents {
			add(e)
		}
		add(parent)
	}
	img, err := Open(ctx, lent{f}, OpenOptions{Open: func(name string) (disk.File, error) {
		add(name)
		return open(name)
	}})
	if err == nil {
		img.Close()
	}
	if errors.Is(err, disk.ErrMissing) {
		err = nil
	}
	return names, err
}

// lent is a file that whoever opens it does not own.
type lent struct{ disk.File }

// Close leaves the file open.
func (lent) Close() error { return nil }
