package vhdx

import "sync/atomic"

// page is a piece of a table.
type page [pageBytes]byte

// pages keeps pages of a table that were read. Getting one that is there takes no lock and no memory. At most max are kept; which
// one goes is chosen by a hand that goes around, as in a clock without second chances.
type pages struct {
	load  func(i int64, p *page) error
	slots []atomic.Pointer[page]
	max   int64
	held  atomic.Int64
	hand  atomic.Int64
}

func newPages(count, most int64, load func(i int64, p *page) error) *pages {
	return &pages{load: load, slots: make([]atomic.Pointer[page], count), max: most}
}

// get returns page i. It must not be changed.
func (t *pages) get(i int64) (*page, error) {
	if p := t.slots[i].Load(); p != nil {
		return p, nil
	}
	p := new(page)
	if err := t.load(i, p); err != nil {
		return nil, err
	}
	if t.slots[i].CompareAndSwap(nil, p) && t.held.Add(1) > t.max {
		t.evict(i)
	}
	return p, nil
}

// evict forgets a page other than keep.
func (t *pages) evict(keep int64) {
	n := int64(len(t.slots))
	for range n {
		i := t.hand.Add(1) % n
		if i == keep || t.slots[i].Load() == nil {
			continue
		}
		if t.slots[i].Swap(nil) != nil {
			t.held.Add(-1)
			return
		}
	}
}
