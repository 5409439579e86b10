package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"hyper2kvm/internal/atomicfile"
	"hyper2kvm/internal/queue"
)

// errCut stops what a dead daemon would still do.
var errCut = errors.New("cut")

// sim is one simulated life of a workflow directory with its daemons, in a bubble of testing/synctest: the daemon is the real one, its jobs
// are played (child_sim_test.go), the file system is real and in memory.
type sim struct {
	t      *testing.T
	seed   uint64
	rnd    *rand.Rand
	w, out string
	own    []string // directories that manifests name for their output

	began    time.Time // in the bubble's time
	base     time.Time // the clock of the machine then
	skew     atomic.Int64
	settings Settings
	life     *lifetime
	writers  map[string]*os.File
	dropped  map[string]string // name by content; each content is unique
	files    int               // so many have got a name
	members  []string          // disks that manifests name
	missing  []string          // those of them that were not dropped yet
	gone     bool              // a retention may remove sources

	full   atomic.Bool // the disk
	filled atomic.Bool // that of the output
	broken atomic.Bool // the next sync fails

	mu        sync.Mutex
	born      uint64 // children
	tame      bool   // children behave from now on
	running   map[*simChild]*running
	conducts  map[string][conducts]int // of the children of a job, by its id
	faults    []error
	pausedAt  time.Duration
	cancelled map[string]bool // by id and by name: somebody asked for it
	promised  map[string]bool // by id: the daemon said that it ends the job

	logMu sync.Mutex
	log   []string
	dead  int // daemons
}

// lifetime is one daemon.
type lifetime struct {
	m        *sim
	d        *Daemon
	dead     atomic.Bool
	left     atomic.Int64 // steps until it dies; negative: it does not
	workers  int          // the most that were allowed
	children map[*simChild]bool
	ears     *rand.Rand // of the inbox's goroutine
	hear     *queue.Notifier
	deaf     bool
	stop     context.CancelFunc
	hurry    context.CancelFunc
	ran      chan struct{} // closed when it has ended
	err      error         // how
}

func (m *sim) now() time.Time {
	since := time.Since(m.began)
	return stepped(m.base.Add(since+time.Duration(m.skew.Load())), time.Hour+since)
}

func (m *sim) say(format string, args ...any) {
	m.logMu.Lock()
	defer m.logMu.Unlock()
	m.log = append(m.log, fmt.Sprintf("%9.3f ", time.Since(m.began).Seconds())+fmt.Sprintf(format, args...))
}

// before is the file system as a daemon sees it: it can be full or broken, and ends where the daemon dies.
func (l *lifetime) before(s atomicfile.Step) error {
	switch {
	case l.dead.Load():
		return errCut
	case l.left.Load() >= 0 && l.left.Add(-1) < 0:
		l.dead.Store(true)
		return errCut
	case (s.Op == "write" || s.Op == "mkdir") && (l.m.full.Load() || l.m.filled.Load() && !strings.HasPrefix(s.Path, l.m.w)):
		return &os.PathError{Op: s.Op, Path: s.Path, Err: unix.ENOSPC}
	case s.Op == "sync" && l.m.broken.CompareAndSwap(true, false):
		return &os.PathError{Op: s.Op, Path: s.Path, Err: unix.EIO}
	}
	return nil
}

// listen is what the kernel tells of changes, if it does.
func (l *lifetime) listen(dir string) (*queue.Notifier, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.ears.IntN(4) == 0 {
		return nil, unix.EMFILE
	}
	watched := []string{dir}
	if l.ears.IntN(4) == 0 { // it is dead, and nobody knows
		watched = nil
	}
	l.hear = &queue.Notifier{
		Events: make(chan fsnotify.Event, 64), Errors: make(chan error, 1),
		List: func() []string { return watched }, Close: func() error { return nil },
	}
	return l.hear, nil
}

// changed tells of a change, or does not.
func (m *sim) changed(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life == nil || m.life.deaf || m.life.hear == nil {
		return
	}
	select {
	case m.life.hear.Events <- fsnotify.Event{Name: filepath.Join(m.w, queue.DirQueued, name), Op: fsnotify.Create}:
	default:
	}
}

// make makes a daemon that does not run yet.
func (m *sim) make(steps int) (*lifetime, error) {
	l := &lifetime{m: m, ears: rand.New(rand.NewPCG(m.rnd.Uint64(), 0)), workers: m.settings.Workers, children: map[*simChild]bool{}, ran: make(chan struct{}), stop: func() {}, hurry: func() {}}
	l.left.Store(int64(steps))
	d, err := New(context.Background(), Options{
		Settings: m.settings, Clock: m.now, Log: slog.New(slog.DiscardHandler), Version: "test", LockWait: time.Hour,
		Before: l.before, Spawner: Spawner{play: l.play}, listen: l.listen, unswept: true,
	})
	if err != nil {
		return nil, err
	}
	d.space.statfs = func(string) (volume, error) { return volume{total: simFree, free: simFree}, nil }
	l.d = d
	return l, nil
}

// start starts a daemon, which dies after so many steps if the number is not negative.
func (m *sim) start(steps int) error {
	l, err := m.make(steps)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	m.mu.Lock()
	m.life, m.pausedAt = l, 0
	if exists(filepath.Join(m.w, queue.DirOwn, "paused.json")) {
		m.pausedAt = time.Since(m.began)
	}
	m.mu.Unlock()
	var ctx, hurry context.Context
	ctx, l.stop = context.WithCancel(context.Background())
	hurry, l.hurry = context.WithCancel(context.Background())
	go func() {
		l.err = l.d.Run(ctx, hurry)
		close(l.ran)
	}()
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// bury is the death of a daemon by a kill: nothing that it does counts any more, and its children notice, some of them late.
func (m *sim) bury() error {
	l := m.life
	l.dead.Store(true)
	m.dead++
	m.forgetPromises()
	m.mu.Lock()
	children := make([]*simChild, 0, len(l.children))
	for c := range l.children {
		children = append(children, c)
	}
	slices.SortFunc(children, func(a, b *simChild) int { return strings.Compare(a.req.ID, b.req.ID) })
	m.mu.Unlock()
	for _, c := range children {
		c.leave()
		if m.rnd.IntN(3) > 0 {
			c.end()
		}
	}
	l.stop()
	l.hurry()
	<-l.ran
	return l.d.Close()
}

// again starts a daemon after one has died, at times one that dies while it starts.
func (m *sim) again() error {
	for range m.rnd.IntN(3) {
		l, err := m.make(m.rnd.IntN(80))
		if err == nil {
			l.dead.Store(true)
			err = l.d.Close()
		}
		if err != nil && !errors.Is(err, errCut) {
			return fmt.Errorf("a start that is cut: %w", err)
		}
	}
	return m.start(-1)
}

// end ends the daemon as SIGTERM does, and holds it to its time.
func (m *sim) end() error {
	l, began := m.life, time.Since(m.began)
	trouble := l.d.spool.Trouble() != nil || m.full.Load() || m.broken.Load() || len(l.d.unrecordedReasons()) > 0
	l.stop()
	if m.rnd.IntN(3) == 0 {
		time.Sleep(time.Duration(m.rnd.Int64N(int64(m.settings.StopTimeout))))
		l.hurry()
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for ended := false; !ended; {
		select {
		case <-l.ran:
			ended = true
		case <-look.C:
		}
		if l.dead.Load() { // it was killed meanwhile
			return m.bury()
		}
		if time.Since(m.began)-began > time.Hour {
			return errors.New("the daemon does not end")
		}
	}
	l.hurry()
	if took := time.Since(m.began) - began; took > m.settings.StopTimeout+3*m.settings.KillAfter+5*time.Second {
		return fmt.Errorf("the end took %s", took)
	}
	if trouble || l.d.spool.Trouble() != nil {
		m.forgetPromises()
		return l.d.Close()
	}
	if l.err != nil {
		return fmt.Errorf("end: %w", l.err)
	}
	st, err := m.status()
	if err != nil || st.State != stateStopped || st.Busy != 0 {
		return fmt.Errorf("after the end the status says %q, %d busy, %w", st.State, st.Busy, err)
	}
	return errors.Join(l.d.Close(), m.keptPromises())
}
