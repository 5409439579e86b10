package vmdk

import (
	"encoding/binary"
	"math"

	"hyper2kvm/internal/disk"
)

// Flags of a sparse header.
const (
	flagLineEnds   = 1 << 0  // the bytes at 73 are valid
	flagRedundant  = 1 << 1  // there is a second grain directory with tables of its own
	flagZeroGrain  = 1 << 2  // a grain table entry of 1 stands for zeroes
	flagCompressed = 1 << 16 // grains are compressed
	flagMarkers    = 1 << 17 // grains and metadata begin with markers
	knownFlags     = flagLineEnds | flagRedundant | flagZeroGrain | flagCompressed | flagMarkers
)

const (
	headerSize       = disk.SectorSize
	gdAtEnd          = math.MaxUint64 // the grain directory's place is in the footer
	algorithmDeflate = 1              // the only compression there is
	lineEnds         = "\n \r\n"
	defaultGrain     = 128
	defaultEntries   = 512
)

// header is what is used of the header of a sparse extent, or of the footer. Places and sizes are in sectors.
type header struct {
	size       int64 // of the header itself
	version    uint32
	flags      uint32 // of a hosted sparse extent
	unknown    uint32 // flags without a known meaning
	capacity   int64
	grain      int64
	descriptor int64
	descLen    int64
	entries    int64 // of a grain table
	redundant  int64 // place of the redundant grain directory; 0 = none
	directory  int64 // place of the grain directory
	overhead   int64 // sectors before the first grain, as the header has it
	atEnd      bool  // directory is not known: it is in the footer
	unclean    bool
}

func (h *header) compressed() bool  { return h.flags&flagCompressed != 0 }
func (h *header) grainBytes() int64 { return h.grain * disk.SectorSize }

// grains returns the number of grains, the last of which may be short.
func (h *header) grains() int64 { return (h.capacity + h.grain - 1) / h.grain }

// tables returns the number of grain tables, that is of grain directory entries.
func (h *header) tables() int64 { return (h.grains() + h.entries - 1) / h.entries }

// tableLen returns the number of entries of a grain table that stand for grains of the disk.
func (h *header) tableLen(table int64) int64 { return min(h.entries, h.grains()-table*h.entries) }

// parseHeader reads the header or footer at off in a file and checks every field that is used.
func parseHeader(b []byte, file string, off int64) (header, error) {
	bad := func(kind error, at int64, detail string, args ...any) (header, error) {
		return header{}, fault(kind, "read header", file, off+at, detail, args...)
	}
	if string(b[:4]) != magicSparse {
		return bad(disk.ErrFormat, 0, "the signature is % x, want % x", b[:4], magicSparse)
	}
	le := binary.LittleEndian
	h := header{size: 1, version: le.Uint32(b[4:]), flags: le.Uint32(b[8:]), entries: int64(le.Uint32(b[44:])), unclean: b[72] != 0}
	h.unknown = h.flags &^ uint32(knownFlags)
	h.overhead = int64(min(le.Uint64(b[64:]), maxSector))
	if h.flags&flagLineEnds != 0 && string(b[73:77]) != lineEnds {
		return bad(disk.ErrCorrupt, 73, "the line-end bytes are % x, want % x: the file was changed by a transfer in text mode, "+
			"copy it again in binary mode", b[73:77], lineEnds)
	}
	if h.version < 1 || h.version > 3 {
		return bad(disk.ErrUnsupported, 4, "version %d, this program reads 1 to 3", h.version)
	}
	for _, field := range []struct {
		at   int
		to   *int64
		name string
	}{{12, &h.capacity, "capacity"}, {20, &h.grain, "grain size"}, {28, &h.descriptor, "descriptor offset"}, {36, &h.descLen, "descriptor size"},
		{48, &h.redundant, "redundant grain directory offset"}, {56, &h.directory, "grain directory offset"}} {
		v := le.Uint64(b[field.at:])
		switch {
		case field.at == 56 && v == gdAtEnd:
			h.atEnd = true
		case field.at == 48 && h.flags&flagRedundant == 0: // not used, so not checked
		case v > maxSector:
			return bad(disk.ErrCorrupt, int64(field.at), "the %s is %d sectors, want at most %d", field.name, v, int64(maxSector))
		default:
			*field.to = int64(v)
		}
	}
	switch {
	case h.capacity > maxSectors:
		return bad(disk.ErrLimit, 12, "the capacity is %d sectors, the limit is %d", h.capacity, int64(maxSectors))
	case h.grain == 0 || h.grain&(h.grain-1) != 0:
		return bad(disk.ErrCorrupt, 20, "the grain size is %d sectors, want a power of two", h.grain)
	case h.grain > maxGrain:
		return bad(disk.ErrLimit, 20, "the grain size is %d sectors, the limit is %d", h.grain, maxGrain)
	case h.entries == 0:
		return bad(disk.ErrCorrupt, 44, "grain tables have no entries")
	case h.entries > maxTable:
		return bad(disk.ErrLimit, 44, "grain tables have %d entries, the limit is %d", h.entries, maxTable)
	}
	algorithm := le.Uint16(b[77:])
	switch {
	case h.compressed() && algorithm != algorithmDeflate:
		return bad(disk.ErrUnsupported, 77, "compression algorithm %d, this program reads 1 (deflate)", algorithm)
	case h.compressed() != (h.flags&flagMarkers != 0):
		return bad(disk.ErrUnsupported, 8, "flags %#x: only one of compression (0x10000) and markers (0x20000) is set", h.flags)
	}
	return h, nil
}

// region is a range of sectors of a file.
type region struct {
	name       string
	first, end int64
}

// metadata returns the ranges in which no grain may lie, as far as the header alone tells.
func (h *header) metadata() []region {
	length := (h.tables()*4 + disk.SectorSize - 1) / disk.SectorSize
	rs := []region{{"header", 0, h.size}}
	if h.descriptor != 0 {
		rs = append(rs, region{"descriptor", h.descriptor, h.descriptor + h.descLen})
	}
	if !h.atEnd {
		rs = append(rs, region{"grain directory", h.directory, h.directory + length})
	}
	if h.redundant != 0 {
		rs = append(rs, region{"redundant grain directory", h.redundant, h.redundant + length})
	}
	return rs
}
