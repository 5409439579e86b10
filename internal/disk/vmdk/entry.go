package vmdk

import (
	"encoding/binary"
	"math"

	"hyper2kvm/internal/disk"
)

// What a grain table holds in memory, whatever the kind of the extent: these, or the grain's first sector in the file.
const (
	entryAbsent = 0  // nothing stored: what lies below shows
	entryZero   = -1 // zeroes
)

// entryFormat is how an extent writes its grain directory and its grain tables.
type entryFormat interface {
	// width returns the size of an entry in bytes, in the directory and in a table.
	width() int64
	// table reads a directory entry; 0 says that there is no such table. It is false for what no writer writes.
	table(raw []byte) (uint32, bool)
	// place returns the byte offset of the table of an entry that is not 0.
	place(entry uint32) int64
	// grain reads an entry of a table. It is false for what no writer writes.
	grain(raw []byte) (int64, bool)
}

// hostedEntries are those of hosted sparse and COWD extents: plain sector numbers of 32 bits.
type hostedEntries struct {
	zeroGrains bool // 1 stands for zeroes, and not for the sector
}

// rawZeroGrain is the entry of a grain of zeroes, where the header says so.
const rawZeroGrain = 1

func (hostedEntries) width() int64 { return 4 }

func (hostedEntries) table(raw []byte) (uint32, bool) { return binary.LittleEndian.Uint32(raw), true }

func (hostedEntries) place(entry uint32) int64 { return int64(entry) * disk.SectorSize }

func (h hostedEntries) grain(raw []byte) (int64, bool) {
	e := binary.LittleEndian.Uint32(raw)
	if e == rawZeroGrain && h.zeroGrains {
		return entryZero, true
	}
	return int64(e), true
}

// seEntries are those of seSparse extents: 64 bits of which the upper four say what the rest means.
type seEntries struct {
	tables int64 // disk.SectorSize of the first grain table
	grains int64 // disk.SectorSize of the first grain
}

// The upper four bits of an seSparse entry.
const (
	seKind      = 60
	seAbsent    = 0 // all other bits are 0 too
	seTable     = 1 // in the directory: the number of a table follows
	seUnmapped  = 1 // in a table: a grain that the guest gave back; its number is kept, its content is not
	seZero      = 2
	seAllocated = 3 // the number of a grain follows, in two parts
)

func (seEntries) width() int64 { return 8 }

// table returns the number of the table plus one, since 0 is the number of a table too.
func (seEntries) table(raw []byte) (uint32, bool) {
	e := binary.LittleEndian.Uint64(raw)
	number := e & (1<<seKind - 1)
	switch {
	case e == seAbsent:
		return 0, true
	case e>>seKind != seTable || number >= math.MaxUint32:
		return 0, false
	}
	return uint32(number) + 1, true
}

func (s seEntries) place(entry uint32) int64 {
	return (s.tables + int64(entry-1)*seTableSectors) * disk.SectorSize
}

func (s seEntries) grain(raw []byte) (int64, bool) {
	e := binary.LittleEndian.Uint64(raw)
	switch e >> seKind {
	case seAbsent:
		return entryAbsent, e == 0
	case seUnmapped, seZero:
		return entryZero, true
	case seAllocated:
		// The lower 12 bits of the grain's number stand above its other 48.
		number := e&(1<<48-1)<<12 | e>>48&(1<<12-1)
		if number > uint64(maxSector-s.grains)/seGrainSectors {
			return 0, false
		}
		return s.grains + int64(number)*seGrainSectors, true
	}
	return 0, false
}
