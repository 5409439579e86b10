package vmdk

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	parent, err := o.env.OpenImage(ctx, d.ParentHint, formatName)
	if base := baseName(d.ParentHint); err != nil && base != d.ParentHint && base != "" &&
		(errors.Is(err, disk.ErrMissing) || errors.Is(err, disk.ErrOutside)) {
		parent, err = o.env.OpenImage(ctx, base, formatName)
	}
	if err != nil {
		e := &disk.Error{Format: formatName, Op: op, File: o.img.name, Off: noOffset, Err: err}
		e.Detail = fmt.Sprintf("parent %q", d.ParentHint)
		return e
	}
	o.img.parent = parent
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
			x.below.parent = parent
		}
	}
	if parent.Size() != o.img.size {
		o.note("the parent has %d bytes, this image %d", parent.Size(), o.img.size)
	}
	return nil
}

// baseName returns what follows the last separator of a path of Unix or Windows.
func baseName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }
