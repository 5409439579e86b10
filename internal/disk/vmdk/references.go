package vmdk

import (
	"bytes"

	"hyper2kvm/internal/disk"
)

// References says, from the descriptor alone, which other files a VMDK names: its extents, in order and byte for byte, and
// its parent, empty if it has none. The extent of an image that is its own extent is not another file. It does not close f.
func References(f disk.File) (names []string, parent string, err error) {
	head := make([]byte, min(f.Size(), probeSize))
	if err := readFull(f, "read head", head, 0); err != nil {
		return nil, "", err
	}
	var d *Descriptor
	switch {
	case bytes.HasPrefix(head, []byte(magicSparse)):
		if len(head) < headerSize {
			return nil, "", fault(disk.ErrTruncated, "read header", f.Name(), 0, "needs %d bytes, the file has %d", headerSize, len(head))
		}
		h, err := parseHeader(head[:headerSize], f.Name(), 0)
		if err != nil {
			return nil, "", err
		}
		if d, err = embeddedDescriptor(f, &h); err != nil || d == nil {
			return nil, "", err
		}
	case probeText(head):
		if d, err = readDescriptorFile(f); err != nil {
			return nil, "", err
		}
		seen := make(map[string]bool)
		for _, e := range d.Extents {
			if e.Name != "" && e.Sectors > 0 && e.Type != "ZERO" && !seen[e.Name] {
				seen[e.Name] = true
				names = append(names, e.Name)
			}
		}
	default:
		return nil, "", refuseBinary(head, f.Name())
	}
	if d.HasParent() {
		parent = d.ParentHint
	}
	return names, parent, nil
}
