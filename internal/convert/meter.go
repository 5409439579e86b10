package convert

import (
	"sync"
	"time"
)

// progressEvery is the shortest time between two Progress events of a stage: a disk has millions of chunks, a person two eyes.
const progressEvery = 250 * time.Millisecond

// meter turns byte counts, from whatever goroutine they come, into Progress events of one stage.
type meter struct {
	events Events
	clock  func() time.Time
	stage  string

	mu    sync.Mutex
	base  int64 // bytes of the parts that are complete
	done  int64
	total int64
	told  time.Time
}

// newMeter starts the measure of a stage whose work is total bytes.
func newMeter(r *Run, stage string, total int64) *meter {
	m := &meter{events: r.Events, clock: r.Clock, stage: stage, total: total}
	m.tell(0)
	return m
}

// more adds to the work of a stage that learns of it on the way.
func (m *meter) more(size int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total += size
}

// part returns the progress function of the next part of the work, which is size bytes long; calling the returned function
// with done bytes of the part moves the whole forward. end completes the part.
func (m *meter) part(size int64) (progress func(done, total int64), end func()) {
	progress = func(done, _ int64) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.tell(m.base + min(done, size))
	}
	end = func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.base += size
		m.tell(m.base)
	}
	return progress, end
}

// tell publishes done unless the last event is too young; the last byte is always told.
func (m *meter) tell(done int64) {
	now := m.clock()
	m.done = max(done, m.done)
	if m.done < m.total && now.Sub(m.told) < progressEvery {
		return
	}
	m.told = now
	m.events.Progress(m.stage, m.done, m.total)
}
