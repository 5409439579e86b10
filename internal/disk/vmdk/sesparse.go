package vmdk

import (
	"context"
	"encoding/binary"

	"hyper2kvm/internal/disk"
)

// Layout of an seSparse extent. The format has no public specification; of what is not known to be harmless the reader
// takes nothing but the values that every known writer writes.
const (
	seVersion        = 0x200000001
	seVolatileMagic  = 0xcafecafe
	seGrainSectors   = 8
	seTableSectors   = 64
	seTableEntries   = seTableSectors * disk.SectorSize / 8
	seFirstUnknown   = 48  // four words, always 0
	sePadding        = 208 // to the end of the sector, always 0
	seVolatileFields = 32  // what follows them is always 0
)

// sePlace is a range of sectors of an seSparse extent.
type sePlace struct{ first, sectors int64 }

func (p sePlace) region(name string) region { return region{name, p.first, p.first + p.sectors} }

// grainTables is the name of the region that all tables are in, and no grain.
const grainTables = "grain tables"

// seHeader is the constant header of an seSparse extent. Only what is read of it is kept.
type seHeader struct {
	capacity                    int64 // sectors
	volatile, directory, tables sePlace
	grains                      int64 // disk.SectorSize of the first grain
}

// parseSESparse reads the constant header and checks every field that is used, or must be empty.
func parseSESparse(b []byte, file string) (seHeader, error) {
	bad := func(kind error, at int64, detail string, args ...any) (seHeader, error) {
		return seHeader{}, fault(kind, "read seSparse header", file, at, detail, args...)
	}
	word := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	for _, fixed := range []struct {
		at   int
		want uint64
		name string
	}{{8, seVersion, "version"}, {24, seGrainSectors, "grain size"}, {32, seTableSectors, "grain table size"}, {40, 0, "word of flags"}} {
		if v := word(fixed.at); v != fixed.want {
			return bad(disk.ErrUnsupported, int64(fixed.at), "the %s is %#x, this program reads %#x", fixed.name, v, fixed.want)
		}
	}
	for _, empty := range [][2]int{{seFirstUnknown, 80}, {sePadding, disk.SectorSize}} {
		for at := empty[0]; at < empty[1]; at++ {
			if b[at] != 0 {
				return bad(disk.ErrUnsupported, int64(at), "byte %#02x where other images have 0", b[at])
			}
		}
	}
	var h seHeader
	var unused int64
	for _, field := range []struct {
		at   int
		to   *int64
		name string
	}{{16, &h.capacity, "capacity"}, {80, &h.volatile.first, "volatile header offset"}, {88, &h.volatile.sectors, "volatile header size"},
		{128, &h.directory.first, "grain directory offset"}, {136, &h.directory.sectors, "grain directory size"},
		{144, &h.tables.first, "grain tables offset"}, {152, &h.tables.sectors, "grain tables size"},
		{192, &h.grains, "grains offset"}, {200, &unused, "grains size"}} {
		v := word(field.at)
		if v > maxSector {
			return bad(disk.ErrCorrupt, int64(field.at), "the %s is %d sectors, want at most %d", field.name, v, int64(maxSector))
		}
		*field.to = int64(v)
	}
	switch {
	case h.capacity > maxSectors:
		return bad(disk.ErrLimit, 16, "the capacity is %d sectors, the limit is %d", h.capacity, int64(maxSectors))
	case h.grains == 0:
		return bad(disk.ErrCorrupt, 192, "the grains begin in the header")
	}
	return h, nil
}

// checkVolatile checks the header that changes while the image is in use: in a copy of an image that was, the tables are
// what they were before the newest entries of the journal.
func (h *seHeader) checkVolatile(f disk.File) error {
	const op = "read seSparse volatile header"
	b := make([]byte, disk.SectorSize)
	off := h.volatile.first * disk.SectorSize
	if err := readFull(f, op, b, off); err != nil {
		return err
	}
	if magic := binary.LittleEndian.Uint64(b); magic != seVolatileMagic {
		return fault(disk.ErrCorrupt, op, f.Name(), off, "the signature is %#x, want %#x", magic, uint64(seVolatileMagic))
	}
	if binary.LittleEndian.Uint64(b[24:]) != 0 {
		return fault(disk.ErrUnsupported, op, f.Name(), off+24, "its journal has to be replayed: it was in use, or its host "+
			"crashed; start the machine once and shut it down, then copy the image again")
	}
	for at := seVolatileFields; at < disk.SectorSize; at++ {
		if b[at] != 0 {
			return fault(disk.ErrUnsupported, op, f.Name(), off+int64(at), "byte %#02x where other images have 0", b[at])
		}
	}
	return nil
}

// openSESparse opens an seSparse extent that stands for so many sectors of the disk.
func (o *opener) openSESparse(ctx context.Context, f disk.File, sectors int64) error {
	b := make([]byte, disk.SectorSize)
	if err := readFull(f, "read seSparse header", b, 0); err != nil {
		return err
	}
	se, err := parseSESparse(b, f.Name())
	if err != nil {
		return err
	}
	if err := se.checkVolatile(f); err != nil {
		return err
	}
	h := header{size: 1, capacity: se.capacity, grain: seGrainSectors, entries: seTableEntries, directory: se.directory.first}
	if room := se.directory.sectors * (disk.SectorSize / 8); room < h.tables() {
		return fault(disk.ErrCorrupt, "read seSparse header", f.Name(), 136, "the grain directory has room for %d tables, a capacity of %d sectors needs %d",
			room, h.capacity, h.tables())
	}
	metadata := []region{{"header", 0, 1}, se.volatile.region("volatile header"), se.directory.region("grain directory"), se.tables.region(grainTables)}
	return o.addSparse(ctx, &sparse{file: f, head: h, format: seEntries{se.tables.first, se.grains}, metadata: metadata}, sectors)
}
