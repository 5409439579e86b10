package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hyper2kvm/internal/atomicfile"
)

var errCut = errors.New("cut")

// cut stops every step that changes the disk from the n-th on, as a kill would. With n < 0 it only counts.
type cut struct {
	n     int
	steps int
	trace []string
}

func (c *cut) before(s atomicfile.Step) error {
	if c.n >= 0 && c.steps >= c.n {
		return errCut
	}
	c.steps++
	c.trace = append(c.trace, s.Op+" "+filepath.Base(s.Path)+" "+filepath.Base(s.To))
	return nil
}

// world is a workflow directory with its output, and what was dropped into it.
type world struct {
	dir, out string
	dropped  map[string]bool // contents; each is unique

	submitted []string // contents that a client submitted: they are there, or were refused
	gone      bool     // sources may have been removed by a retention
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{dir: filepath.Join(t.TempDir(), "w"), out: t.TempDir(), dropped: map[string]bool{}}
}

func (w *world) drop(name string) error {
	content := fmt.Sprintf("%s-%d", name, len(w.dropped))
	path := filepath.Join(w.dir, DirQueued, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	w.dropped[content] = true
	return os.WriteFile(path, []byte(content), 0o644)
}

// check proves what must hold whenever the daemon is not in the middle of something.
func (w *world) check() error {
	where := map[string][]string{}
	for _, dir := range stateDirs {
		err := filepath.WalkDir(filepath.Join(w.dir, dir), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, ".json") || strings.Contains(path, submitPrefix) {
				return err
			}
			b, err := os.ReadFile(path)
			where[string(b)] = append(where[string(b)], path)
			return err
		})
		if err != nil {
			return err
		}
	}
	for content := range w.dropped {
		if len(where[content]) != 1 && (!w.gone || len(where[content]) > 0) {
			return fmt.Errorf("source %q is in %d places: %v", content, len(where[content]), where[content])
		}
	}
	for content, paths := range where {
		if !w.dropped[content] && !strings.HasPrefix(content, "part ") && !slices.Contains(w.submitted, content) {
			return fmt.Errorf("%v holds %q, which nobody dropped", paths, content)
		}
	}
	return errors.Join(w.checkRecords(DirDone), w.checkRecords(DirFailed), w.checkOutputs(), w.checkLeftovers())
}

// checkRecords proves that every finished source has its record and every record its source.
func (w *world) checkRecords(terminal string) error {
	entries, err := filepath.Glob(filepath.Join(w.dir, terminal, "*", "*"))
	if err != nil {
		return err
	}
	for _, path := range entries {
		if strings.Contains(filepath.Base(path), ".error.") && !strings.HasSuffix(path, suffixError) {
			continue // history of a retry
		}
		if entry, ok := strings.CutSuffix(path, suffixOf(terminal)); ok {
			if recordID(path) == "" {
				return fmt.Errorf("%s is not a whole record", path)
			}
			if !exists(entry) && !w.gone {
				return fmt.Errorf("%s has no source", path)
			}
		} else if !exists(path + suffixOf(terminal)) {
			return fmt.Errorf("%s has no record", path)
		}
	}
	return nil
}

// checkOutputs proves that every meta.json has its output, made from its source, and every output its meta.json.
func (w *world) checkOutputs() error {
	outputs := map[string]bool{}
	dirs, err := filepath.Glob(filepath.Join(w.out, "2*", "*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		outputs[dir] = true
	}
	metas, err := filepath.Glob(filepath.Join(w.dir, DirDone, "*", "*"+suffixMeta))
	if err != nil {
		return err
	}
	for _, meta := range metas {
		var f finalFile
		if err := readJSON(meta, &f); err != nil {
			return err
		}
		if f.OutputDir == "" {
			continue
		}
		if !outputs[f.OutputDir] {
			return fmt.Errorf("%s says that its output is in %s, which is not there or is another's", meta, f.OutputDir)
		}
		delete(outputs, f.OutputDir)
		b, err := os.ReadFile(filepath.Join(f.OutputDir, "disk.qcow2"))
		if err != nil || string(b) != "image "+f.ID {
			return fmt.Errorf("%s: output is %q, %w", meta, b, err)
		}
	}
	if len(outputs) > 0 && !w.gone {
		return fmt.Errorf("outputs without meta.json: %v", slices.Collect(maps.Keys(outputs)))
	}
	return nil
}

// checkLeftovers proves that nothing half-made stays behind.
func (w *world) checkLeftovers() error {
	for _, pattern := range []string{
		filepath.Join(w.out, partialDir, "*"), filepath.Join(w.dir, DirOwn, "tmp", "*"), filepath.Join(w.dir, DirRunning, "*"),
		filepath.Join(w.dir, DirQueued, "*.job", markerName),
	} {
		if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
			return fmt.Errorf("left behind: %v %w", left, err)
		}
	}
	return nil
}

// restart starts the daemon again, crashing it at the given step of its recovery if that is not negative.
func (w *world) restart(crashAt int) (steps int, err error) {
	if crashAt >= 0 {
		c := &cut{n: crashAt}
		s, err := Start(w.dir, StartOptions{Before: c.before, MaxCrashes: 1000})
		if err == nil {
			_ = s.Close()
		}
	}
	c := &cut{n: -1}
	s, err := Start(w.dir, StartOptions{Before: c.before, MaxCrashes: 1000})
	if err != nil {
		return 0, fmt.Errorf("start after a crash: %w", err)
	}
	return c.steps, s.Close()
}

// settled proves that recovery is done with what it found, and that doing it again changes nothing.
func (w *world) settled() error {
	if err := w.check(); err != nil {
		return err
	}
	s, err := Start(w.dir, StartOptions{MaxCrashes: 1000})
	if err != nil {
		return err
	}
	defer s.Close()
	if r := s.Recovered(); len(r) > 0 {
		return fmt.Errorf("recovery is not idempotent: %+v", r)
	}
	return w.check()
}

// run does a job, building what a child would.
func (w *world) run(s *Spool, name string, need Need, end func(*Claim) error) error {
	l, err := lookAt(s.path(DirQueued), name)
	if err != nil {
		return err
	}
	c, err := s.Claim(context.Background(), Entry{Name: name, Identity: l.id, Dir: l.dir, Files: l.files}, need)
	if err != nil {
		return err
	}
	return end(c)
}

func (w *world) work(c *Claim) error {
	ctx := context.Background()
	if err := c.Running(ctx); err != nil {
		return err
	}
	partial, err := c.Partial(ctx, w.out)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(partial, "disk.qcow2"), []byte("image "+c.Record().ID), 0o644); err != nil {
		return err
	}
	if _, err := c.Place(ctx, w.out, "vm"); err != nil {
		return err
	}
	return c.Progress(Progress{Stage: "convert"})
}

// scenarios are the ways through the queue. Each begins with a fresh tree and is cut at every step.
var scenarios = map[string]struct {
	drops []string
	run   func(w *world, s *Spool) error
}{
	"done": {[]string{"x.vmdk"}, func(w *world, s *Spool) error {
		return w.run(s, "x.vmdk", Need{Kind: "disk"}, func(c *Claim) error {
			return errors.Join(w.work(c), c.Done(context.Background(), Outcome{}))
		})
	}},
	"done, several files": {[]string{"x.yaml", "a.vmdk", "b.vmdk"}, func(w *world, s *Spool) error {
		return w.run(s, "x.yaml", Need{Kind: "manifest", Members: []string{"a.vmdk", "b.vmdk"}}, func(c *Claim) error {
			return errors.Join(w.work(c), c.Done(context.Background(), Outcome{}))
		})
	}},
	"done, folder": {[]string{"vm/x.vmx", "vm/a.vmdk", "vm/sub/b.vmdk"}, func(w *world, s *Spool) error {
		return w.run(s, "vm", Need{Kind: "folder"}, func(c *Claim) error {
			return errors.Join(w.work(c), c.Done(context.Background(), Outcome{}))
		})
	}},
	"fail and retry": {[]string{"x.vmdk"}, func(w *world, s *Spool) error {
		err := w.run(s, "x.vmdk", Need{Kind: "disk"}, func(c *Claim) error {
			return errors.Join(w.work(c), c.Fail(context.Background(), Outcome{Fields: map[string]any{"error": "no"}}))
		})
		if err != nil {
			return err
		}
		j, err := s.Find(context.Background(), "x")
		if err != nil {
			return err
		}
		_, err = s.Retry(context.Background(), j)
		return err
	}},
	"fail, several files": {[]string{"x.yaml", "a.vmdk"}, func(w *world, s *Spool) error {
		return w.run(s, "x.yaml", Need{Kind: "manifest", Members: []string{"a.vmdk"}}, func(c *Claim) error {
			return errors.Join(w.work(c), c.Fail(context.Background(), Outcome{}))
		})
	}},
	"put back and done": {[]string{"x.yaml", "a.vmdk"}, func(w *world, s *Spool) error {
		need := Need{Kind: "manifest", Members: []string{"a.vmdk"}}
		err := w.run(s, "x.yaml", need, func(c *Claim) error {
			return errors.Join(w.work(c), c.Requeue(context.Background(), "test"))
		})
		if err != nil {
			return err
		}
		return w.run(s, "x.yaml", need, func(c *Claim) error {
			return errors.Join(w.work(c), c.Done(context.Background(), Outcome{}))
		})
	}},
	"split": {[]string{"batch.yaml"}, func(w *world, s *Spool) error {
		parts := []Part{{"one.yaml", []byte("part one")}, {"two.yaml", []byte("part two")}, {"two.yaml", []byte("part three")}}
		return w.run(s, "batch.yaml", Need{Kind: "manifest", Parts: parts}, func(c *Claim) error {
			return c.Split(context.Background(), parts)
		})
	}},
	"retention": {[]string{"x.vmdk", "y.vmdk"}, func(w *world, s *Spool) error {
		w.gone = true
		done := func(c *Claim) error { return errors.Join(w.work(c), c.Done(context.Background(), Outcome{})) }
		if err := w.run(s, "x.vmdk", Need{Kind: "disk"}, done); err != nil {
			return err
		}
		if err := w.run(s, "y.vmdk", Need{Kind: "disk"}, func(c *Claim) error { return c.Fail(context.Background(), Outcome{}) }); err != nil {
			return err
		}
		return s.Prune(context.Background(), Retention{Age: time.Nanosecond, Records: time.Nanosecond, Failed: true}, func(Pruned) {})
	}},
	"submit": {nil, func(w *world, s *Spool) error {
		client, err := Open(w.dir)
		if err != nil {
			return err
		}
		client.fs.Before = s.fs.Before
		w.submitted = []string{"submitted x", "submitted a"}
		_, err = client.Submit(context.Background(), []Source{
			{Name: "x.yaml", Content: strings.NewReader("submitted x")}, {Name: "a.vmdk", Content: strings.NewReader("submitted a")},
		}, SubmitOptions{})
		return err
	}},
	"bad name": {[]string{"x\n.vmdk"}, func(w *world, s *Spool) error {
		return w.run(s, "x\n.vmdk", Need{Kind: "disk"}, func(c *Claim) error {
			return c.Fail(context.Background(), Outcome{Fields: map[string]any{"code": codeName}})
		})
	}},
}

// inMemory puts the temporary directories of a test on a file system on which a sync costs nothing: what is tested is killed
// processes, for which the page cache is as good as a disk.
func inMemory(t *testing.T) {
	t.Helper()
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		t.Setenv("TMPDIR", "/dev/shm")
	}
}

// TestKilledAtEveryStep cuts every way through the queue at every step that changes the disk, starts again, and cuts that recovery
// too: at some of its steps, or at every one with HYPER2KVM_EXHAUSTIVE=1.
func TestKilledAtEveryStep(t *testing.T) {
	inMemory(t)
	for name, sc := range scenarios {
		t.Run(name, func(t *testing.T) {
			for n := 0; ; n++ {
				if whole := killAt(t, sc.drops, sc.run, n); whole {
					t.Logf("%d steps", n)
					if n < 5 {
						t.Fatal("too few steps for a job; is the seam still in place?")
					}
					return
				}
			}
		})
	}
}

// killAt runs a scenario up to its n-th step and says whether that was all of it.
func killAt(t *testing.T, drops []string, run func(*world, *Spool) error, n int) (whole bool) {
	t.Helper()
	stride := 61
	if os.Getenv("HYPER2KVM_EXHAUSTIVE") != "" || proofLong() {
		stride = 1
	}
	for nested := -1; ; nested += stride {
		if nested == stride-1 {
			nested = n % stride // over the steps of the scenario every step of the recovery has its turn
		}
		w := newWorld(t)
		s, err := Start(w.dir, StartOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range drops {
			if err := w.drop(name); err != nil {
				t.Fatal(err)
			}
		}
		c := &cut{n: n}
		s.fs.Before = c.before
		err = run(w, s)
		if whole = err == nil; !whole && !errors.Is(err, errCut) {
			t.Fatalf("step %d: %v", n, err)
		}
		_ = s.Close()
		steps, err := w.restart(nested)
		if err == nil {
			err = w.settled()
		}
		if err != nil {
			t.Fatalf("killed before step %d, then before step %d of the recovery: %v\nsteps: %s", n, nested, err, strings.Join(c.trace, "\n       "))
		}
		parts, _ := filepath.Glob(filepath.Join(w.dir, DirQueued, "*.yaml"))
		if done, _ := filepath.Glob(filepath.Join(w.dir, DirDone, "*", "batch.yaml")); len(done) == 1 && len(parts) != 3 {
			t.Fatalf("killed before step %d: a batch is done and %d of 3 parts are there", n, len(parts))
		}
		if nested >= steps || testing.Short() {
			return whole
		}
	}
}

// TestOrderOfCompletion holds the order in which a job becomes final against its specification in README.md: what is synced
// before what is renamed cannot be seen by killing a process, only by pulling the plug.
func TestOrderOfCompletion(t *testing.T) {
	w := newWorld(t)
	s, err := Start(w.dir, StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := w.drop("x.vmdk"); err != nil {
		t.Fatal(err)
	}
	c := &cut{n: -1}
	err = w.run(s, "x.vmdk", Need{Kind: "disk"}, func(cl *Claim) error {
		if err := w.work(cl); err != nil {
			return err
		}
		s.fs.Before = c.before
		return cl.Done(context.Background(), Outcome{})
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, step := range c.trace {
		f := strings.Fields(step)
		for i := range f {
			switch {
			case strings.HasPrefix(f[i], ".tmp-"):
				f[i] = "TMP"
			case isID(strings.TrimPrefix(f[i], "gone-")):
				f[i] = "ID"
			case isDate(f[i]):
				f[i] = "DATE"
			}
		}
		if f[0] == "sync" || f[0] == "syncdir" || f[0] == "rename" || f[0] == "mkdir" {
			got = append(got, strings.TrimSuffix(strings.Join(f, " "), " ."))
		}
	}
	record := []string{"sync TMP", "rename TMP record.json", "syncdir ID", "syncdir jobs"}
	want := slices.Concat([]string{"sync x.vmdk", "syncdir processing", "syncdir to_be_processed"}, record, []string{
		"syncdir " + filepath.Base(filepath.Dir(w.out)), "mkdir DATE", "syncdir " + filepath.Base(w.out), // output
		"rename ID vm", "syncdir vm", "syncdir DATE", "syncdir " + partialDir,
	}, record, []string{
		"mkdir DATE", "syncdir processed",
		"sync TMP", "rename TMP x.vmdk.meta.json", "syncdir DATE", // the commit
		"rename x.vmdk x.vmdk", "sync x.vmdk", "syncdir DATE", "syncdir processing", "syncdir to_be_processed",
		"rename ID ID",
	})
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// TestRandomLife drives a queue through whatever users and jobs may do, with crashes in between.
func TestRandomLife(t *testing.T) {
	inMemory(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		s, err := Start(w.dir, StartOptions{MaxCrashes: 1000})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		ctx := context.Background()
		var live []*Claim
		names := []string{"a.vmdk", "b.vmdk", "c.yaml", "d.job/x.vmdk", "a~2.vmdk"}
		pick := func(rt *rapid.T) (*Claim, int) {
			if len(live) == 0 {
				rt.Skip()
			}
			i := rapid.IntRange(0, len(live)-1).Draw(rt, "job")
			return live[i], i
		}
		must := func(rt *rapid.T, err error) {
			if err != nil && !errors.Is(err, errCut) {
				rt.Fatal(err)
			}
		}
		ended := func(rt *rapid.T, i int, err error) {
			must(rt, err)
			if err == nil {
				live = slices.Delete(live, i, i+1)
			}
		}
		end := func(rt *rapid.T) {
			_ = s.Close()
			for nested := rapid.IntRange(0, 2).Draw(rt, "crashes of the recovery"); nested > 0; nested-- {
				c := &cut{n: rapid.IntRange(0, 60).Draw(rt, "at")}
				if s, err := Start(w.dir, StartOptions{Before: c.before, MaxCrashes: 1000}); err == nil {
					_ = s.Close()
				}
			}
			live = nil
			if s, err = Start(w.dir, StartOptions{MaxCrashes: 1000}); err != nil {
				rt.Fatal(err)
			}
			if err := w.check(); err != nil {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"drop": func(rt *rapid.T) {
				name := rapid.SampledFrom(names).Draw(rt, "name")
				if !exists(filepath.Join(w.dir, DirQueued, name)) { // else the user would overwrite what he dropped
					must(rt, w.drop(name))
				}
			},
			"claim": func(rt *rapid.T) {
				entries, _ := dirNames(s.path(DirQueued), 100)
				if len(entries) == 0 {
					rt.Skip()
				}
				name := rapid.SampledFrom(entries).Draw(rt, "entry")
				need := Need{Kind: "disk"}
				if name == "c.yaml" && exists(s.path(DirQueued, "b.vmdk")) {
					need = Need{Kind: "manifest", Members: []string{"b.vmdk"}}
				}
				must(rt, w.run(s, name, need, func(c *Claim) error { live = append(live, c); return nil }))
			},
			"work": func(rt *rapid.T) {
				c, _ := pick(rt)
				if c.Record().Phase == PhaseClaimed {
					must(rt, w.work(c))
				}
			},
			"done": func(rt *rapid.T) {
				c, i := pick(rt)
				if c.Record().Phase == PhasePlaced {
					ended(rt, i, c.Done(ctx, Outcome{}))
				}
			},
			"fail":    func(rt *rapid.T) { c, i := pick(rt); ended(rt, i, c.Fail(ctx, Outcome{})) },
			"requeue": func(rt *rapid.T) { c, i := pick(rt); ended(rt, i, c.Requeue(ctx, "test")) },
			"retry": func(rt *rapid.T) {
				for j, err := range s.Jobs(ctx, Filter{States: []State{Failed}, Limit: 1}) {
					must(rt, err)
					_, err = s.Retry(ctx, j)
					must(rt, err)
				}
			},
			"retry by hand": func(rt *rapid.T) {
				for j, err := range s.Jobs(ctx, Filter{States: []State{Failed}, Limit: 1}) {
					must(rt, err)
					if to := s.path(DirQueued, j.Name); !exists(to) {
						must(rt, os.Rename(j.Path, to))
						s.tidy(s.clock())
					}
				}
			},
			"tidy": func(*rapid.T) { s.tidy(s.clock()) },
			"crash at once": func(rt *rapid.T) {
				s.fs.Before = (&cut{n: 0}).before
				end(rt)
			},
			"crash in the end of a job": func(rt *rapid.T) {
				c, i := pick(rt)
				s.fs.Before = (&cut{n: rapid.IntRange(0, 40).Draw(rt, "step")}).before
				switch phase := c.Record().Phase; {
				case phase == PhasePlaced && rapid.Bool().Draw(rt, "well"):
					ended(rt, i, c.Done(ctx, Outcome{}))
				case rapid.Bool().Draw(rt, "back"):
					ended(rt, i, c.Requeue(ctx, "test"))
				default:
					ended(rt, i, c.Fail(ctx, Outcome{}))
				}
				end(rt)
			},
			"": func(rt *rapid.T) {
				if len(live) == 0 {
					if err := w.check(); err != nil {
						rt.Fatal(err)
					}
				}
			},
		})
		end(rt)
	})
}
