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
// counts. Files that open does not find are listed too, but not what those would name. A parent that has no name (VDI), or another
// than the image says (VHD), is listed by the name that it has among the siblings.
//
// The error is that of opening the image; ErrMissing only where what is missing has no name. f stays open.
func References(ctx context.Context, f disk.File, open disk.Opener, siblings disk.Siblings) ([]string, error) {
	var names []string
	nameless := true // of what is missing
	found := map[string]bool{}
	base := func(name string) string { return name[strings.LastIndexAny(name, `/\`)+1:] }
	add := func(name string) {
		name = base(name)
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
	img, err := Open(ctx, lent{f}, OpenOptions{Siblings: siblings, Open: func(name string) (disk.File, error) {
		add(name)
		f, err := open(name)
		if errors.Is(err, disk.ErrMissing) {
			nameless = false
		}
		found[base(name)] = err == nil
		return f, err
	}})
	if err == nil {
		img.Close()
		// Other spellings of a name were tried on the way; of a whole image nothing is missing.
		return slices.DeleteFunc(names, func(n string) bool { was, tried := found[n]; return tried && !was }), nil
	}
	if errors.Is(err, disk.ErrMissing) && !nameless {
		err = nil
	}
	return names, err
}

// lent is a file that whoever opens it does not own.
type lent struct{ disk.File }

// Close leaves the file open.
func (lent) Close() error { return nil }
