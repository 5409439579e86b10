package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/atomicfile"
)

// proofLong says whether the long forms of the proofs are to run: H2K_PROOF=long.
func proofLong() bool { return os.Getenv("H2K_PROOF") == "long" }

// fault makes one numbered step of the queue fail, and with for good what follows too, until it is lifted.
type fault struct {
	n      int
	errno  unix.Errno
	good   bool
	lifted bool
	steps  int
	hit    bool
	trace  []string
}

func (f *fault) before(s atomicfile.Step) error {
	at := f.steps
	f.steps++
	name := s.Op + " " + filepath.Base(s.Path)
	if f.lifted || at != f.n && (at < f.n || !f.good || !f.lasts(s.Op)) {
		f.trace = append(f.trace, name)
		return nil
	}
	f.hit = true
	f.trace = append(f.trace, name+": "+f.errno.Error())
	return &os.PathError{Op: s.Op, Path: s.Path, Err: f.errno}
}

// lasts says what else fails as long as the reason holds: on a full disk nothing can be made or written, but moved and removed.
func (f *fault) lasts(op string) bool {
	if f.errno == unix.ENOSPC || f.errno == unix.EDQUOT {
		return slices.Contains([]string{"create", "write", "mkdir", "link", "sync"}, op)
	}
	return true
}

// errRestart says that only a new start of the daemon goes on.
var errRestart = errors.New("the daemon has to be started again")

// run is a daemon that works on a tree with a fault, as simply as it can be: what fails is tried again when the fault is lifted.
type faultyDaemon struct {
	w *world
	s *Spool
	f *fault
}

// again does op until it goes well.
func (d *faultyDaemon) again(op func() error) error {
	for range 4 {
		err := op()
		if err == nil {
			return nil
		}
		if err := d.w.checkSources(); err != nil {
			return fmt.Errorf("while the fault lasts: %w", err)
		}
		if errors.Is(d.s.Trouble(), ErrIO) || d.f.good && d.f.errno == unix.EROFS {
			return errRestart
		}
		d.f.lifted = d.f.hit
		d.s.recheckSpace()
		d.s.undoHalfway()
		if trouble := d.s.Trouble(); trouble != nil {
			return fmt.Errorf("the disk has space, and the queue says: %w", trouble)
		}
	}
	return fmt.Errorf("it does not go on: %w", op())
}

// job claims an entry, does its work and ends it.
func (d *faultyDaemon) job(name string, need Need, work, end func(*Claim) error) error {
	for range 4 {
		var c *Claim
		err := d.again(func() error {
			if !exists(d.s.path(DirQueued, name)) {
				return errRestart // a claim that failed could not be undone either
			}
			return d.w.run(d.s, name, need, func(claimed *Claim) error { c = claimed; return nil })
		})
		switch {
		case errors.Is(err, errRestart) || c == nil && !exists(d.s.path(DirQueued, name)):
			return errRestart
		case err != nil:
			return err
		}
		if work(c) == nil {
			return d.again(func() error { return end(c) })
		}
		if err := d.again(func() error { return c.Requeue(context.Background(), "test") }); err != nil {
			return err
		}
	}
	return errors.New("the work never goes well")
}

func none(*Claim) error { return nil }

// faultyScenarios are the ways through the queue that are tried with each fault at each step.
func faultyScenarios() map[string]struct {
	drops []string
	gone  bool // a source may be gone in the end
	run   func(d *faultyDaemon) error
} {
	ctx := context.Background()
	done := func(c *Claim) error { return c.Done(ctx, Outcome{}) }
	fail := func(c *Claim) error { return c.Fail(ctx, Outcome{Fields: map[string]any{"error": "no"}}) }
	group := Need{Kind: "manifest", Members: []string{"a.vmdk", "b.vmdk"}}
	failed := func(d *faultyDaemon) error {
		names, err := filepath.Glob(d.s.path(DirFailed, "*", "x.*"+suffixError))
		if err != nil || len(names) != 1 {
			return fmt.Errorf("the job did not end in failed/: %v %w", names, err)
		}
		return nil
	}
	return map[string]struct {
		drops []string
		gone  bool
		run   func(d *faultyDaemon) error
	}{
		"done": {drops: []string{"x.vmdk"}, run: func(d *faultyDaemon) error {
			return d.job("x.vmdk", Need{Kind: "disk"}, d.w.work, done)
		}},
		"done, several files": {drops: []string{"x.yaml", "a.vmdk", "b.vmdk"}, run: func(d *faultyDaemon) error {
			return d.job("x.yaml", group, d.w.work, done)
		}},
		"fail": {drops: []string{"x.vmdk"}, run: func(d *faultyDaemon) error {
			if err := d.job("x.vmdk", Need{Kind: "disk"}, d.w.work, fail); err != nil {
				return err
			}
			return failed(d)
		}},
		"fail, several files": {drops: []string{"x.yaml", "a.vmdk", "b.vmdk"}, run: func(d *faultyDaemon) error {
			if err := d.job("x.yaml", group, none, fail); err != nil {
				return err
			}
			return nil
		}},
		"retry": {drops: []string{"x.vmdk"}, run: func(d *faultyDaemon) error {
			if err := d.job("x.vmdk", Need{Kind: "disk"}, none, fail); err != nil {
				return err
			}
			return d.again(func() error {
				j, err := d.s.Find(ctx, "x")
				if err != nil || j.State != Failed {
					return nil //nolint:nilerror // it is in the drop zone: the answer of the first try was lost
				}
				_, err = d.s.Retry(ctx, j)
				return err
			})
		}},
		"return": {drops: []string{"x.yaml", "a.vmdk", "b.vmdk"}, run: func(d *faultyDaemon) error {
			return d.job("x.yaml", group, d.w.work, func(c *Claim) error { return c.Requeue(ctx, "test") })
		}},
		"crash": {drops: []string{"x.vmdk"}, run: func(d *faultyDaemon) error {
			return d.job("x.vmdk", Need{Kind: "disk"}, d.w.work, func(c *Claim) error {
				_, err := c.Crashed(ctx, "test")
				return err
			})
		}},
		"split": {drops: []string{"batch.yaml"}, run: func(d *faultyDaemon) error {
			parts := []Part{{"one.yaml", []byte("part one")}, {"two.yaml", []byte("part two")}}
			return d.job("batch.yaml", Need{Kind: "manifest", Parts: parts}, none, func(c *Claim) error {
				if c.Record().Phase == PhaseOutputDone {
					return c.Done(ctx, Outcome{}) // as the inbox goes on
				}
				return c.Split(ctx, parts)
			})
		}},
		"retention": {drops: []string{"x.vmdk", "y.vmdk"}, gone: true, run: func(d *faultyDaemon) error {
			if err := d.job("x.vmdk", Need{Kind: "disk"}, d.w.work, done); err != nil {
				return err
			}
			if err := d.job("y.vmdk", Need{Kind: "disk"}, none, fail); err != nil {
				return err
			}
			return d.again(func() error {
				return d.s.Prune(ctx, Retention{Age: time.Nanosecond, Records: time.Nanosecond, Failed: true}, func(Pruned) {})
			})
		}},
		"submit": {run: func(d *faultyDaemon) error {
			client, err := Open(d.w.dir)
			if err != nil {
				return err
			}
			client.fs.Before = d.s.fs.Before
			files := []Source{{Name: "x.yaml", Content: strings.NewReader("submitted x")}, {Name: "a.vmdk", Content: strings.NewReader("submitted a")}}
			d.w.submitted = []string{"submitted x", "submitted a"}
			if _, err := client.Submit(ctx, files, SubmitOptions{}); err != nil {
				return errRestart // a person submits again
			}
			for _, content := range d.w.submitted {
				d.w.dropped[content] = true
			}
			return nil
		}},
	}
}

// TestEveryErrorAtEveryStep lets each step of each way through the queue fail with each error: once, and for good until the reason is
// gone while the daemon runs, and until it is started again. After each the tree is whole and everything in it comes to its end.
func TestEveryErrorAtEveryStep(t *testing.T) {
	inMemory(t)
	type way struct {
		errno unix.Errno
		good  bool
	}
	ways := []way{{unix.EINTR, false}}
	for _, errno := range []unix.Errno{unix.ENOSPC, unix.EIO, unix.EDQUOT, unix.EROFS, unix.EACCES} {
		ways = append(ways, way{errno, false}, way{errno, true})
	}
	points, tried := 0, 0
	all := faultyScenarios()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		sc := all[name]
		t.Run(name, func(t *testing.T) {
			for n := 0; ; n++ {
				hit := false
				for i, y := range ways {
					// In the short form every step meets a sixth of the errors, and every error a sixth of the steps.
					if !proofLong() && (n+i)%6 != 0 {
						continue
					}
					f := &fault{n: n, errno: y.errno, good: y.good}
					if err := tryFault(t, f, sc.drops, sc.gone, sc.run); err != nil {
						t.Fatalf("step %d fails with %v, for good: %v: %v\nsteps: %s", n, y.errno, y.good, err, strings.Join(f.trace, "\n       "))
					}
					hit = hit || f.hit
					tried++
				}
				if !hit {
					if n < 5 {
						t.Fatal("too few steps; is the seam still in place?")
					}
					points += n
					return
				}
			}
		})
	}
	t.Logf("%d points, %d runs with an error", points, tried)
}

// tryFault runs a scenario with a fault, starts the daemon again without it, and brings everything in the tree to its end.
func tryFault(t *testing.T, f *fault, drops []string, gone bool, run func(*faultyDaemon) error) error {
	t.Helper()
	w := newWorld(t)
	w.gone = gone
	defer os.RemoveAll(filepath.Dir(w.dir)) // thousands of these are made
	s, err := Start(w.dir, StartOptions{MaxCrashes: 1000})
	if err != nil {
		return err
	}
	for _, name := range drops {
		if err := w.drop(name); err != nil {
			return err
		}
	}
	s.fs.Before = f.before
	err = run(&faultyDaemon{w, s, f})
	s.fs.Before = nil
	if err := errors.Join(s.Close(), w.checkSources()); err != nil {
		return err
	}
	if err != nil && !errors.Is(err, errRestart) {
		return err
	}
	if _, err := w.restart(-1); err != nil {
		return err
	}
	if err := w.settled(); err != nil {
		return fmt.Errorf("after a new start: %w", err)
	}
	if err := w.finishAll(); err != nil {
		return fmt.Errorf("finishing what is left: %w", err)
	}
	return nil
}

// finishAll brings every entry of the drop zone to its end, and proves that all sources are at theirs.
func (w *world) finishAll() error {
	s, err := Start(w.dir, StartOptions{MaxCrashes: 1000})
	if err != nil {
		return err
	}
	defer s.Close()
	names, err := dirNames(s.path(DirQueued), 100)
	if err != nil {
		return err
	}
	for _, name := range names {
		if hidden(name) {
			continue // what a client could not remove; the daemon does after a day
		}
		err := w.run(s, name, Need{Kind: "disk"}, func(c *Claim) error {
			return errors.Join(w.work(c), c.Done(context.Background(), Outcome{}))
		})
		if err != nil {
			return err
		}
	}
	if err := w.check(); err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(w.dir, DirQueued, "[^.]*"))
	if len(left) > 0 || err != nil {
		return fmt.Errorf("still in the drop zone: %v %w", left, err)
	}
	return nil
}

// checkSources proves that every source is in exactly one place, which holds at any time.
func (w *world) checkSources() error {
	where := map[string][]string{}
	for _, dir := range stateDirs {
		err := filepath.WalkDir(filepath.Join(w.dir, dir), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, ".json") || temporary(d.Name()) || strings.Contains(path, submitPrefix) {
				return err
			}
			b, err := os.ReadFile(path)
			where[string(b)] = append(where[string(b)], path)
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for content := range w.dropped {
		if n := len(where[content]); n > 1 || n == 0 && !w.gone {
			return fmt.Errorf("source %q is in %d places: %v", content, n, where[content])
		}
	}
	return nil
}
