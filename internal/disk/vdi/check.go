package vdi

import (
	"context"

	"hyper2kvm/internal/disk"
)

// Check reads the whole map of this layer and reports blocks outside the file or at one place, and a count of blocks in the header
// that is wrong.
func (img *Image) Check(ctx context.Context) (disk.Findings, error) {
	found := disk.Findings{Units: int64(img.head.blocks)}
	note := func(err error) bool {
		found.Problem(err)
		return true
	}
	s := newScan(img)
	for n := range s.windows() {
		if err := s.window(ctx, n, note); err != nil {
			return found, err
		}
	}
	found.Stored = s.stored
	h := &img.head
	if s.behind > 0 {
		found.Problem(fault(disk.ErrCorrupt, "check block map", img.file.Name(), 0x184, "%d blocks have a number of %d or more, the count in the header", s.behind, h.allocated))
	}
	if h.imageType != typeStatic && s.stored != int64(h.allocated) {
		found.Problem(fault(disk.ErrCorrupt, "check block map", img.file.Name(), 0x184, "the header counts %d blocks, the map %d", h.allocated, s.stored))
	}
	return found, nil
}
