package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// halt makes who asks for the time wait, as SIGSTOP does: the whole of an inbox, which asks before it does anything.
type halt struct {
	mu    sync.Mutex
	until time.Time
	over  chan struct{}
}

func (h *halt) begin(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over == nil {
		h.over = make(chan struct{})
	}
	if until := time.Now().Add(d); until.After(h.until) {
		h.until = until
	}
}

func (h *halt) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over != nil {
		close(h.over)
	}
	h.until, h.over = time.Time{}, nil
}

func (h *halt) wait() {
	for {
		h.mu.Lock()
		left, over := time.Until(h.until), h.over
		h.mu.Unlock()
		if left <= 0 {
			return
		}
		select {
		case <-time.After(left):
		case <-over:
		}
	}
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
// leaves each source in exactly one place, and all come to their end. A life is one schedule: some forty acts and the moments at which they
// happen. H2K_LIVES=N lives so many, but no longer than H2K_LIFETIME, H2K_SEED=N begins with that one; by itself the test ends after a while.
func TestSimulatedLives(t *testing.T) {
	inMemory(t)
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // there is little to keep
	lives, first, enough := simulatedLives(t, 1000)
	var lived, cuts, next atomic.Int64
	t.Run("of a queue", func(t *testing.T) {
		for core := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint("on core ", core), func(t *testing.T) {
				t.Parallel()
				for n := next.Add(1) - 1; n < lives && !t.Failed() && !enough(); n = next.Add(1) - 1 {
					log, power, err := simulate(t, first+uint64(n))
					if err != nil {
						t.Fatalf("H2K_SEED=%d: %v\n%s", first+uint64(n), err, strings.Join(log, "\n"))
					}
					lived.Add(1)
					cuts.Add(int64(power))
				}
			})
		}
	})
	t.Logf("%d lives from seed %d on, %d power cuts among other ends", lived.Load(), first, cuts.Load())
}

// simulatedLives is how many lives a simulation lives, which is the first, and when it has gone on long enough.
func simulatedLives(t *testing.T, few int64) (lives int64, first uint64, enough func() bool) {
	t.Helper()
	lives, first = few, 1
	until := time.Now().Add(20 * time.Second)
	bounded := true
	for name, number := range map[string]any{"H2K_LIVES": &lives, "H2K_SEED": &first} {
		if text := os.Getenv(name); text != "" {
			if _, err := fmt.Sscan(text, number); err != nil {
				t.Fatalf("%s=%s: %v", name, text, err)
			}
		}
	}
	if os.Getenv("H2K_LIVES") != "" {
		bounded = false
	} else if os.Getenv("H2K_SEED") != "" {
		lives = 1
	}
	if text := os.Getenv("H2K_LIFETIME"); text != "" {
		limit, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("H2K_LIFETIME: %v", err)
		}
		until, bounded = time.Now().Add(limit), true
	}
	return lives, first, func() bool { return bounded && time.Now().After(until) }
}
