package vmdk

import (
	"cmp"
	"context"
	"fmt"

	"hyper2kvm/internal/disk"
)

// openParent opens the image that this one only holds the changes of, and checks that it is still what it was then.
func (o *opener) openParent(ctx context.Context) error {
	d := o.img.descriptor
	if !d.HasParent() {
		return nil
	}
	const op = "open parent"
	o.img.parentName = d.ParentHint
	if d.ParentHint == "" {
		return fault(disk.ErrCorrupt, op, o.img.name, noOffset, "parentCID is %08x, but there is no parentFileNameHint", d.ParentCID)
	}
	if o.env.OpenImage == nil {
		return fault(disk.ErrOutside, op, o.img.name, noOffset, "parent %q", d.ParentHint)
	}
	parent, err := o.env.OpenImage(ctx, o.parentSpelling(d), formatName)
	if err != nil {
		e := &disk.Error{Format: formatName, Op: op, File: o.img.name, Off: noOffset, Err: err}
		e.Detail = fmt.Sprintf("parent %q", d.ParentHint)
		return e
	}
	o.img.parent = disk.Parent{Image: parent, Child: o.img.name}
	child, ok := parent.(interface{ CID() uint32 })
	if !ok {
		return fault(disk.ErrUnsupported, op, o.img.name, noOffset, "parent %q is not a VMDK", d.ParentHint)
	}
	if cid := child.CID(); cid != d.ParentCID {
		return fault(disk.ErrCorrupt, op, o.img.name, noOffset,
			"parent %q has CID %08x, the snapshot was made on CID %08x: the parent was changed afterwards, or it is another disk", d.ParentHint, cid, d.ParentCID)
	}
	for _, s := range o.img.spans {
		if x, ok := s.content.(*sparse); ok {
			x.below.parent = o.img.parent
		}
	}
	if parent.Size() != o.img.size {
		o.note("the parent has %d bytes, this image %d", parent.Size(), o.img.size)
	}
	return nil
}

// parentSpelling returns the first spelling of the parent's name that leads to a file, or the name without the directory where
// the snapshot was made: that is the file to put beside it. It must be known before the image is opened: a file that is missing
// further down the chain is no reason to look for another parent.
func (o *opener) parentSpelling(d *Descriptor) string {
	if o.env.Open == nil {
		return d.ParentHint
	}
	for _, name := range d.Spellings(d.ParentHint) {
		f, err := o.env.Open(name)
		if err == nil {
			f.Close()
			return name
		}
	}
	return cmp.Or(baseName(d.ParentHint), d.ParentHint)
}
