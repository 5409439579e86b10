package nbd

import (
	"context"
	"encoding/binary"

	"hyper2kvm/internal/disk"
)

// status is one extent of an answer to NBD_CMD_BLOCK_STATUS.
type status struct {
	length uint32
	flags  uint32
}

// blockStatus answers NBD_CMD_BLOCK_STATUS in the context base:allocation. It never tells more than it was asked for, and less where
// the disk is fragmented.
func (t *transmission) blockStatus(ctx context.Context, r request) {
	most := maxExtents
	if r.flags&cmdFlagReqOne != 0 {
		most = 1
	}
	var found []status
	off, end := int64(r.off), int64(r.off)+int64(r.length) // inside the disk
	for range maxExtentSteps {
		next, flags, err := t.server.state(ctx, off)
		if err != nil {
			if len(found) > 0 {
				break // the error belongs to whoever asks for that offset
			}
			t.broken(ctx, r, off, err)
			return
		}
		next = min(next, end)
		if last := len(found) - 1; last >= 0 && found[last].flags == flags {
			found[last].length += uint32(next - off) // at most r.length
		} else if len(found) < most {
			found = append(found, status{uint32(next - off), flags})
		} else {
			break
		}
		if off = next; off == end {
			break
		}
	}
	b := appendChunk(nil, r, chunkDone, chunkBlockStatus, 4+8*len(found))
	b = binary.BigEndian.AppendUint32(b, contextID)
	for _, s := range found {
		b = binary.BigEndian.AppendUint32(b, s.length)
		b = binary.BigEndian.AppendUint32(b, s.flags)
	}
	t.write(b)
}

// state returns the flags of what begins at off and where it ends. It ends at a sector, as the announced block size demands: a sector
// that is not zero as a whole counts as data.
func (s *Server) state(ctx context.Context, off int64) (end int64, flags uint32, err error) {
	e, err := s.extent(ctx, off)
	if err != nil {
		return 0, 0, err
	}
	down := e.End() / sectorSize * sectorSize
	up := (e.End() + sectorSize - 1) / sectorSize * sectorSize // the size is a multiple too
	switch {
	case e.Kind == disk.Data || down <= off:
		return up, 0, nil
	case e.Kind == disk.Zero:
		return down, stateZero, nil
	}
	return down, stateHole | stateZero, nil
}
