package vhdx

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"hyper2kvm/internal/disk"
)

// linked is what a parent must tell to be held against its child.
type linked interface {
	DataWriteGUID() GUID
	SectorSize() int64
}

var _ linked = (*Image)(nil)

// openParent opens the image that a differencing disk holds the changes of: the first of the names that is there and is the
// disk that it was made on.
func openParent(ctx context.Context, file string, m *metadata, env disk.Env) (disk.Image, error) {
	const op = "open parent"
	want, err := m.linkages(file)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range m.parentPaths() {
		if name := baseName(p); name != "" && name != "." && name != ".." && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fault(disk.ErrCorrupt, op, file, noOffset, "the parent locator has no path with a file name")
	}
	if env.OpenImage == nil {
		return nil, fault(disk.ErrOutside, op, file, noOffset, "parent %q", names[0])
	}
	var first error
	for _, name := range names {
		img, err := openLinked(ctx, file, name, want, m.sectorSize, env)
		if err == nil {
			return img, nil
		}
		if first == nil || errors.Is(first, disk.ErrMissing) && !errors.Is(err, disk.ErrMissing) {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// openLinked opens one candidate and holds it against what the child says.
func openLinked(ctx context.Context, file, name string, want []GUID, sectorSize int64, env disk.Env) (disk.Image, error) {
	const op = "open parent"
	img, err := env.OpenImage(ctx, name, formatName)
	if err != nil {
		return nil, &disk.Error{Format: formatName, Op: op, File: file, Off: noOffset, Detail: fmt.Sprintf("parent %q", name), Err: err}
	}
	p, ok := img.(linked)
	switch {
	case !ok:
		err = fault(disk.ErrUnsupported, op, file, noOffset, "parent %q is not a VHDX", name)
	case !slices.Contains(want, p.DataWriteGUID()):
		err = fault(disk.ErrCorrupt, op, file, noOffset,
			"parent %q has DataWriteGuid %s, this disk was made on %s: the parent was changed afterwards, or it is another disk", name, p.DataWriteGUID(), want[0])
	case p.SectorSize() != sectorSize:
		err = fault(disk.ErrCorrupt, op, file, noOffset, "parent %q has sectors of %d bytes, this disk of %d", name, p.SectorSize(), sectorSize)
	default:
		return img, nil
	}
	if cerr := img.Close(); cerr != nil {
		err = fmt.Errorf("%w; closing it: %w", err, cerr)
	}
	return nil, err
}
