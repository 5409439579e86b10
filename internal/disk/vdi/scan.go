package vdi

import (
	"context"

	"hyper2kvm/internal/disk"
)

// scan reads the whole map and looks for blocks that are not in the file, or share a place in it.
type scan struct {
	img    *Image
	places int64    // blocks that the file has room for, the last one perhaps not whole
	taken  []uint64 // a bit for every place of the window
	stored int64    // blocks counted in the first window
	behind int64    // of those, how many have a number that the header does not count
}

func newScan(img *Image) *scan {
	h := &img.head
	s := &scan{img: img, places: max(img.file.Size()-h.data, 0)/(h.blockSize+h.extra) + 1}
	return s
}

// windows returns how many passes over the map a whole scan takes.
func (s *scan) windows() int64 { return (s.places + scanWindow - 1) / scanWindow }

// window looks at the blocks whose place is in one part of the file; with the first part everything is checked that does not
// depend on the part. Of a problem it asks goOn whether to continue; if not, the problem is what it returns.
func (s *scan) window(ctx context.Context, n int64, goOn func(error) bool) error {
	h := &s.img.head
	first := n * scanWindow
	words := int((min(s.places-first, scanWindow) + 63) / 64)
	if cap(s.taken) < words {
		s.taken = make([]uint64, words)
	}
	s.taken = s.taken[:words]
	clear(s.taken)
	cur := cursor{img: s.img}
	for i := range h.blocks {
		if i%entriesPerPage == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e, err := cur.entry(i)
		if err != nil {
			return err
		}
		if e >= discarded {
			continue
		}
		if n == 0 {
			s.stored++
			if e >= h.allocated {
				s.behind++
			}
			if err := s.img.checkBlock(i, e); err != nil {
				if !goOn(err) {
					return err
				}
				continue
			}
		}
		place := int64(e) - first
		if place < 0 || place/64 >= int64(len(s.taken)) {
			continue
		}
		word, bit := &s.taken[place/64], uint64(1)<<(place%64)
		if *word&bit != 0 {
			err := fault(disk.ErrCorrupt, "check block map", s.img.file.Name(), h.mapAt+4*i, "block %d is number %d in the file, which is another block's", i, e)
			if !goOn(err) {
				return err
			}
		}
		*word |= bit
	}
	return nil
}
