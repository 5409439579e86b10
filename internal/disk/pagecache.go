package disk

import (
	"container/list"
	"sync"
)

// PageCache keeps the most recently used decoded pages of one image: table pages, decompressed chunks. It is safe for
// concurrent use, and of several goroutines that ask for one missing page only one loads it.
type PageCache[T any] struct {
	mu    sync.Mutex
	max   int
	pages map[int64]*list.Element // of *cachedPage[T]
	order list.List               // most recently used first
}

type cachedPage[T any] struct {
	key   int64
	ready chan struct{} // closed when value and err stand
	value T
	err   error
}

// NewPageCache returns a cache that holds this many pages, at least one. Pages that are still being loaded count.
func NewPageCache[T any](pages int) *PageCache[T] {
	return &PageCache[T]{max: max(pages, 1), pages: make(map[int64]*list.Element)}
}

// Get returns the page of key, and calls load when it is not there. An error is returned to all who waited for it and is not
// kept. The value is shared: whoever gets it must not change it.
func (c *PageCache[T]) Get(key int64, load func() (T, error)) (T, error) {
	c.mu.Lock()
	if e, ok := c.pages[key]; ok {
		c.order.MoveToFront(e)
		c.mu.Unlock()
		p := e.Value.(*cachedPage[T])
		<-p.ready
		return p.value, p.err
	}
	p := &cachedPage[T]{key: key, ready: make(chan struct{})}
	e := c.order.PushFront(p)
	c.pages[key] = e
	for c.order.Len() > c.max {
		c.drop(c.order.Back())
	}
	c.mu.Unlock()

	loaded := false
	defer func() {
		if !loaded { // load panicked: nobody may wait for ever
			p.err = ErrCorrupt
		}
		close(p.ready)
		if p.err != nil {
			c.mu.Lock()
			if c.pages[key] == e {
				c.drop(e)
			}
			c.mu.Unlock()
		}
	}()
	p.value, p.err = load()
	loaded = true
	return p.value, p.err
}

// drop forgets a page. c.mu is held.
func (c *PageCache[T]) drop(e *list.Element) {
	p := c.order.Remove(e).(*cachedPage[T])
	if c.pages[p.key] == e {
		delete(c.pages, p.key)
	}
}
