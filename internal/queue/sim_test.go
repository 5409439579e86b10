package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// The simulation is the real queue with its real inbox, in a bubble of testing/synctest whose time goes by when nothing is left to do,
// on a file system in memory, under a plug that can be pulled. What is not modelled: reads that fail, and other machines.

// sim is one simulated life of a workflow directory.
type sim struct {
	t     *testing.T
	rnd   *rand.Rand
	w     *world
	s     *Spool
	inbox *Inbox
	stop  func()
	plug  *plug

	began time.Time     // in the bubble's time
	base  time.Time     // the clock of the machine then
	skew  time.Duration // what people and time servers did to it since
	halt  halt          // of the daemon

	hear    atomic.Pointer[Notifier] // of the present inbox
	deaf    bool                     // events get lost
	writers map[string]*os.File
	live    []*Claim
	log     []string
	cuts    int
}

func (m *sim) now() time.Time { return m.base.Add(time.Since(m.began) + m.skew) }

func (m *sim) say(format string, args ...any) {
	m.log = append(m.log, m.now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// start starts the daemon's side of the queue.
func (m *sim) start() error {
	m.plug.next = nil
	s, err := Start(m.w.dir, StartOptions{Clock: m.now, MaxCrashes: 1000, Before: m.plug.before, LockWait: time.Hour, Location: time.UTC})
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	m.s = s
	if err := m.w.check(); err != nil {
		return fmt.Errorf("after a start: %w", err)
	}
	ears := rand.New(rand.NewPCG(m.rnd.Uint64(), 0)) // of the inbox's goroutine
	m.inbox, err = s.NewInbox(examine(func(Entry) Need { return Need{Kind: "disk"} }), InboxOptions{
		// Durations are measured by Go's monotonic time, which setting the clock does not touch; dates and records are by the clock.
		Clock: func() time.Time {
			m.halt.wait()
			return m.base.Add(time.Since(m.began))
		},
		Listen: func(dir string) (*Notifier, error) {
			if ears.IntN(4) == 0 {
				return nil, syscall.EMFILE
			}
			n := &Notifier{Events: make(chan fsnotify.Event, 64), Errors: make(chan error, 1), List: func() []string { return []string{dir} }, Close: func() error { return nil }}
			if ears.IntN(4) == 0 { // it says that it listens, until somebody looks
				n.List = func() []string { return nil }
			}
			m.hear.Store(n)
			return n, nil
		}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.inbox.Run(ctx) }()
	m.stop = sync.OnceFunc(func() { cancel(); <-done })
	return nil
}

// changed is what the kernel tells of a change, or does not.
func (m *sim) changed(name string) {
	hear := m.hear.Load()
	if m.deaf || hear == nil {
		return
	}
	select {
	case hear.Events <- fsnotify.Event{Name: m.s.path(DirQueued, name), Op: fsnotify.Create}:
	default:
		select {
		case hear.Errors <- fsnotify.ErrEventOverflow:
		default:
		}
	}
}

// die ends the daemon as a kill does; with power the machine goes too.
func (m *sim) die(power bool) error {
	m.plug.next = (&cut{n: 0}).before // nothing that is under way gets further
	m.halt.end()
	m.stop()
	orphan := -1
	if !power && m.rnd.IntN(3) == 0 {
		orphan, _ = syscall.Dup(int(m.s.lock.Fd())) // a child that lives on
	}
	if err := m.s.Close(); err != nil {
		return err
	}
	m.live = nil
	if power {
		for _, f := range m.writers { // their data was never synced
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
		clear(m.writers)
		if err := m.plug.pull([]string{m.w.dir, m.w.out}, m.rnd.IntN); err != nil {
			return err
		}
	}
	if orphan >= 0 {
		if _, err := Start(m.w.dir, StartOptions{Clock: m.now, LockWait: time.Second}); !errors.Is(err, ErrLocked) {
			return fmt.Errorf("a start beside a child that lives: %w", err)
		}
		wait := time.Duration(m.rnd.Int64N(int64(time.Minute)))
		go func() {
			time.Sleep(wait)
			_ = syscall.Close(orphan)
		}()
	}
	for range m.rnd.IntN(3) { // and again while it recovers
		m.plug.next = (&cut{n: m.rnd.IntN(60)}).before
		if s, err := Start(m.w.dir, StartOptions{Clock: m.now, MaxCrashes: 1000, Before: m.plug.before, LockWait: time.Hour, Location: time.UTC}); err == nil {
			_ = s.Close()
		}
		if power && m.rnd.IntN(2) == 0 {
			if err := m.plug.pull([]string{m.w.dir, m.w.out}, m.rnd.IntN); err != nil {
				return err
			}
		}
	}
	return m.start()
}

// act does one thing at random.
func (m *sim) act() error {
	ctx := context.Background()
	switch n := m.rnd.IntN(100); {
	case n < 18: // somebody moves a file in
		name := fmt.Sprintf("d%d.vmdk", len(m.log))
		m.say("drop %s", name)
		if err := m.w.drop(name); err != nil {
			return err
		}
		old := m.now().Add(-time.Hour)
		if err := os.Chtimes(m.s.path(DirQueued, name), old, old); err != nil {
			return err
		}
		m.changed(name)
	case n < 24: // somebody begins to copy one in
		name := fmt.Sprintf("slow%d.vmdk", len(m.log))
		m.say("begin to write %s", name)
		f, err := os.OpenFile(m.s.path(DirQueued, name), os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		m.writers[name] = f
		if _, err := f.WriteString("w-"); err != nil {
			return err
		}
		m.changed(name)
	case n < 32:
		for name, f := range m.writers {
			m.say("end writing %s", name)
			if _, err := f.WriteString(name); err != nil {
				return err
			}
			_ = f.Close()
			m.w.dropped["w-"+name] = true
			delete(m.writers, name)
			m.changed(name)
			break
		}
	case n < 50: // a worker is free
		c, err := m.take(ctx, time.Second)
		if c == nil || err != nil {
			return err
		}
		m.say("claimed %s", c.Record().OriginalName)
		m.live = append(m.live, c)
	case n < 72:
		if len(m.live) == 0 {
			return nil
		}
		at := m.rnd.IntN(len(m.live))
		c := m.live[at]
		m.live = slices.Delete(m.live, at, at+1)
		return m.end(ctx, c)
	case n < 82:
		d := time.Duration(m.rnd.Int64N(int64([]time.Duration{time.Second, 10 * time.Second, 2 * time.Minute}[m.rnd.IntN(3)])))
		if d > 20*time.Second && m.rnd.IntN(4) > 0 || m.rnd.IntN(8) == 0 { // as after SIGSTOP; the world goes on, and users too
			if m.rnd.IntN(8) == 0 {
				d = time.Duration(m.rnd.Int64N(int64(30 * time.Hour)))
			}
			m.say("the daemon stands still for %s", d)
			m.halt.begin(d)
			d = min(d, time.Duration(m.rnd.Int64N(int64(31*time.Hour))))
		}
		m.say("%s go by", d)
		time.Sleep(d)
	case n < 86: // a time server or a person
		d := time.Duration(m.rnd.Int64N(int64(48*time.Hour))) - 24*time.Hour
		if m.rnd.IntN(4) == 0 {
			d *= 365
		}
		m.say("the clock is set by %s", d)
		m.skew += d
	case n < 89:
		m.deaf = !m.deaf
		m.say("deaf: %v", m.deaf)
	case n < 91:
		m.say("events are lost")
		if hear := m.hear.Load(); hear != nil {
			select {
			case hear.Errors <- fsnotify.ErrEventOverflow:
			default:
			}
		}
	case n < 93:
		m.say("a second daemon")
		if _, err := Start(m.w.dir, StartOptions{Clock: m.now}); !errors.Is(err, ErrLocked) {
			return fmt.Errorf("a second daemon: %w", err)
		}
	case n < 97:
		m.say("killed")
		return m.die(false)
	default:
		m.say("power cut")
		m.cuts++
		return m.die(true)
	}
	return nil
}

// take claims what is next, if anything is.
func (m *sim) take(ctx context.Context, wait time.Duration) (*Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	c, err := m.inbox.Next(ctx)
	if err != nil {
		return nil, nil //nolint:nilerror // there is nothing
	}
	for name := range m.writers {
		if c.Record().OriginalName == name {
			return nil, fmt.Errorf("%q was claimed while it is being written", name)
		}
	}
	return c, nil
}

// end does a job's work and ends it somehow, at times in the middle of it.
func (m *sim) end(ctx context.Context, c *Claim) error {
	name := c.Record().OriginalName
	if m.rnd.IntN(6) == 0 {
		m.plug.next = (&cut{n: m.rnd.IntN(60)}).before
	}
	err := m.w.work(c)
	if err == nil {
		how := []string{"done", "done", "failed", "returned", "crashed"}[m.rnd.IntN(5)]
		m.say("%s %s", name, how)
		switch how {
		case "done":
			err = c.Done(ctx, Outcome{})
		case "failed":
			err = c.Fail(ctx, Outcome{})
		case "returned":
			err = c.Requeue(ctx, "test")
		case "crashed":
			_, err = c.Crashed(ctx, "test")
		}
	}
	switch {
	case err == nil && m.plug.next == nil:
		return nil
	case err == nil || errors.Is(err, errCut):
		power := m.rnd.IntN(3) > 0
		m.say("%s: killed in it, power cut: %v", name, power)
		return m.die(power)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// finish lets all writers end and proves that everything that was dropped comes to its end without help.
func (m *sim) finish() error {
	ctx := context.Background()
	for name, f := range m.writers {
		if _, err := f.WriteString(name); err != nil {
			return err
		}
		_ = f.Close()
		m.w.dropped["w-"+name] = true
	}
	clear(m.writers)
	m.halt.end()
	for _, c := range m.live {
		if err := errors.Join(m.w.work(c), c.Done(ctx, Outcome{})); err != nil {
			return err
		}
	}
	m.live = nil
	for range 1000 {
		c, err := m.take(ctx, defaultRescan+tick) // by then it has looked at everything once more
		if err != nil {
			return err
		}
		if c == nil {
			break
		}
		if err := errors.Join(m.w.work(c), c.Done(ctx, Outcome{})); err != nil {
			return err
		}
	}
	if left, _ := filepath.Glob(m.s.path(DirQueued, "[^.]*")); len(left) > 0 {
		return fmt.Errorf("left in the drop zone: %v; held: %+v", left, m.inbox.Snapshot().Held)
	}
	return m.w.check()
}
