package vmdk

import (
	"bytes"
	"errors"
	"strings"

	"hyper2kvm/internal/disk"
)

// embeddedDescriptor returns the descriptor inside an extent, nil if there is none or its place was left empty.
func embeddedDescriptor(f disk.File, h *header) (*Descriptor, error) {
	const op = "read embedded descriptor"
	if h.descriptor == 0 || h.descLen == 0 {
		return nil, nil
	}
	off := h.descriptor * disk.SectorSize
	if h.descLen > maxDescriptor/disk.SectorSize {
		return nil, fault(disk.ErrLimit, op, f.Name(), off, "it has %d sectors, the limit is %d", h.descLen, maxDescriptor/disk.SectorSize)
	}
	b := make([]byte, h.descLen*disk.SectorSize)
	if err := readFull(f, op, b, off); err != nil {
		return nil, err
	}
	if len(bytes.Trim(b, "\x00")) == 0 {
		return nil, nil
	}
	return namedDescriptor(b, f.Name(), off, disk.ErrCorrupt)
}

// readDescriptorFile reads a descriptor that is a file of its own.
func readDescriptorFile(f disk.File) (*Descriptor, error) {
	b := make([]byte, min(f.Size(), maxDescriptor+1))
	if err := readFull(f, "read descriptor", b, 0); err != nil {
		return nil, err
	}
	return namedDescriptor(b, f.Name(), 0, disk.ErrFormat)
}

// namedDescriptor parses a descriptor and puts file and place into the error; noDescriptor is the kind for a text that is none.
func namedDescriptor(b []byte, file string, off int64, noDescriptor error) (*Descriptor, error) {
	d, err := ParseDescriptor(b)
	if e, ok := errors.AsType[*disk.Error](err); ok {
		e.File, e.Off = file, off
		if errors.Is(e.Kind, disk.ErrFormat) {
			e.Kind = noDescriptor
		}
	}
	return d, err
}

// checkDescriptor refuses what this package does not read, before anything is opened.
func checkDescriptor(d *Descriptor, file string) error {
	refuse := func(detail string, args ...any) error {
		return fault(disk.ErrUnsupported, "open", file, noOffset, detail, args...)
	}
	switch {
	case d.Encrypted:
		return fault(disk.ErrEncrypted, "open", file, noOffset, "decrypt the disk where its keys are, and copy it again")
	case d.Native:
		return refuse("a native snapshot: its data is inside the storage array, not in files")
	case strings.EqualFold(d.CreateType, "vmfsRDM"), strings.EqualFold(d.CreateType, "vmfsRDMP"),
		strings.EqualFold(d.CreateType, "vmfsRawDeviceMap"), strings.EqualFold(d.CreateType, "vmfsPassthroughRawDeviceMap"):
		return refuse("a raw device mapping (%s): its data is on a LUN, not in files", d.CreateType)
	}
	for _, e := range d.Extents {
		switch e.Type {
		case "FLAT", "VMFS", "SPARSE", "VMFSSPARSE", "SESPARSE", "ZERO":
		case "VMFSRDM", "VMFSRAW":
			return refuse("line %d: an extent of type %s, a raw device mapping: its data is on a LUN, not in files", e.Line, e.Type)
		default:
			return refuse("line %d: an extent of type %q", e.Line, e.Type)
		}
		if e.Access == "NOACCESS" && e.Type != "ZERO" {
			return refuse("line %d: the extent %q must not be accessed (NOACCESS)", e.Line, e.Name)
		}
	}
	return nil
}
