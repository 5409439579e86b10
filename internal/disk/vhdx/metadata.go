package vhdx

import (
	"encoding/binary"
	"slices"

	"hyper2kvm/internal/disk"
)

// Metadata table (2.6.1): a header of 32 bytes ("metadata", 2 reserved, 2 entry count, 20 reserved), then entries of 32 bytes:
//
//	 0 16  item id
//	16  4  offset in the region
//	20  4  length
//	24  4  flags: 1 user's, 2 of the virtual disk, 4 required
const (
	metadataSignature   = "metadata"
	metadataHeaderBytes = 32
	metadataEntryBytes  = 32

	itemUser        = 1 << 0
	itemVirtualDisk = 1 << 1
	itemRequired    = 1 << 2

	// Flags of the file parameters (2.6.2.1).
	leaveBlocksAllocated = 1 << 0
	hasParent            = 1 << 1
)

// item is an entry of the metadata table.
type item struct {
	id          GUID
	off, length int64 // off in the region; 0 if the item is empty
	flags       uint32
}

func (i item) user() bool { return i.flags&itemUser != 0 }

// metadata is what the known items say.
type metadata struct {
	blockSize  int64
	fixed      bool // blocks are never given back
	parent     bool
	size       int64
	sectorSize int64 // logical: 512 or 4096
	locator    map[string]string
}

// knownItem says whether this program understands an item of the system.
func knownItem(id GUID) bool {
	switch id {
	case guidFileParameters, guidVirtualDiskSize, guidVirtualDiskID, guidLogicalSectorSize, guidPhysicalSectorSize, guidParentLocator:
		return true
	}
	return false
}

// readItems reads the metadata table.
func readItems(src *source, reg region) ([]item, error) {
	const op = "read metadata table"
	corrupt := func(at int64, detail string, args ...any) ([]item, error) {
		return nil, fault(disk.ErrCorrupt, op, src.name(), reg.off+at, detail, args...)
	}
	b := make([]byte, metadataTableBytes)
	if err := src.readFull(op, b, reg.off); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if string(b[:8]) != metadataSignature {
		return corrupt(0, "%q is not there", metadataSignature)
	}
	n := int(le.Uint16(b[10:]))
	if n > maxEntries {
		return corrupt(0, "%d entries, at most %d are allowed", n, maxEntries)
	}
	type key struct {
		id   GUID
		user bool
	}
	seen, users := make(map[key]bool), 0
	var list []item
	for k := range n {
		at := int64(metadataHeaderBytes + k*metadataEntryBytes)
		e := b[at:]
		i := item{id: GUID(e[:16]), off: int64(le.Uint32(e[16:])), length: int64(le.Uint32(e[20:])), flags: le.Uint32(e[24:])}
		if i.user() {
			users++
		}
		switch {
		case seen[key{i.id, i.user()}]:
			return corrupt(at, "item %s is there twice", i.id)
		case users > maxUserItems:
			return corrupt(at, "more than %d items of users", maxUserItems)
		case i.length > maxItemBytes:
			return corrupt(at, "item %s has %d bytes, at most %d are allowed", i.id, i.length, maxItemBytes)
		case i.length == 0 && i.off != 0, i.length > 0 && (i.off < metadataTableBytes || i.off+i.length > reg.length):
			return corrupt(at, "item %s has %d bytes at %#x, the region %d bytes, its table %d", i.id, i.length, i.off, reg.length, metadataTableBytes)
		case i.flags&itemRequired != 0 && (i.user() || !knownItem(i.id)):
			return nil, fault(disk.ErrUnsupported, op, src.name(), reg.off+at, "metadata item %s is required and not known", i.id)
		}
		seen[key{i.id, i.user()}] = true
		list = append(list, i)
	}
	byPlace := slices.DeleteFunc(slices.Clone(list), func(i item) bool { return i.length == 0 })
	slices.SortFunc(byPlace, func(a, b item) int { return int(a.off - b.off) })
	for k := 1; k < len(byPlace); k++ {
		if a, b := byPlace[k-1], byPlace[k]; b.off < a.off+a.length {
			return corrupt(b.off, "item %s overlaps item %s", b.id, a.id)
		}
	}
	return list, nil
}

// readMetadata reads the metadata region. Virtual disk id and physical sector size are not needed for the content and may be
// missing.
func readMetadata(src *source, reg region) (metadata, error) {
	const op = "read metadata"
	list, err := readItems(src, reg)
	if err != nil {
		return metadata{}, err
	}
	read := func(id GUID, name string, least int64) (b []byte, at int64, err error) {
		k := slices.IndexFunc(list, func(i item) bool { return i.id == id && !i.user() })
		if k < 0 {
			return nil, 0, fault(disk.ErrCorrupt, op, src.name(), reg.off, "there is no %s", name)
		}
		at = reg.off + list[k].off
		if list[k].length < least {
			return nil, 0, fault(disk.ErrCorrupt, op, src.name(), at, "%s has %d bytes, needs %d", name, list[k].length, least)
		}
		b = make([]byte, list[k].length)
		return b, at, src.readFull(op, b, at)
	}
	var m metadata
	le := binary.LittleEndian
	b, at, err := read(guidFileParameters, "file parameters", 8)
	if err != nil {
		return metadata{}, err
	}
	flags := le.Uint32(b[4:])
	m.blockSize, m.parent = int64(le.Uint32(b)), flags&hasParent != 0
	m.fixed = flags&leaveBlocksAllocated != 0 && !m.parent
	switch {
	case m.blockSize < minBlockBytes || m.blockSize > maxBlockBytes || m.blockSize&(m.blockSize-1) != 0:
		return metadata{}, fault(disk.ErrCorrupt, op, src.name(), at, "block size %d; a power of two from %d to %d is needed", m.blockSize, minBlockBytes, maxBlockBytes)
	case flags&^(leaveBlocksAllocated|hasParent) != 0:
		return metadata{}, fault(disk.ErrUnsupported, op, src.name(), at, "file parameters have the flags %#x, only 1 and 2 are known", flags)
	}
	if b, at, err = read(guidLogicalSectorSize, "logical sector size", 4); err != nil {
		return metadata{}, err
	}
	if m.sectorSize = int64(le.Uint32(b)); m.sectorSize != 512 && m.sectorSize != 4096 {
		return metadata{}, fault(disk.ErrCorrupt, op, src.name(), at, "logical sector size %d; 512 or 4096 is needed", m.sectorSize)
	}
	if b, at, err = read(guidVirtualDiskSize, "virtual disk size", 8); err != nil {
		return metadata{}, err
	}
	size := le.Uint64(b)
	switch {
	case size > disk.MaxSize:
		return metadata{}, fault(disk.ErrLimit, op, src.name(), at, "virtual size %d, at most %d", size, int64(disk.MaxSize))
	case size%uint64(m.sectorSize) != 0:
		return metadata{}, fault(disk.ErrCorrupt, op, src.name(), at, "virtual size %d is not a multiple of the sector size %d", size, m.sectorSize)
	}
	m.size = int64(size)
	if m.parent {
		if b, at, err = read(guidParentLocator, "parent locator", locatorHeaderBytes); err != nil {
			return metadata{}, err
		}
		m.locator, err = parseLocator(src.name(), b, at)
	}
	return m, err
}

// encodeMetadata returns the table and the items of a dynamic disk without a parent, up to the end of the last item.
func encodeMetadata(blockSize, size, sectorSize, physicalSize int64, diskID GUID) []byte {
	le := binary.LittleEndian
	items := []struct {
		id    GUID
		flags uint32
		value []byte
	}{
		{guidFileParameters, itemRequired, le.AppendUint32(le.AppendUint32(nil, uint32(blockSize)), 0)},
		{guidVirtualDiskSize, itemRequired | itemVirtualDisk, le.AppendUint64(nil, uint64(size))},
		{guidVirtualDiskID, itemRequired | itemVirtualDisk, diskID[:]},
		{guidLogicalSectorSize, itemRequired | itemVirtualDisk, le.AppendUint32(nil, uint32(sectorSize))},
		{guidPhysicalSectorSize, itemRequired | itemVirtualDisk, le.AppendUint32(nil, uint32(physicalSize))},
	}
	b := make([]byte, metadataTableBytes)
	copy(b, metadataSignature)
	le.PutUint16(b[10:], uint16(len(items)))
	for k, i := range items {
		e := b[metadataHeaderBytes+k*metadataEntryBytes:]
		copy(e, i.id[:])
		le.PutUint32(e[16:], uint32(len(b)))
		le.PutUint32(e[20:], uint32(len(i.value)))
		le.PutUint32(e[24:], i.flags)
		b = append(b, i.value...)
	}
	return b
}
