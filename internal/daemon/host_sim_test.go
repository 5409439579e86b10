package daemon

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"
)

// simPipe is a pipe with room for all that a job says, so that who writes to it with a lock held never waits: a bubble's time stands still
// while anybody waits for a lock.
type simPipe struct {
	chunks chan []byte
	closed chan struct{}
	once   sync.Once
	rest   []byte
}

func newSimPipe() *simPipe {
	return &simPipe{chunks: make(chan []byte, 1024), closed: make(chan struct{})}
}

func (p *simPipe) Write(b []byte) (int, error) {
	select {
	case <-p.closed:
		return 0, syscall.EPIPE
	default:
	}
	select {
	case p.chunks <- bytes.Clone(b):
		return len(b), nil
	case <-p.closed:
		return 0, syscall.EPIPE
	}
}

func (p *simPipe) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		select {
		case p.rest = <-p.chunks:
			continue
		default:
		}
		select {
		case p.rest = <-p.chunks:
		case <-p.closed:
			if len(p.chunks) == 0 {
				return 0, io.EOF
			}
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *simPipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// running is what the simulation knows of a child that has its job.
type running struct {
	id     string
	memory int64
	space  int64
	alone  bool
}

// runs notes that a child has its job, and holds what is true of all that run now.
func (m *sim) runs(c *simChild) {
	deaths := m.deathsOf(c.req.ID)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.running {
		switch {
		case r.id == c.req.ID:
			m.fault("job %s runs twice at once", r.id)
		case r.alone || deaths >= aloneAfter:
			m.fault("job %s runs beside %s, and one of them is to run alone", c.req.ID, r.id)
		}
	}
	m.running[c] = &running{id: c.req.ID, alone: deaths >= aloneAfter}
	if len(m.running) > c.life.workers {
		m.fault("%d jobs run, %d may", len(m.running), c.life.workers)
	}
	if m.pausedAt != 0 && deaths < aloneAfter && time.Since(m.began)-m.pausedAt > 2*time.Second {
		m.fault("job %s was started while the queue is paused", c.req.ID)
	}
	is := m.conducts[c.req.ID]
	is[c.how]++
	m.conducts[c.req.ID] = is
	m.say("  %s runs, %s, conduct %d", c.req.Job.Name, c.req.ID, c.how)
}

// exited notes that a child has ended.
func (m *sim) exited(c *simChild) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.running, c)
	delete(c.life.children, c)
}

// took notes how much memory a child has by now.
func (m *sim) took(c *simChild, mib int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.running[c]
	if r == nil {
		return
	}
	r.memory = mib
	var sum int64
	for _, r := range m.running {
		sum += r.memory
	}
	if sum > simMemory {
		m.fault("%d MiB are granted, there are %d", sum, simMemory)
	}
}

// reserved notes how much space a child was promised.
func (m *sim) reserved(c *simChild, need int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.running[c]
	if r == nil {
		return
	}
	r.space = need
	var sum int64
	for _, r := range m.running {
		sum += r.space
	}
	if sum > simFree {
		m.fault("%d bytes are promised, there are %d", sum, simFree)
	}
}

// fault notes what must not be. The caller holds mu.
func (m *sim) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Errorf(format, args...))
}
