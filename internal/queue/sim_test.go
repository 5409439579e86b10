package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
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

	hear    *notifier // of the present inbox
	deaf    bool      // events get lost
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
	m.inbox, err = s.NewInbox(examine(func(Entry) Need { return Need{Kind: "disk"} }), InboxOptions{
		// Durations are measured by Go's monotonic time, which setting the clock does not touch; dates and records are by the clock.
		Clock: func() time.Time { return m.base.Add(time.Since(m.began)) },
		listen: func(dir string) (*notifier, error) {
			if m.rnd.IntN(4) == 0 {
				return nil, syscall.EMFILE
			}
			n := &notifier{events: make(chan fsnotify.Event, 64), errors: make(chan error, 1), list: func() []string { return []string{dir} }, close: func() error { return nil }}
			if m.rnd.IntN(4) == 0 { // it says that it listens, until somebody looks
				n.list = func() []string { return nil }
			}
			m.hear = n
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
	if m.deaf || m.hear == nil {
		return
	}
	select {
	case m.hear.events <- fsnotify.Event{Name: m.s.path(DirQueued, name), Op: fsnotify.Create}:
	default:
		select {
		case m.hear.errors <- fsnotify.ErrEventOverflow:
		default:
		}
	}
}

// die ends the daemon as a kill does; with power the machine goes too.
func (m *sim) die(power bool) error {
	m.plug.next = (&cut{n: 0}).before // nothing that is under way gets further
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
		if m.rnd.IntN(50) == 0 {
			d = time.Duration(m.rnd.Int64N(int64(30*time.Hour))) / 10
		}
		m.say("%s go by", d)
		time.Sleep(d)
	case n < 86: // a time server, a person, or hours of SIGSTOP
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
		if m.hear != nil {
			select {
			case m.hear.errors <- fsnotify.ErrEventOverflow:
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
	for _, c := range m.live {
		if err := errors.Join(m.w.work(c), c.Done(ctx, Outcome{})); err != nil {
			return err
		}
	}
	m.live = nil
	for range 1000 {
		c, err := m.take(ctx, 2*time.Minute)
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

// simulate lives one life.
func simulate(t *testing.T, seed uint64) (log []string, cuts int, err error) {
	t.Helper()
	top, err := os.MkdirTemp("", "sim-") //nolint:usetesting // thousands of these are made in one test
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(top)
	m := &sim{
		t: t, rnd: rand.New(rand.NewPCG(seed, 7)), writers: map[string]*os.File{}, base: time.Now(),
		w: &world{dir: filepath.Join(top, "w"), out: filepath.Join(top, "out"), dropped: map[string]bool{}, submitted: []string{"w-"}},
	}
	grave := filepath.Join(top, "grave")
	if err := errors.Join(os.Mkdir(m.w.out, 0o755), os.Mkdir(grave, 0o755)); err != nil {
		return nil, 0, err
	}
	m.plug = newPlug(grave)
	if m.rnd.IntN(3) == 0 { // a moment before midnight
		m.skew = m.base.UTC().Truncate(24 * time.Hour).Add(24*time.Hour - time.Second).Sub(m.base)
	}
	synctest.Test(t, func(*testing.T) {
		m.began = time.Now()
		if err = m.start(); err != nil {
			return
		}
		for range 40 {
			if err = m.act(); err != nil {
				break
			}
		}
		if err == nil {
			m.plug.next = nil
			err = m.finish()
		}
		m.stop()
		err = errors.Join(err, m.s.Close())
	})
	if err != nil {
		m.log = append(m.log, m.tree()...)
	}
	return m.log, m.cuts, err
}

// tree lists what is there in the end.
func (m *sim) tree() (lines []string) {
	for _, dir := range append(stateDirs, filepath.Join(DirOwn, "jobs")) {
		_ = filepath.WalkDir(filepath.Join(m.w.dir, dir), func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				b, _ := os.ReadFile(path)
				lines = append(lines, fmt.Sprintf("%s: %.300s", strings.TrimPrefix(path, m.w.dir), b))
			}
			return nil
		})
	}
	for _, c := range m.plug.lost {
		lines = append(lines, "lost: "+c)
	}
	return lines
}

// TestSimulatedLives lives many lives of a queue: what users, clocks, lost events, second daemons, orphans, kills and power cuts do to it
// leaves each source in exactly one place, and all come to their end. H2K_PROOF=long lives thousands.
func TestSimulatedLives(t *testing.T) {
	inMemory(t)
	lives := 150
	if proofLong() {
		lives = 5_000
	}
	first := uint64(1)
	if text := os.Getenv("H2K_SEED"); text != "" { // the first, and how many
		lives = 1
		if n, err := fmt.Sscan(text, &first, &lives); n == 0 {
			t.Fatal(err)
		}
	}
	cuts := 0
	for seed := first; seed < first+uint64(lives); seed++ {
		log, n, err := simulate(t, seed)
		if cuts += n; err != nil {
			t.Fatalf("H2K_SEED=%d: %v\n%s", seed, err, strings.Join(log, "\n"))
		}
	}
	t.Logf("%d lives, %d power cuts among other ends", lives, cuts)
}
