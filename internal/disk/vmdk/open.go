package vmdk

import (
	"bytes"
	"context"
	"fmt"

	"hyper2kvm/internal/disk"
)

// Open opens a VMDK on its descriptor or on its only extent, and through env the extents and the parent that it names. It
// owns f from then on, and closes it when it fails. It gives disk.ErrFormat for a file that is no VMDK.
func Open(ctx context.Context, f disk.File, env disk.Env) (*Image, error) {
	o := opener{
		img:         &Image{name: f.Name(), files: []disk.File{f}},
		env:         env,
		directories: maxDirectory,
	}
	if err := o.open(ctx, f); err != nil {
		_ = o.img.Close() // err says what went wrong first
		return nil, err
	}
	return o.img, nil
}

// opener is the state of opening one image.
type opener struct {
	img         *Image
	env         disk.Env
	directories int64 // grain directory entries that may still be read
}

func (o *opener) open(ctx context.Context, f disk.File) error {
	head := make([]byte, min(f.Size(), probeSize))
	if err := readFull(f, "read head", head, 0); err != nil {
		return err
	}
	var err error
	switch {
	case bytes.HasPrefix(head, []byte(magicSparse)):
		err = o.openSingle(ctx, f)
	case probeText(head):
		err = o.openDescriptor(ctx, f)
	default:
		err = refuseBinary(head, f.Name())
	}
	if err != nil {
		return err
	}
	if err := o.openParent(ctx); err != nil {
		return err
	}
	o.shareCaches()
	return nil
}

// refuseBinary says what a file is that can be no image alone.
func refuseBinary(head []byte, file string) error {
	const op, advice = "open", "without its descriptor: take the small text file that names it (disk-000001.vmdk for %s), with the files of its parents"
	switch {
	case bytes.HasPrefix(head, []byte(magicCOWD)):
		return fault(disk.ErrUnsupported, op, file, 0, "a COWD (vmfsSparse) extent, the snapshot of an ESX server, "+advice, "disk-000001-delta.vmdk")
	case bytes.HasPrefix(head, []byte(magicSESparse)):
		return fault(disk.ErrUnsupported, op, file, 0, "an seSparse extent, the snapshot of an ESXi server, "+advice, "disk-000001-sesparse.vmdk")
	}
	return fault(disk.ErrFormat, op, file, 0, "neither a sparse extent nor a descriptor")
}

// openSingle opens an image that is one hosted sparse extent, with the descriptor inside. The extent's name there is what the
// file was called once; the file at hand counts.
func (o *opener) openSingle(ctx context.Context, f disk.File) error {
	x, err := readHosted(f)
	if err != nil {
		return err
	}
	h := &x.head
	d, err := embeddedDescriptor(f, h)
	if err != nil {
		return err
	}
	sectors := h.capacity
	switch {
	case d == nil:
		d = &Descriptor{ParentCID: noParent, Extents: []ExtentLine{{Access: "RW", Type: "SPARSE", Sectors: sectors}}}
		o.note("%s has no descriptor: it may be one of several extents of a disk", f.Name())
	case len(d.Extents) > 1:
		return fault(disk.ErrUnsupported, "open", f.Name(), h.descriptor*disk.SectorSize, "an embedded descriptor with %d extents, want 1", len(d.Extents))
	case len(d.Extents) == 1:
		sectors = d.Extents[0].Sectors
		if t := d.Extents[0].Type; t != "SPARSE" {
			return fault(disk.ErrUnsupported, "open", f.Name(), h.descriptor*disk.SectorSize, "an embedded descriptor whose extent is of type %q, want SPARSE", t)
		}
	}
	if err := checkDescriptor(d, f.Name()); err != nil {
		return err
	}
	o.img.descriptor = d
	return o.addSparse(ctx, x, sectors)
}

// openDescriptor opens an image whose descriptor is a file of its own.
func (o *opener) openDescriptor(ctx context.Context, f disk.File) error {
	d, err := readDescriptorFile(f)
	if err != nil {
		return err
	}
	if err := checkDescriptor(d, f.Name()); err != nil {
		return err
	}
	if len(d.Extents) == 0 {
		return fault(disk.ErrCorrupt, "open", f.Name(), noOffset, "the descriptor names no extents")
	}
	o.img.descriptor = d
	for _, e := range d.Extents {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.Sectors == 0 {
			continue
		}
		if e.Type == "ZERO" {
			n := e.Sectors * disk.SectorSize
			o.add(zeroes{n}, n)
			continue
		}
		if err := o.openExtent(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// add appends an extent to the disk.
func (o *opener) add(c content, length int64) {
	if length > 0 {
		o.img.spans = append(o.img.spans, span{o.img.size, length, c})
		o.img.size += length
	}
}

func (o *opener) note(text string, args ...any) {
	o.img.notes = append(o.img.notes, fmt.Sprintf(text, args...))
}
