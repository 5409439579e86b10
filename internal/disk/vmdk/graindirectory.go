package vmdk

import (
	"encoding/binary"

	"hyper2kvm/internal/disk"
)

// readDirectory reads the grain directory at a sector and checks that every table that it names lies in the file.
func readDirectory(f disk.File, h *header, at int64) ([]uint32, error) {
	const op = "read grain directory"
	if at < 1 {
		return nil, fault(disk.ErrCorrupt, op, f.Name(), 56, "the grain directory is at sector %d, in the header", at)
	}
	off := at * disk.SectorSize
	need := h.tables() * 4
	if off > f.Size() || need > f.Size()-off {
		return nil, fault(disk.ErrTruncated, op, f.Name(), off, "the directory of %d tables ends at byte %d, the file has %d bytes",
			h.tables(), off+need, f.Size())
	}
	b := make([]byte, need)
	if err := readFull(f, op, b, off); err != nil {
		return nil, err
	}
	dir := make([]uint32, h.tables())
	for i := range dir {
		dir[i] = binary.LittleEndian.Uint32(b[4*i:])
		if err := checkTablePlace(f, h, int64(i), dir[i]); err != nil {
			return nil, err
		}
	}
	return dir, nil
}

// checkTablePlace checks a grain directory entry.
func checkTablePlace(f disk.File, h *header, table int64, at uint32) error {
	end := int64(at)*disk.SectorSize + h.tableLen(table)*4
	if at == 0 || end <= f.Size() {
		return nil
	}
	return fault(disk.ErrTruncated, "read grain directory", f.Name(), int64(at)*disk.SectorSize,
		"grain table %d ends at byte %d, the file has %d bytes", table, end, f.Size())
}

// readTable reads the grain table at a sector and checks that every grain lies in the file and outside the metadata.
func (s *sparse) readTable(table int64, at uint32) ([]uint32, error) {
	if err := checkTablePlace(s.file, &s.head, table, at); err != nil {
		return nil, err
	}
	n := s.head.tableLen(table)
	b := make([]byte, n*4)
	if err := readFull(s.file, "read grain table", b, int64(at)*disk.SectorSize); err != nil {
		return nil, err
	}
	t := make([]uint32, n)
	for i := range t {
		t[i] = binary.LittleEndian.Uint32(b[4*i:])
		if !s.stored(t[i]) {
			continue
		}
		if err := s.checkGrain(table*s.head.entries+int64(i), t[i], int64(at)*disk.SectorSize+int64(4*i)); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// checkGrain checks the place of a grain; entry is the byte offset of its grain table entry.
func (s *sparse) checkGrain(grain int64, at uint32, entry int64) error {
	const op = "read grain table"
	need := min(s.head.grain, s.head.capacity-grain*s.head.grain) * disk.SectorSize
	if s.head.compressed() {
		need = grainMarkerSize
	}
	first := int64(at) * disk.SectorSize
	if first+need > s.file.Size() {
		return fault(disk.ErrTruncated, op, s.file.Name(), entry, "grain %d ends at byte %d or later, the file has %d bytes",
			grain, first+need, s.file.Size())
	}
	end := int64(at) + (need+disk.SectorSize-1)/disk.SectorSize
	for _, r := range s.metadata {
		if int64(at) < r.end && r.first < end {
			return fault(disk.ErrCorrupt, op, s.file.Name(), entry, "grain %d is at sector %d, inside the %s", grain, at, r.name)
		}
	}
	return nil
}

// redundantTable returns a grain table by the redundant grain directory.
func (s *sparse) redundantTable(table int64) ([]uint32, error) {
	var e [4]byte
	if err := readFull(s.file, "read redundant grain directory", e[:], s.head.redundant*disk.SectorSize+4*table); err != nil {
		return nil, err
	}
	at := binary.LittleEndian.Uint32(e[:])
	if at == 0 {
		return nil, nil
	}
	return s.readTable(table, at)
}

// table returns a grain table, nil if no grain of it is stored. When the table is bad its redundant copy is used.
func (s *sparse) table(i int64) ([]uint32, error) {
	at := s.directory[i]
	if at == 0 {
		return nil, nil
	}
	if last := s.last.Load(); last != nil && last.index == i {
		return last.entries, nil
	}
	t, err := s.tables.Get(s.base+i*s.head.entries*s.head.grainBytes(), func() ([]uint32, error) {
		t, err := s.readTable(i, at)
		if err == nil || s.head.redundant == 0 || s.onRedundant {
			return t, err
		}
		if t, again := s.redundantTable(i); again == nil && t != nil {
			s.repaired.Add(1)
			return t, nil
		}
		return nil, err
	})
	if err != nil {
		return nil, err
	}
	s.last.Store(&loadedTable{i, t})
	return t, nil
}

// loadedTable is the grain table that was used last: it spares most reads the way through the cache.
type loadedTable struct {
	index   int64
	entries []uint32
}
