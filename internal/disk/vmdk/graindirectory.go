package vmdk

import (
	"context"
	"encoding/binary"

	"hyper2kvm/internal/disk"
)

// readDirectory reads the grain directory at a sector and checks that every table that it names lies in the file.
func (s *sparse) readDirectory(ctx context.Context, at int64) ([]uint32, error) {
	const op = "read grain directory"
	f, h, width := s.file, &s.head, s.format.width()
	if at < h.size {
		return nil, fault(disk.ErrCorrupt, op, f.Name(), noOffset, "the grain directory is at sector %d, in the header", at)
	}
	off := at * disk.SectorSize
	need := h.tables() * width
	if off > f.Size() || need > f.Size()-off {
		return nil, fault(disk.ErrTruncated, op, f.Name(), off, "the directory of %d tables ends at byte %d, the file has %d bytes",
			h.tables(), off+need, f.Size())
	}
	dir := make([]uint32, h.tables())
	var buf [directoryPiece]byte
	for i := int64(0); i < h.tables(); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := buf[:min(directoryPiece, need-i*width)]
		if err := readFull(f, op, b, off+i*width); err != nil {
			return nil, err
		}
		for ; len(b) > 0; b, i = b[width:], i+1 {
			e, ok := s.format.table(b[:width])
			if !ok {
				return nil, fault(disk.ErrCorrupt, op, f.Name(), off+i*width, "entry %d is %#x, which names no grain table", i, littleEndian(b[:width]))
			}
			if err := s.checkTablePlace(i, e); err != nil {
				return nil, err
			}
			dir[i] = e
		}
	}
	return dir, nil
}

// directoryPiece is how much of a grain directory is read at a time: a multiple of every entry's width.
const directoryPiece = 16 << 10

// littleEndian returns the number in 4 or 8 bytes.
func littleEndian(b []byte) uint64 {
	if len(b) == 4 {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// checkTablePlace checks a grain directory entry.
func (s *sparse) checkTablePlace(table int64, entry uint32) error {
	if entry == 0 {
		return nil
	}
	const op = "read grain directory"
	at := s.format.place(entry)
	end := at + s.head.tableLen(table)*s.format.width()
	if end > s.file.Size() {
		return fault(disk.ErrTruncated, op, s.file.Name(), at, "grain table %d ends at byte %d, the file has %d bytes", table, end, s.file.Size())
	}
	for _, r := range s.metadata {
		if at < r.end*disk.SectorSize && r.first*disk.SectorSize < end && r.name != grainTables {
			return fault(disk.ErrCorrupt, op, s.file.Name(), at, "grain table %d is inside the %s", table, r.name)
		}
	}
	return nil
}

// readRaw reads the grain table of a directory entry as it stands in the file.
func (s *sparse) readRaw(table int64, entry uint32) ([]byte, error) {
	if err := s.checkTablePlace(table, entry); err != nil {
		return nil, err
	}
	b := make([]byte, s.head.tableLen(table)*s.format.width())
	return b, readFull(s.file, "read grain table", b, s.format.place(entry))
}

// readTable reads a grain table and checks that every grain lies in the file and outside the metadata.
func (s *sparse) readTable(table int64, entry uint32) ([]int64, error) {
	b, err := s.readRaw(table, entry)
	if err != nil {
		return nil, err
	}
	t := make([]int64, s.head.tableLen(table))
	for i := range t {
		if t[i], err = s.entry(b, table, entry, int64(i)); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// entry returns entry i of a grain table as it was read, checked.
func (s *sparse) entry(b []byte, table int64, at uint32, i int64) (int64, error) {
	width := s.format.width()
	raw := b[i*width : (i+1)*width]
	e, ok := s.format.grain(raw)
	if e > 0 || !ok {
		grain, off := table*s.head.entries+i, s.format.place(at)+i*width
		if !ok {
			return 0, fault(disk.ErrCorrupt, "read grain table", s.file.Name(), off, "the entry of grain %d is %#x, which means nothing", grain, littleEndian(raw))
		}
		if err := s.checkGrain(grain, e, off); err != nil {
			return 0, err
		}
	}
	return e, nil
}

// checkGrain checks the place of a grain; entry is the byte offset of its grain table entry.
func (s *sparse) checkGrain(grain int64, at, entry int64) error {
	const op = "read grain table"
	need := min(s.head.grain, s.head.capacity-grain*s.head.grain) * disk.SectorSize
	if s.head.compressed() {
		need = grainMarkerSize
	}
	first := at * disk.SectorSize
	if first+need > s.file.Size() {
		return fault(disk.ErrTruncated, op, s.file.Name(), entry, "grain %d ends at byte %d or later, the file has %d bytes",
			grain, first+need, s.file.Size())
	}
	end := at + (need+disk.SectorSize-1)/disk.SectorSize
	for _, r := range s.metadata {
		if at < r.end && r.first < end {
			return fault(disk.ErrCorrupt, op, s.file.Name(), entry, "grain %d is at sector %d, inside the %s", grain, at, r.name)
		}
	}
	return nil
}

// redundantTable returns a grain table by the redundant grain directory.
func (s *sparse) redundantTable(table int64) ([]int64, error) {
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
func (s *sparse) table(i int64) ([]int64, error) {
	at := s.directory[i]
	if at == 0 && s.rebuilt == nil {
		return nil, nil
	}
	if last := s.last.Load(); last != nil && last.index == i {
		return last.entries, nil
	}
	if t, ok := s.rebuilt[i]; ok {
		return t, nil
	}
	if at == 0 {
		return nil, nil
	}
	t, err := s.tables.Get(s.base+i*s.head.entries*s.head.grainBytes(), func() ([]int64, error) {
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
	entries []int64
}
