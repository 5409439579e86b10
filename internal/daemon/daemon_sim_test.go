package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hyper2kvm/internal/queue"
)

// dwell looks after what an act has led to.
func (m *sim) dwell() error {
	if _, err := m.status(); err != nil {
		return fmt.Errorf("the status is not whole: %w", err)
	}
	if m.life.dead.Load() {
		m.say("is dead")
		if err := errors.Join(m.bury(), m.again()); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return errors.Join(m.faults...)
}

// settle takes all obstacles away and proves that everything comes to its end, by a daemon that goes on or by one that does all and ends.
func (m *sim) settle() error {
	m.life.left.Store(-1)
	m.mu.Lock()
	m.tame, m.pausedAt = true, 0
	m.mu.Unlock()
	for len(m.missing) > 0 {
		if err := m.bring(); err != nil {
			return err
		}
	}
	for n, name := range m.members { // what went its own way before its manifest came, or was cancelled, is dropped once more
		if err := m.put(name, fmt.Sprintf("disk %s again %d", name, n)); err != nil {
			return err
		}
	}
	for len(m.writers) > 0 {
		if err := m.write(); err != nil {
			return err
		}
	}
	if m.life.dead.Load() {
		if err := errors.Join(m.bury(), m.start(-1)); err != nil {
			return err
		}
	}
	if err := m.life.d.inbox.Resume(); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	if m.rnd.IntN(3) == 0 {
		return m.once()
	}
	idle := func() bool {
		left, _ := filepath.Glob(filepath.Join(m.w, queue.DirQueued, "[^.]*"))
		runs, _ := filepath.Glob(filepath.Join(m.w, queue.DirRunning, "*"))
		return len(left)+len(runs) == 0
	}
	for began := time.Now(); !idle(); time.Sleep(2 * time.Second) {
		if time.Since(began) > 30*time.Minute {
			st, err := m.status()
			return fmt.Errorf("after half an hour there is still something to do: %+v, %w", st, err)
		}
	}
	time.Sleep(2 * beat)
	st, err := m.status()
	if c := st.Counts; err != nil || st.State != stateIdle || st.Busy+c.Queued+c.Waiting+c.Ignored+c.Running > 0 || m.now().Sub(st.At) > 2*beat {
		return fmt.Errorf("there is nothing to do, and the status says %+v, %w", st, err)
	}
	return errors.Join(m.end(), m.check())
}

// once has a daemon do all there is to do.
func (m *sim) once() error {
	m.say("once")
	if err := m.end(); err != nil {
		return err
	}
	l, err := m.make(-1)
	if err != nil {
		return fmt.Errorf("once: %w", err)
	}
	m.mu.Lock()
	m.life = l
	m.mu.Unlock()
	held, err := l.d.Once(context.Background(), context.Background())
	close(l.ran)
	if err = errors.Join(err, l.d.Close()); err != nil || len(held) > 0 {
		return fmt.Errorf("once left %+v, %w", held, err)
	}
	return m.check()
}

// newSim makes a life of a directory that has not begun.
func newSim(t *testing.T, top string, seed uint64) *sim {
	t.Helper()
	m := &sim{
		t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 11)), w: filepath.Join(top, "w"), out: filepath.Join(top, "out"),
		own:  []string{filepath.Join(top, "own", "a"), filepath.Join(top, "own", "b"), filepath.Join(top, "own", "a", "deep")},
		base: time.Now(), writers: map[string]*os.File{}, dropped: map[string]string{},
		running: map[*simChild]*running{}, conducts: map[string][conducts]int{}, cancelled: map[string]bool{}, promised: map[string]bool{},
	}
	m.settings = Settings{
		Mode: ModeDisk, WorkflowDir: m.w, OutputDir: m.out, Workers: 1 + m.rnd.IntN(4), Settle: 2 * time.Second, GuestMemory: simMemory,
		StallTimeout: time.Minute, StopTimeout: 20 * time.Second, KillAfter: 5 * time.Second, MissingTimeout: 24 * time.Hour,
	}
	if err := os.Mkdir(filepath.Join(top, "own"), 0o755); err != nil {
		t.Fatal(err)
	}
	return m
}

// simulate lives one life.
func simulate(t *testing.T, seed uint64) (log []string, dead int, err error) {
	t.Helper()
	top, err := os.MkdirTemp("", "sim-") //nolint:usetesting // thousands of these are made in one test
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(top)
	m := newSim(t, top, seed)
	if m.rnd.IntN(5) == 0 {
		m.gone, m.settings.Retention = true, queue.Retention{Age: time.Hour, Records: 2 * time.Hour, Failed: m.rnd.IntN(2) == 0}
	}
	if m.rnd.IntN(3) == 0 { // a moment before midnight
		m.skew.Store(int64(m.base.Truncate(24 * time.Hour).Add(24*time.Hour - 10*time.Second).Sub(m.base)))
	}
	synctest.Test(t, func(*testing.T) {
		m.began = time.Now()
		if err = m.start(-1); err != nil {
			return
		}
		for range 40 {
			if err = errors.Join(m.act(), m.dwell()); err != nil {
				break
			}
		}
		if err == nil {
			err = m.settle()
		}
		m.mu.Lock()
		err = errors.Join(append(m.faults, err)...)
		m.mu.Unlock()
		if err != nil {
			_ = m.bury() // whatever it says now
		}
	})
	if err != nil {
		m.say("%s", strings.Join(m.tree(), "\n"))
		m.say("%v", err) // where a log that is cut in the middle still shows it
	}
	return m.log, m.dead, err
}

// tree lists what is there in the end.
func (m *sim) tree() (lines []string) {
	_ = filepath.WalkDir(m.w, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.Contains(path, "/replies/") {
			b, _ := os.ReadFile(path)
			lines = append(lines, fmt.Sprintf("%s: %.500s", strings.TrimPrefix(path, m.w), strings.Join(strings.Fields(string(b)), " ")))
		}
		return nil
	})
	return append(lines, fmt.Sprint(slices.Collect(maps.Values(m.dropped))))
}

// TestSimulatedDaemons lives many lives of a workflow directory with its daemons in simulated time: users, clocks, kills, stops, full and
// broken disks, lost events, and jobs that crash, hang or talk rubbish. Each source comes to one end, once; what the daemon says about
// a cancelled job is true; memory, space and workers are never more than there are; the status is whole, and true in the end; no goroutine is
// left. H2K_LIVES=N lives so many, H2K_SEED=N begins with that one; by itself the test ends after a while.
func TestSimulatedDaemons(t *testing.T) {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() { // nothing here is about disks
		memory, err := os.MkdirTemp("/dev/shm", "sim-") //nolint:usetesting // that would be on a disk
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(memory) })
		t.Setenv("TMPDIR", memory)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // there is little to keep
	lives, first, enough := int64(300), uint64(1), time.Now().Add(15*time.Second)
	for name, number := range map[string]any{"H2K_LIVES": &lives, "H2K_SEED": &first} {
		if text := os.Getenv(name); text != "" {
			if _, err := fmt.Sscan(text, number); err != nil {
				t.Fatalf("%s=%s: %v", name, text, err)
			}
			enough = enough.Add(24 * time.Hour)
		}
	}
	if os.Getenv("H2K_SEED") != "" && os.Getenv("H2K_LIVES") == "" {
		lives = 1
	}
	var lived, dead, next atomic.Int64
	t.Run("of a directory", func(t *testing.T) {
		for core := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint("on core ", core), func(t *testing.T) {
				t.Parallel()
				for n := next.Add(1) - 1; n < lives && time.Now().Before(enough); n = next.Add(1) - 1 {
					log, daemons, err := simulate(t, first+uint64(n))
					if err != nil {
						t.Fatalf("H2K_SEED=%d: %v\n%s", first+uint64(n), err, strings.Join(log, "\n"))
					}
					lived.Add(1)
					dead.Add(int64(daemons))
				}
			})
		}
	})
	t.Logf("%d lives from seed %d on, in which %d daemons were killed", lived.Load(), first, dead.Load())
}
