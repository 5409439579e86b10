package vdi

import (
	"context"

	"hyper2kvm/internal/disk"
)

// Findings is what a check of the structure found.
type Findings struct {
	Blocks   int64   // blocks that are stored
	Problems []error // the first hundred, each a disk.Error
	More     int64   // how many further problems there were
}

// Check reads the whole map of this layer and reports blocks outside the file or at one place, and a count of blocks in the header
// that is wrong. It does not read blocks. The error is only for what ended the check.
func (img *Image) Check(ctx context.Context) (Findings, error) {
	var found Findings
	problem := func(err error) bool {
		if len(found.Problems) < maxProblems {
			found.Problems = append(found.Problems, err)
		} else {
			found.More++
		}
		return true
	}
	s := newScan(img)
	for n := range s.windows() {
		if err := s.window(ctx, n, problem); err != nil {
			return found, err
		}
	}
	found.Blocks = s.stored
	h := &img.head
	if s.behind > 0 {
		problem(fault(disk.ErrCorrupt, "check block map", img.file.Name(), 0x184, "%d blocks have a number of %d or more, the count in the header", s.behind, h.allocated))
	}
	if h.imageType != typeStatic && s.stored != int64(h.allocated) {
		problem(fault(disk.ErrCorrupt, "check block map", img.file.Name(), 0x184, "the header counts %d blocks, the map %d", h.allocated, s.stored))
	}
	return found, nil
}
