package vhdx

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// TestPages lets many goroutines ask for pages of a cache that holds a few.
func TestPages(t *testing.T) {
	const count, most = 50, 4
	var loads atomic.Int64
	failed := errors.New("on purpose")
	p := newPages(count, most, func(i int64, b *page) error {
		loads.Add(1)
		if i == 13 {
			return failed
		}
		b[0], b[pageBytes-1] = byte(i), byte(i)
		return nil
	})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(g)))
			for range 2000 {
				i := r.Int64N(count)
				b, err := p.get(i)
				if i == 13 {
					if !errors.Is(err, failed) || b != nil {
						t.Errorf("page 13: %v", err)
					}
					continue
				}
				if err != nil || b[0] != byte(i) || b[pageBytes-1] != byte(i) {
					t.Errorf("page %d: %d, %v", i, b[0], err)
				}
			}
		})
	}
	wg.Wait()
	held := 0
	for i := range p.slots {
		if p.slots[i].Load() != nil {
			held++
		}
	}
	if held > most || int64(held) != p.held.Load() {
		t.Errorf("%d pages are held, %d counted, at most %d", held, p.held.Load(), most)
	}
	before := loads.Load()
	for range 10 {
		if _, err := p.get(7); err != nil {
			t.Fatal(err)
		}
	}
	if loads.Load() > before+1 {
		t.Error("a page that is there was loaded again")
	}
}
