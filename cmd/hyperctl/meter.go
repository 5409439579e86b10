package main

import (
	"fmt"
	"time"

	"hyper2kvm/internal/queue"
)

const (
	meterOnTTY = 200 * time.Millisecond // as often as a person can read it
	meterLines = 10 * time.Second       // in a log
)

// meter shows on standard error how far something is: on a terminal in one line that is rewritten, elsewhere as a line now and
// then. With -q, and where a program reads, it shows nothing.
type meter struct {
	con     *console
	what    string
	every   time.Duration
	start   time.Time
	last    time.Time
	rewrite bool // one line of a terminal
	shown   bool // a line stands on the terminal
	off     bool
}

func (c *console) newMeter(what string) *meter {
	off := c.opts.quiet || c.opts.output.machine() || c.opts.progress == progressNone
	m := &meter{con: c, what: what, start: c.now(), off: off, every: c.lineEvery(), rewrite: c.rewrites(c.errTTY)}
	if m.rewrite {
		m.every = meterOnTTY
	}
	m.last = m.start
	return m
}

// update tells the meter how many bytes are done. Calls come one at a time.
func (m *meter) update(done, total int64) {
	now := m.con.now()
	if m.off || now.Sub(m.last) < m.every {
		return
	}
	m.last = now
	p := &queue.Progress{Stage: m.what, BytesDone: done, BytesTotal: total, ETASeconds: -1}
	if spent := now.Sub(m.start).Seconds(); spent > 0 && done > 0 {
		p.BytesPerSec = float64(done) / spent
		p.ETASeconds = float64(total-done) / p.BytesPerSec
	}
	if m.rewrite {
		m.shown = true
		fmt.Fprintf(m.con.err, "\r\x1b[K%s", progressLine(p))
		return
	}
	fmt.Fprintf(m.con.err, "%s %s\n", now.Format(time.TimeOnly), progressLine(p))
}

// done clears the terminal's line.
func (m *meter) done() {
	if m.shown {
		fmt.Fprint(m.con.err, "\r\x1b[K")
		m.shown = false
	}
}
