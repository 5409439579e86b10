package vhdx

import (
	"encoding/binary"
	"slices"

	"hyper2kvm/internal/disk"
)

// entries judges the sectors of a log, each at most once.
type entries struct {
	ring  ring
	guid  GUID
	known []*entry // by sector; nil where there is no valid entry, or not judged
	done  []bool   // by sector
	left  int64    // bytes that may still be summed, see maxLogPasses
	spent bool
}

func newEntries(r ring, guid GUID) *entries {
	n := r.size() / logSector
	return &entries{ring: r, guid: guid, known: make([]*entry, n), done: make([]bool, n), left: maxLogPasses * r.size()}
}

// at returns the valid entry that begins at a place in the log; nil if there is none.
func (s *entries) at(place int64) *entry {
	i := place / logSector
	if s.done[i] {
		return s.known[i]
	}
	s.done[i] = true
	e, ok := s.ring.header(place, s.guid)
	if !ok {
		return nil
	}
	if s.left -= e.length; s.left < 0 {
		s.spent = true
		return nil
	}
	b := s.ring.piece(place, e.length)
	if binary.LittleEndian.Uint32(b[4:]) != checksum(b) {
		return nil
	}
	if _, ok := e.writes(b); !ok {
		return nil
	}
	s.known[i] = &e
	return &e
}

// activeSequence finds the newest complete sequence (2.3.3) and returns its entries from the tail to the head; nil if there is none.
func (s *entries) activeSequence() []entry {
	var best, seq []entry
	size := s.ring.size()
	for start := int64(0); start < size; {
		var end int64
		seq, end = s.sequence(start, seq[:0])
		from := -1
		if len(seq) > 0 {
			head := seq[len(seq)-1]
			for i, e := range seq {
				if e.at == head.tail {
					from = i
				}
			}
			if from >= 0 && (best == nil || head.sequence > best[len(best)-1].sequence) {
				best = slices.Clone(seq[from:])
			}
		}
		if from < 0 {
			start += logSector
		} else {
			start = end // past the ring's end everything was scanned
		}
	}
	return best
}

// sequence appends the entries that follow each other from a place on, and returns where the last one ends, not wrapped.
func (s *entries) sequence(start int64, seq []entry) (_ []entry, end int64) {
	end = start
	for {
		e := s.at(end % s.ring.size())
		if e == nil || end+e.length > start+s.ring.size() || len(seq) > 0 && e.sequence != seq[len(seq)-1].sequence+1 {
			return seq, end
		}
		seq = append(seq, *e)
		end += e.length
	}
}

// readLog finds the log that must be replayed, and what it does. It returns nil where the log is empty.
func readLog(src *source, h header) (*replay, error) {
	const op = "replay log"
	if !h.hasLog() {
		return nil, nil
	}
	at, length := int64(h.logOffset), int64(h.logLength)
	if length > maxLogBytes {
		return nil, fault(disk.ErrLimit, op, src.name(), at, "the log has %d bytes and is not empty; at most %d are replayed", length, maxLogBytes)
	}
	if !src.holds(at, length) {
		return nil, fault(disk.ErrTruncated, op, src.name(), at, "needs %d bytes there, the file has %d bytes in all", length, src.size)
	}
	log := make(ring, length)
	if err := src.readFull(op, log, at); err != nil {
		return nil, err
	}
	s := newEntries(log, h.log)
	active := s.activeSequence()
	switch {
	case s.spent:
		return nil, fault(disk.ErrCorrupt, op, src.name(), at, "entries lie in each other many times over")
	case active == nil:
		return nil, fault(disk.ErrCorrupt, op, src.name(), at, "the header says that there is a log to replay, %s, but it has no complete sequence of entries; let the program that wrote the disk open it once", h.log)
	}
	head := active[len(active)-1]
	if uint64(src.size) < head.flushed {
		return nil, fault(disk.ErrTruncated, op, src.name(), at+head.at, "the file had at least %d bytes when the log was written, now it has %d", head.flushed, src.size)
	}
	return newReplay(log, active), nil
}
