package ovf

import (
	"fmt"
	"slices"
	"strings"

	"hyper2kvm/internal/machine"
)

// disks reads the DiskSection. Capacities given as ${property} wait for the system whose properties they name.
func (rd *reader) disks(root *element) error {
	for section := range root.all("DiskSection") {
		for e := range section.all("Disk") {
			id := e.attr("diskId")
			if id == "" {
				return fmt.Errorf("%w: line %d: a disk has no diskId", machine.ErrDescriptor, e.line)
			}
			if rd.diskElements[id] != nil {
				return fmt.Errorf("%w: line %d: two disks have the ID %s", machine.ErrDescriptor, e.line, machine.Quote(id))
			}
			rd.diskElements[id] = e
			d := machine.Disk{ID: id, Parent: e.attr("parentRef")}
			if err := rd.attachFile(&d, e.attr("fileRef")); err != nil {
				return fmt.Errorf("disk %s: %w", machine.Quote(id), err)
			}
			capacity := e.attr("capacity")
			switch {
			case strings.Contains(capacity, "${"):
				rd.unresolved[id] = true
			case capacity != "":
				n, err := parseQuantity("disk "+machine.Quote(id)+": capacity", capacity, e.attr("capacityAllocationUnits"), 1, MaxCapacity)
				if err != nil && d.Blank() {
					return err
				}
				if err != nil { // the image itself knows better
					rd.warn("%v; it is passed over", err)
				}
				d.Capacity = n
			}
			rd.disksByID[id] = len(rd.p.Disks)
			rd.p.Disks = append(rd.p.Disks, d)
		}
	}
	for _, d := range rd.p.Disks {
		if err := rd.checkParents(d); err != nil {
			return err
		}
	}
	return nil
}

// attachFile points a disk at a file of the References.
func (rd *reader) attachFile(d *machine.Disk, fileRef string) error {
	if fileRef == "" {
		return nil
	}
	i, ok := rd.files[fileRef]
	if !ok {
		return fmt.Errorf("%w: it names the file %s, which the References do not list", machine.ErrDescriptor, machine.Quote(fileRef))
	}
	f := rd.p.Files[i]
	name, err := fileName(f.Href)
	if err != nil {
		return fmt.Errorf("file %s: %w", machine.Quote(f.ID), err)
	}
	switch strings.ToLower(f.Compression) {
	case "":
	case "gzip":
		d.Gzip = true
	default:
		return fmt.Errorf("file %s: %w: compression %s; read are gzip and none", machine.Quote(f.ID), machine.ErrUnsupported, machine.Quote(f.Compression))
	}
	d.File, d.FileBytes, d.ChunkBytes = name, f.Size, f.ChunkSize
	return nil
}

// maxParents is the longest chain of parentRefs that is followed, as many as the image engine reads.
const maxParents = 64

// checkParents proves that the parents of a disk exist and end.
func (rd *reader) checkParents(d machine.Disk) error {
	for at, n := d, 0; at.Parent != ""; n++ {
		up, ok := rd.disksByID[at.Parent]
		if !ok {
			return fmt.Errorf("%w: disk %s names the parent %s, which the DiskSection does not list", machine.ErrDescriptor, machine.Quote(at.ID), machine.Quote(at.Parent))
		}
		if n >= maxParents {
			return fmt.Errorf("%w: disk %s has more than %d parents, or they form a loop", machine.ErrLimit, machine.Quote(d.ID), maxParents)
		}
		at = rd.p.Disks[up]
	}
	return nil
}

// disk returns the disk that a drive's HostResource names, as seen by a system: "ovf:/disk/ID", "ovf://disk/ID", "/disk/ID",
// "disk/ID", the same with "file", or a bare ID.
func (rd *reader) disk(hostResource string, scope []*element) (machine.Disk, error) {
	ref := strings.TrimLeft(strings.TrimPrefix(hostResource, "ovf:"), "/")
	kind, id, ok := strings.Cut(ref, "/")
	if !ok {
		kind, id = "disk", ref
	}
	switch kind {
	case "disk":
		i, ok := rd.disksByID[id]
		if !ok {
			return machine.Disk{}, fmt.Errorf("%w: it names the disk %s, which the DiskSection does not list", machine.ErrDescriptor, machine.Quote(id))
		}
		rd.used[id] = true
		return rd.resolveCapacity(rd.p.Disks[i], scope)
	case "file":
		d := machine.Disk{ID: id}
		return d, rd.attachFile(&d, id)
	}
	return machine.Disk{}, fmt.Errorf("%w: host resource %s; needed is ovf:/disk/ID or ovf:/file/ID", machine.ErrDescriptor, machine.Quote(hostResource))
}

// resolveCapacity fills in a capacity of the form ${property} (DSP0243 9.1) from the properties of the system and what it is
// in. A disk with a file can do without; a blank one cannot.
func (rd *reader) resolveCapacity(d machine.Disk, scope []*element) (machine.Disk, error) {
	e := rd.diskElements[d.ID]
	if rd.unresolved[d.ID] {
		capacity, ok := rd.expand(e.attr("capacity"), scope)
		n, err := int64(0), error(nil)
		if ok {
			n, err = parseQuantity("capacity", capacity, e.attr("capacityAllocationUnits"), 1, MaxCapacity)
		}
		switch {
		case ok && err == nil:
			d.Capacity = n
		case d.Blank():
			return d, fmt.Errorf("%w: the capacity %s of the blank disk %s names no property that has a number", machine.ErrDescriptor, machine.Quote(e.attr("capacity")), machine.Quote(d.ID))
		default:
			rd.warn("the capacity %s of disk %s cannot be told; its image knows", machine.Quote(e.attr("capacity")), machine.Quote(d.ID))
		}
	}
	if d.Blank() && d.Capacity <= 0 {
		return d, fmt.Errorf("%w: disk %s has neither a file nor a capacity", machine.ErrDescriptor, machine.Quote(d.ID))
	}
	return d, nil
}

// maxSteps bounds the properties looked at for all the capacities of a descriptor.
const maxSteps = 1 << 20

// expand replaces a ${property} that is the whole of s.
func (rd *reader) expand(s string, scope []*element) (string, bool) {
	key, ok := strings.CutPrefix(strings.TrimSpace(s), "${")
	if !ok {
		return "", false
	}
	if key, ok = strings.CutSuffix(key, "}"); !ok {
		return "", false
	}
	for _, at := range slices.Backward(scope) {
		for section := range at.all("ProductSection") {
			for p := range section.all("Property") {
				if rd.steps++; rd.steps > maxSteps {
					return "", false
				}
				// DSP0243 9.5.1: a property's full name is class.key.instance, the outer two optional.
				full := p.attr("key")
				if c := section.attr("class"); c != "" {
					full = c + "." + full
				}
				if in := section.attr("instance"); in != "" {
					full += "." + in
				}
				if (key != full && key != p.attr("key")) || !rd.applies(p) {
					continue
				}
				for v := range p.all("Value") {
					if v.attr("configuration") != "" && rd.applies(v) {
						return v.attr("value"), true
					}
				}
				return p.attr("value"), true
			}
		}
	}
	return "", false
}

// adoptDisks gives the disks of a DiskSection to the only system when its hardware names no disk at all: what was packed
// would be lost otherwise. Disks that still belong to nobody are named.
func (rd *reader) adoptDisks() {
	parents := map[string]bool{}
	for _, d := range rd.p.Disks {
		parents[d.Parent] = true
	}
	lone := len(rd.p.Systems) == 1 && len(rd.p.Systems[0].Disks) == 0
	for _, d := range rd.p.Disks {
		if rd.used[d.ID] || parents[d.ID] {
			continue
		}
		if lone && !d.Blank() {
			m := &rd.p.Systems[0]
			d.Unit = len(m.Disks)
			m.Disks = append(m.Disks, d)
			rd.warn("disk %s is attached to no controller; it is taken as a disk of the only system", machine.Quote(d.ID))
			continue
		}
		if rd.p.Configuration == "" { // disks of other deployment options are expected
			rd.warn("disk %s is used by no system and is left out", machine.Quote(d.ID))
		}
	}
}
