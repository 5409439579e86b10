package vmdk

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"

	"hyper2kvm/internal/disk"
)

// rebuild makes the grain directory of a stream anew, from the markers before its grains and tables: for streams that are
// whole but for what stands behind the last table. A stream that was cut is none of them, and is not even walked.
func (s *sparse) rebuild(ctx context.Context) error {
	if err := s.findEnd(); err != nil {
		return err
	}
	w := markerWalk{s: s, off: s.head.overhead * disk.SectorSize, directory: make([]uint32, s.head.tables()), pending: make(map[int64][]int64)}
	for steps := 0; !w.ended; steps++ {
		if steps%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := w.step(); err != nil {
			return err
		}
	}
	s.directory, s.rebuilt = w.directory, w.pending
	s.head.atEnd = true // where the file's directory should be no longer counts
	s.metadata = s.head.metadata()
	return nil
}

// findEnd says whether the file holds what follows the last grain of a stream, near its end.
func (s *sparse) findEnd() error {
	const op = "look for the stream's end"
	sectors := s.file.Size() / disk.SectorSize
	n := min(footerSearch/disk.SectorSize, sectors)
	b := make([]byte, n*disk.SectorSize)
	if err := readFull(s.file, op, b, (sectors-n)*disk.SectorSize); err != nil {
		return err
	}
	for at := len(b) - disk.SectorSize; at >= 0; at -= disk.SectorSize {
		if m, ok := metadataMarker(b[at : at+disk.SectorSize]); ok && (m.kind == markerFooter || m.kind == markerDirectory) {
			return nil
		}
	}
	return fault(disk.ErrTruncated, op, s.file.Name(), noOffset, "neither a footer nor a grain directory in the last %d bytes", len(b))
}

// metadataMarker reads a sector that should be a marker of something else than a grain.
func metadataMarker(b []byte) (marker, bool) {
	m := parseMarker(b)
	if m.kind == markerProgress {
		return m, m.size == 0 && m.value == 0
	}
	return m, m.size == 0 && m.kind < markerProgress && len(bytes.Trim(b[16:disk.SectorSize], "\x00")) == 0
}

// markerWalk follows the markers of a stream.
type markerWalk struct {
	s         *sparse
	off       int64 // of the next marker
	directory []uint32
	pending   map[int64][]int64 // tables whose grains were met, until their like is found in the file
	current   []int64           // the table of the last grain, nil before the first and behind a table
	table     int64             // its number
	last      bool              // the grain directory was met: no grain may follow
	ended     bool
}

func (w *markerWalk) fail(detail string, args ...any) error {
	return fault(disk.ErrCorrupt, "walk markers", w.s.file.Name(), w.off, detail, args...)
}

// step reads one marker and moves behind what it stands for.
func (w *markerWalk) step() error {
	var b [disk.SectorSize]byte
	if err := readFull(w.s.file, "walk markers", b[:], w.off); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(b[8:]) != 0 {
		return w.grain(parseMarker(b[:]))
	}
	m, ok := metadataMarker(b[:])
	switch {
	case !ok:
		return w.fail("no marker")
	case m.value > uint64(w.s.file.Size()/disk.SectorSize):
		return w.fail("a marker of type %d is followed by %d sectors, the file has %d bytes", m.kind, m.value, w.s.file.Size())
	case m.kind == markerEnd && (!w.last || m.value != 0):
		return w.fail("the stream ends before its grain directory: a part of the file was lost and reads as zeroes")
	case m.kind == markerEnd:
		w.ended = true
		return nil
	case m.kind == markerTable:
		if err := w.matchTable(); err != nil {
			return err
		}
	case m.kind == markerDirectory:
		w.last = true
	}
	w.off += (1 + int64(m.value)) * disk.SectorSize
	return nil
}

// grain notes where a grain is.
func (w *markerWalk) grain(m marker) error {
	h := &w.s.head
	stored := grainMarkerSize + int64(m.size)
	switch {
	case w.last:
		return w.fail("a grain behind the grain directory")
	case m.value >= uint64(h.capacity) || m.value%uint64(h.grain) != 0:
		return w.fail("a grain for sector %d, want a multiple of %d below %d", m.value, h.grain, h.capacity)
	case stored > w.s.maxStored() || stored > w.s.file.Size()-w.off:
		return w.fail("a grain of %d bytes", m.size)
	}
	grain := int64(m.value) / h.grain
	table, i := grain/h.entries, grain%h.entries
	if w.current == nil || w.table != table {
		if w.directory[table] != 0 {
			return w.fail("grain %d follows its table", grain)
		}
		if w.pending[table] == nil {
			if int64(len(w.pending)+1)*h.entries > maxRebuilt {
				return fault(disk.ErrLimit, "walk markers", w.s.file.Name(), w.off, "more than %d entries of damaged grain tables", maxRebuilt)
			}
			w.pending[table] = make([]int64, h.tableLen(table))
		}
		w.table, w.current = table, w.pending[table]
	}
	if w.current[i] != entryAbsent {
		return w.fail("grain %d for the second time", grain)
	}
	w.current[i] = w.off / disk.SectorSize
	w.off += (stored + disk.SectorSize - 1) / disk.SectorSize * disk.SectorSize
	return nil
}

// matchTable compares the grain table behind the marker with the grains before it. If they agree the table in the file
// will do, else what was found stays in memory.
func (w *markerWalk) matchTable() error {
	if w.current == nil {
		return nil // a table without grains, or one more copy
	}
	at := w.off + disk.SectorSize
	b := make([]byte, 4*len(w.current))
	if err := readFull(w.s.file, "walk markers", b, at); err != nil {
		return err
	}
	same := at/disk.SectorSize <= math.MaxUint32
	for i, e := range w.current {
		same = same && int64(binary.LittleEndian.Uint32(b[4*i:])) == e
	}
	if same {
		w.directory[w.table] = uint32(at / disk.SectorSize)
		delete(w.pending, w.table)
	}
	w.current = nil
	return nil
}
