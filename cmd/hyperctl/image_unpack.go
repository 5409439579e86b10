package main

import (
	"context"
	"errors"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/disk/packed"
	"hyper2kvm/internal/manifest"
)

// open opens the source of a conversion: an image, its content if it is compressed as a whole, or a disk of an OVA. The content of what
// is stated to be raw is not looked into.
func (o convertOptions) open(ctx context.Context, con *console) (disk.Image, error) {
	real, err := filepath.EvalSymlinks(o.source)
	if err != nil {
		return nil, imageFailure(o.source, err)
	}
	if err := isDescription(o.source, o.sourceFormat); err != nil {
		return nil, err
	}
	var f disk.File
	if f, err = disk.OpenFile(real); err != nil {
		return nil, imageFailure(o.source, err)
	}
	asItIs := o.sourceFormat == manifest.FormatRaw
	_, compressed := packed.Detect(f)
	compressed = compressed && (!asItIs || packed.PlainName(real) != real)
	if compressed {
		file := f
		defer file.Close()
		if f, err = o.unpack(ctx, con, file); err != nil {
			return nil, err
		}
	}
	if !asItIs && isArchive(f) {
		return o.openFromOVA(ctx, con, f)
	}
	if o.disk != 0 {
		f.Close()
		return nil, usagef("--disk chooses a disk of an OVA, and %s is none", o.source)
	}
	dir := filepath.Dir(real)
	img, err := formats.Open(ctx, f, formats.OpenOptions{Format: o.sourceFormat, Open: disk.DirOpener(dir), Siblings: disk.DirSiblings(dir)})
	if err != nil {
		return nil, imageFailure(o.source, err)
	}
	return img, nil
}

// unpack inflates the source beside the target, within half of what is free there: the other half is the target's.
func (o convertOptions) unpack(ctx context.Context, con *console, f disk.File) (disk.File, error) {
	dir := filepath.Dir(o.target)
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil, outputFailure(o.target, err)
	}
	p := con.newMeter("unpack")
	defer p.done()
	plain, _, err := packed.Unpack(ctx, f, packed.Options{
		Dir: dir, Room: packed.AtMost(int64(st.Bavail) * st.Bsize / 2), Progress: func(done int64) { p.update(done, f.Size()) },
	})
	switch {
	case errors.Is(err, packed.ErrSpace):
		return nil, &failure{exit: exitError, code: manifest.CodeSpaceOutput, what: "cannot unpack " + o.source, err: err,
			why: err.Error() + " (half of what is free beside the target)", try: "write the target to a larger file system"}
	case errors.Is(err, packed.ErrScratch):
		return nil, outputFailure(o.target, err)
	case err != nil:
		return nil, imageFailure(o.source, err)
	}
	return plain, nil
}
