package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
	"hyper2kvm/internal/manifest"
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
	case l.m.full.Load() && (s.Op == "write" || s.Op == "mkdir"):
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
	if l.m.rnd.IntN(4) == 0 {
		return nil, unix.EMFILE
	}
	watched := []string{dir}
	if l.m.rnd.IntN(4) == 0 { // it is dead, and nobody knows
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
	l := &lifetime{m: m, workers: m.settings.Workers, children: map[*simChild]bool{}, ran: make(chan struct{}), stop: func() {}, hurry: func() {}}
	l.left.Store(int64(steps))
	d, err := New(context.Background(), Options{
		Settings: m.settings, Clock: m.now, Log: slog.New(slog.DiscardHandler), Version: "test", LockWait: time.Hour,
		Before: l.before, Spawner: Spawner{play: l.play}, listen: l.listen, sockets: m.w,
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

// status is the published one, which must be whole whenever it is looked at.
func (m *sim) status() (st queue.Status, err error) {
	b, err := os.ReadFile(filepath.Join(m.w, queue.DirOwn, "status.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &st)
	}
	return st, err
}

// record reads the record of a running job from its directory.
func record(dir string) (r queue.Record, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "record.json"))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	return r, err
}

// deathsOf is how often the daemon died while a job ran, as its record says.
func (m *sim) deathsOf(id string) int {
	r, err := record(filepath.Join(m.w, queue.DirOwn, "jobs", id))
	if err != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.fault("a job runs and has no record: %w", err)
	}
	return r.Deaths
}

// final is what a meta.json or error.json says.
type final struct {
	path, entry string
	ID          string `json:"id"`
	Name        string `json:"original_name"`
	Code        string `json:"code"`
	Text        string `json:"error"`
	OutputDir   string `json:"output_dir"`
}

// finals are all records of jobs that ended, those too that were tried again since.
func (m *sim) finals() ([]final, error) {
	var all []final
	for _, terminal := range []string{queue.DirDone, queue.DirFailed} {
		paths, err := filepath.Glob(filepath.Join(m.w, terminal, "*", "*.json"))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			f := final{path: path}
			if err == nil {
				err = json.Unmarshal(b, &f)
			}
			if err != nil {
				return nil, err
			}
			if f.ID == "" { // a manifest that was dropped as JSON
				continue
			}
			for _, suffix := range []string{".meta.json", ".error.json"} {
				if entry, ok := strings.CutSuffix(path, suffix); ok {
					f.entry = entry
				}
			}
			all = append(all, f)
		}
	}
	return all, nil
}

// forgetPromises lets go what a daemon said that is dead or could not write: only what it had done by then counts.
func (m *sim) forgetPromises() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.promised)
}

// keptPromises proves that each job that the daemon said it would cancel was cancelled.
func (m *sim) keptPromises() error {
	finals, err := m.finals()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.promised {
		is := slices.IndexFunc(finals, func(f final) bool { return f.ID == id })
		if is < 0 || finals[is].Code != manifest.CodeJobCancelled {
			return fmt.Errorf("somebody was told that %s is cancelled, and it was not: %+v", id, finals)
		}
	}
	clear(m.promised)
	return nil
}

// check proves, with no daemon running and nothing left to do, that each source is in its one place, each job ended as it had to, and
// nothing else is left.
func (m *sim) check() error {
	where := map[string][]string{}
	for _, dir := range []string{queue.DirQueued, queue.DirRunning, queue.DirDone, queue.DirFailed} {
		err := filepath.WalkDir(filepath.Join(m.w, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, ".json") {
				return err
			}
			b, err := os.ReadFile(path)
			where[string(b)] = append(where[string(b)], strings.TrimPrefix(path, m.w+"/"))
			return err
		})
		if err != nil {
			return err
		}
	}
	for content, name := range m.dropped {
		at := where[content]
		switch {
		case len(at) == 0 && m.gone:
		case len(at) != 1:
			return fmt.Errorf("%s (%q) is in %d places: %v", name, content, len(at), at)
		case !strings.HasPrefix(at[0], queue.DirDone+"/") && !strings.HasPrefix(at[0], queue.DirFailed+"/"):
			return fmt.Errorf("%s has not come to its end: it is in %s", name, at[0])
		}
	}
	return errors.Join(m.checkEnds(), m.checkLeftovers())
}

// checkEnds proves that each job has its output or a reason to have none.
func (m *sim) checkEnds() error {
	finals, err := m.finals()
	if err != nil {
		return err
	}
	outputs := map[string]bool{}
	for _, root := range append([]string{m.out}, m.own...) {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if filepath.Base(path) == "report.json" {
				outputs[filepath.Dir(path)] = true
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, f := range finals {
		if f.entry != "" && !exists(f.entry) && !m.gone {
			return fmt.Errorf("%s has no source", f.path)
		}
		if strings.HasPrefix(f.path, filepath.Join(m.w, queue.DirDone)) {
			if f.OutputDir == "" { // a batch
				continue
			}
			b, err := os.ReadFile(filepath.Join(f.OutputDir, "disk"))
			if err != nil || string(b) != "image "+f.ID || !outputs[f.OutputDir] {
				return fmt.Errorf("%s: its output is %q, %w", f.path, b, err)
			}
			delete(outputs, f.OutputDir)
			continue
		}
		if !m.mayFail(f) {
			return fmt.Errorf("a good job failed: %+v, conducts %v", f, m.conducts[f.ID])
		}
	}
	if len(outputs) > 0 && !m.gone {
		return fmt.Errorf("outputs of no job: %v", outputs)
	}
	return nil
}

// mayFail says whether a job had a reason to fail like this.
func (m *sim) mayFail(f final) bool {
	was := m.conducts[f.ID]
	switch f.Code {
	case manifest.CodeJobCrashLoop:
		return was[crashes]+was[talksRubbish] >= MaxCrashes || m.dead >= queue.DefaultMaxDeaths
	case manifest.CodeJobStalled:
		return was[hangs]+was[hangsOn] > 0
	case manifest.CodeJobCancelled:
		return m.cancelled[f.ID] || m.cancelled[f.Name]
	case manifest.CodeOutputExists:
		return strings.HasPrefix(f.Name, "cfg")
	case manifest.CodeQueueMissing: // its disk ran alone before it came
		return !strings.HasSuffix(f.Name, ".img")
	case manifest.CodeJobInternal:
		return was[fails] > 0
	}
	return false
}

func (m *sim) checkLeftovers() error {
	patterns := []string{
		filepath.Join(m.w, queue.DirRunning, "*"), filepath.Join(m.w, queue.DirOwn, "tmp", "*"),
		filepath.Join(m.w, queue.DirQueued, "*"),
	}
	for _, root := range append([]string{m.out}, m.own...) {
		patterns = append(patterns, filepath.Join(root, ".partial", "*"), filepath.Join(filepath.Dir(root), ".partial", "*"))
	}
	jobs, err := filepath.Glob(filepath.Join(m.w, queue.DirOwn, "jobs", "*"))
	if err != nil {
		return err
	}
	for _, dir := range jobs { // of a job that was called back, and whose file another took: it goes some minutes later
		if r, err := record(dir); err != nil || r.Phase != queue.PhaseReturned {
			return fmt.Errorf("left behind: %s: %+v %w", dir, r, err)
		}
	}
	for _, pattern := range patterns {
		if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
			return fmt.Errorf("left behind: %v %w", left, err)
		}
	}
	return nil
}
