package vmdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"hyper2kvm/internal/disk"
)

// openExtent opens an extent in a file of its own.
func (o *opener) openExtent(ctx context.Context, e ExtentLine) error {
	const op = "open extent"
	if strings.TrimPrefix(e.Name, "./") == o.img.name {
		return fault(disk.ErrCorrupt, op, o.img.name, noOffset, "line %d: the descriptor names itself as an extent", e.Line)
	}
	f, err := o.openFile(e)
	if err != nil {
		return err
	}
	o.img.files = append(o.img.files, f)
	if sameFile(f, o.img.files[0]) {
		return fault(disk.ErrCorrupt, op, o.img.name, noOffset, "line %d: the extent %q is the descriptor itself", e.Line, e.Name)
	}
	if !e.grained() {
		x, err := newFlat(f, e)
		if err != nil {
			return err
		}
		o.add(x, x.length)
		return nil
	}
	if e.Offset != 0 {
		return fault(disk.ErrUnsupported, op, o.img.name, noOffset, "line %d: a sparse extent at sector %d of %q", e.Line, e.Offset, e.Name)
	}
	return o.openGrained(ctx, f, e)
}

// openGrained opens an extent that holds grains, of the kind that the file itself says.
func (o *opener) openGrained(ctx context.Context, f disk.File, e ExtentLine) error {
	var head [headerSize]byte
	n := min(f.Size(), headerSize)
	if err := readFull(f, "read extent header", head[:n], 0); err != nil {
		return err
	}
	var kind string
	var err error
	switch {
	case bytes.HasPrefix(head[:], []byte(magicSparse)):
		kind, err = "SPARSE", o.openHosted(ctx, f, e.Sectors)
	case bytes.HasPrefix(head[:], []byte(magicCOWD)):
		kind, err = "VMFSSPARSE", o.openCOWD(ctx, f, e.Sectors)
	case bytes.HasPrefix(head[:], []byte(magicSESparse)):
		kind, err = "SESPARSE", o.openSESparse(ctx, f, e.Sectors)
	default:
		return fault(disk.ErrCorrupt, "open extent", f.Name(), 0, "the descriptor %s says that it is a sparse extent, but it has no such header", o.img.name)
	}
	if err == nil && kind != e.Type {
		o.note("%s is of type %s, the descriptor says %s", f.Name(), kind, e.Type)
	}
	return err
}

// openFile opens the file of an extent by the name in the descriptor.
func (o *opener) openFile(e ExtentLine) (disk.File, error) {
	fail := func(kind, cause error) (disk.File, error) {
		detail := fmt.Sprintf("line %d: extent file %q", e.Line, e.Name)
		if !isASCII(e.Name) {
			detail += fmt.Sprintf(" (a name in encoding %q, looked for as it is and converted)", o.img.descriptor.Encoding)
		}
		return nil, &disk.Error{Format: formatName, Op: "open extent", File: o.img.name, Off: noOffset, Kind: kind, Detail: detail, Err: cause}
	}
	if e.Name == "" {
		return fail(disk.ErrCorrupt, errors.New("the extent has no name"))
	}
	if o.env.Open == nil {
		return fail(disk.ErrOutside, nil)
	}
	f, err := o.openSpelling(e.Name)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, fs.ErrNotExist) && !errors.Is(err, disk.ErrMissing):
		return fail(disk.ErrMissing, err)
	default:
		return fail(nil, err)
	}
}

// openSpelling opens the first spelling of a name that leads to a file. If none does, the error is that of the name itself.
func (o *opener) openSpelling(name string) (disk.File, error) {
	f, first := o.env.Open(name)
	if first == nil {
		return f, nil
	}
	err := first
	for _, s := range o.img.descriptor.Spellings(name) {
		if !errors.Is(err, disk.ErrMissing) && !errors.Is(err, disk.ErrOutside) && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if s == name {
			continue
		}
		if f, err = o.env.Open(s); err == nil {
			return f, nil
		}
	}
	return nil, first
}

// addSparse adds an extent with grains that stands for so many sectors of the disk, and reads its grain directory unless
// that was done.
func (o *opener) addSparse(ctx context.Context, s *sparse, sectors int64) error {
	h := &s.head
	s.length = sectors * disk.SectorSize
	s.base = o.img.size
	s.stops = min(s.length, h.capacity*disk.SectorSize)
	s.below.base = s.base
	if h.tables() > o.directories {
		return fault(disk.ErrLimit, "read grain directory", s.file.Name(), noOffset, "%d grain tables, the limit for a disk is %d", h.tables(), maxDirectory)
	}
	o.directories -= h.tables()
	if err := o.readDirectories(ctx, s); err != nil {
		return err
	}
	if h.unclean {
		o.note("%s was not closed by its writer: the newest changes may be missing", s.file.Name())
	}
	if s.length > s.stops {
		o.note("%s: the descriptor says %d sectors, the header %d; nothing is stored behind those", s.file.Name(), sectors, h.capacity)
	}
	if h.unknown != 0 {
		o.note("%s: unknown header flags %#x", s.file.Name(), h.unknown)
	}
	o.add(s, s.length)
	return nil
}

// shareCaches gives the extents with grains their caches, which are large enough for the largest of their tables.
func (o *opener) shareCaches() {
	entries := int64(1)
	for _, s := range o.img.spans {
		if x, ok := s.content.(*sparse); ok {
			entries = max(entries, x.head.entries)
		}
	}
	shared := newCaches(entries)
	for _, s := range o.img.spans {
		if x, ok := s.content.(*sparse); ok {
			x.caches = shared
		}
	}
}

// sameFile says whether two files are one under different names, as far as they can tell.
func sameFile(a, b disk.File) bool {
	x, ok := a.(interface{ ID() string })
	y, also := b.(interface{ ID() string })
	return ok && also && x.ID() == y.ID()
}
