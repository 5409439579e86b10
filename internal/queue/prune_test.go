package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"hyper2kvm/internal/atomicfile"
)

// ended is a job that a test brought to its end.
type ended struct {
	terminal, date, entry string
	at                    time.Time
	log                   string
}

func (e ended) path(s *Spool) string   { return s.path(e.terminal, e.date, e.entry) }
func (e ended) record(s *Spool) string { return e.path(s) + suffixOf(e.terminal) }

// endJob takes one entry through the queue; folder and two files together are among what it may be.
func endJob(tb testing.TB, s *Spool, name, kind string, fail bool) ended {
	tb.Helper()
	ctx := context.Background()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	need := Need{Kind: "disk"}
	switch kind {
	case "folder":
		must(os.MkdirAll(s.path(DirQueued, name, "sub"), 0o755))
		dropAt(tb, s.path(DirQueued, name, "sub", "a.vmdk"), "a")
	case "members":
		drop(tb, s, name, "config")
		drop(tb, s, name+"-1.raw", "disk")
		need.Members = []string{name + "-1.raw"}
	default:
		drop(tb, s, name, "disk "+name)
	}
	l, err := lookAt(s.path(DirQueued), name)
	must(err)
	c, err := s.Claim(ctx, Entry{Name: name, Path: s.path(DirQueued, name), Dir: l.dir, Identity: l.id, Files: l.files}, need)
	must(err)
	must(c.Running(ctx))
	fmt.Fprintln(c.Log(), "a line")
	if fail {
		err = c.Fail(ctx, Outcome{})
	} else {
		err = c.Done(ctx, Outcome{})
	}
	must(err)
	r := c.Record()
	return ended{r.Terminal, r.Date, r.FinalName, s.clock(), s.path(logName(r))}
}

// plainFiles lists the regular files below a directory.
func plainFiles(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel, _ := filepath.Rel(dir, path)
			all[rel] = ""
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// TestPruneTakesOnlyWhatHasHadItsTime: for any history, any rules and any strangers in the tree, exactly what the rules say goes,
// and nothing else changes.
func TestPruneTakesOnlyWhatHasHadItsTime(t *testing.T) {
	inMemory(t)
	top := t.TempDir()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		s, err := Start(filepath.Join(top, fmt.Sprint(run)), StartOptions{Clock: func() time.Time { return now }, Location: time.UTC})
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		var jobs []ended
		for n := range rapid.IntRange(0, 12).Draw(rt, "jobs") {
			now = now.Add(time.Duration(rapid.IntRange(1, 60).Draw(rt, "hours")) * time.Hour)
			name := fmt.Sprintf("%s-%d%s", rapid.SampledFrom([]string{"vm", "a b", "x.error.1", "y.meta", "ü"}).Draw(rt, "stem"), n,
				rapid.SampledFrom([]string{"", ".vmdk", ".1", ".job"}).Draw(rt, "ext"))
			kind := rapid.SampledFrom([]string{"file", "file", "folder", "members"}).Draw(rt, "kind")
			if strings.HasSuffix(name, ".job") {
				kind = "folder"
			}
			jobs = append(jobs, endJob(t, s, name, kind, rapid.Bool().Draw(rt, "fail")))
		}
		// What is no finished job: an entry of every state, and what people put beside the finished ones.
		drop(t, s, "queued.vmdk", "q")
		drop(t, s, "running.vmdk", "r")
		l, err := lookAt(s.path(DirQueued), "running.vmdk")
		if err != nil {
			rt.Fatal(err)
		}
		if _, err := s.Claim(t.Context(), Entry{Name: "running.vmdk", Path: s.path(DirQueued, "running.vmdk"), Identity: l.id}, Need{Kind: "disk"}); err != nil {
			rt.Fatal(err)
		}
		for _, dir := range []string{s.path(DirDone, "2026-03-01"), s.path(DirFailed, "2026-03-01"), s.path(DirDone, "notes"), s.path(DirDone)} {
			if err := os.MkdirAll(filepath.Join(dir, "kept"), 0o755); err != nil {
				rt.Fatal(err)
			}
			for name, content := range map[string]string{
				"no-record.vmdk": "x", "notes.txt": "x", "kept/disk.raw": "x", "odd": "x", "odd.meta.json": "{}", "odd.error.json": "[", "wrong": "x",
				"wrong.meta.json": `{"id":"../../x","completed_at":"2020-01-01T00:00:00Z"}`, ".hidden.meta.json": "{}",
			} {
				dropAt(t, filepath.Join(dir, name), content)
			}
		}
		elsewhere := filepath.Join(top, fmt.Sprint(run), "elsewhere")
		if err := os.Mkdir(elsewhere, 0o755); err != nil {
			rt.Fatal(err)
		}
		dropAt(t, filepath.Join(elsewhere, "linked.raw"), "x")
		dropAt(t, filepath.Join(elsewhere, "linked.raw.meta.json"), `{"id":"`+newID(now)+`","completed_at":"2020-01-01T00:00:00Z"}`)
		if err := os.Symlink(elsewhere, s.path(DirDone, "2020-01-01")); err != nil {
			rt.Fatal(err)
		}
		// A link is no source, whatever stands beside it; and what people moved away has only its record left.
		link := s.path(DirDone, "2026-03-01", "link.raw")
		if err := os.Symlink(filepath.Join(elsewhere, "linked.raw"), link); err != nil {
			rt.Fatal(err)
		}
		dropAt(t, link+".meta.json", `{"id":"`+newID(now)+`","completed_at":"`+now.Add(1000*time.Hour).Format(time.RFC3339)+`"}`)
		moved := map[string]bool{}
		for _, e := range jobs {
			if rapid.IntRange(0, 4).Draw(rt, "moved") == 0 {
				moved[e.path(s)] = true
				if err := os.RemoveAll(e.path(s)); err != nil {
					rt.Fatal(err)
				}
			}
		}
		r := Retention{
			Age: time.Duration(rapid.IntRange(0, 300).Draw(rt, "age")) * time.Hour, Count: rapid.IntRange(0, 8).Draw(rt, "count"),
			Free:    rapid.SampledFrom([]int64{0, 1, math.MaxInt64}).Draw(rt, "free"),
			Records: time.Duration(rapid.IntRange(0, 300).Draw(rt, "records")) * time.Hour, Failed: rapid.Bool().Draw(rt, "failed"),
		}
		now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(rt, "later")) * time.Hour)

		want := plainFiles(t, s.dir)
		forget := func(path string) {
			maps.DeleteFunc(want, func(rel, _ string) bool {
				full := s.path(rel)
				return full == path || strings.HasPrefix(full, path+"/")
			})
		}
		for _, e := range jobs {
			day, _ := time.Parse(time.DateOnly, e.date)
			if moved[e.path(s)] && r.Records > 0 && (e.terminal == DirDone || r.Failed) && now.Sub(day) > r.Records+24*time.Hour {
				forget(e.record(s))
				forget(e.log)
			}
		}
		jobs = slices.DeleteFunc(jobs, func(e ended) bool { return moved[e.path(s)] })
		reached := slices.DeleteFunc(slices.Clone(jobs), func(e ended) bool { return e.terminal == DirFailed && !r.Failed })
		sources := 0
		for i, e := range reached {
			gone := r.Age > 0 && now.Sub(e.at) > r.Age || r.Count > 0 && i < len(reached)-r.Count || r.Free == math.MaxInt64 && now.Sub(e.at) > FreeGrace
			if !gone {
				continue
			}
			sources++
			forget(e.path(s))
			day, _ := time.Parse(time.DateOnly, e.date)
			if e.terminal == DirFailed || r.Records > 0 && now.Sub(day) > r.Records+24*time.Hour {
				forget(e.record(s))
				forget(e.log)
			}
		}
		told := 0
		if err := s.Prune(t.Context(), r, func(p Pruned) {
			if exists(p.Path) {
				rt.Errorf("%s is told to be removed and is there", p.Path)
			}
			if p.What != PrunedRecord {
				told++
			}
		}); err != nil {
			rt.Fatal(err)
		}
		got := plainFiles(t, s.dir)
		for rel := range want {
			if _, ok := got[rel]; !ok && rel != filepath.Join(DirOwn, "lock") {
				rt.Errorf("%+v at %s: %s is gone", r, now, rel)
			}
		}
		for rel := range got {
			if _, ok := want[rel]; !ok {
				rt.Errorf("%+v at %s: %s is still there", r, now, rel)
			}
		}
		if _, err := os.Lstat(link); err != nil {
			rt.Errorf("a link is gone: %v", err)
		}
		if told != sources {
			rt.Errorf("%d removals were told, %d happened", told, sources)
		}
	})
}

// TestPruneKilledAtEveryStep: wherever it stops, a source is there whole or not at all, and the next run ends the work.
func TestPruneKilledAtEveryStep(t *testing.T) {
	inMemory(t)
	for n := 0; ; n++ {
		dir := filepath.Join(t.TempDir(), "w")
		past := time.Now().Add(-1000 * time.Hour)
		s, err := Start(dir, StartOptions{Clock: func() time.Time { return past }})
		if err != nil {
			t.Fatal(err)
		}
		done := endJob(t, s, "done", "folder", false)
		failed := endJob(t, s, "failed", "folder", true)
		_ = s.Close()
		now := func() time.Time { return past.Add(800 * time.Hour) }
		kill := &cut{n: -1}
		s, err = Start(dir, StartOptions{Clock: now, Before: func(st atomicfile.Step) error { return kill.before(st) }})
		if err != nil {
			t.Fatal(err)
		}
		kill.n, kill.steps = n, 0
		r := Retention{Age: time.Hour, Records: 2 * time.Hour, Failed: true}
		err = s.Prune(t.Context(), r, func(Pruned) {})
		whole := kill.steps < n
		_ = s.Close()
		for _, e := range []ended{done, failed} {
			if exists(e.path(s)) {
				wantFile(t, filepath.Join(e.path(s), "sub", "a.vmdk"), "a")
			}
			if exists(e.path(s)) && !exists(e.record(s)) {
				t.Fatalf("step %d: %s has lost its record", n, e.entry)
			}
		}
		s, err2 := Start(dir, StartOptions{Clock: now})
		if err2 != nil {
			t.Fatal(err2)
		}
		if err := s.Prune(t.Context(), r, func(Pruned) {}); err != nil {
			t.Fatal(err)
		}
		for _, e := range []ended{done, failed} {
			wantGone(t, e.path(s))
			wantGone(t, e.record(s))
			wantGone(t, filepath.Dir(e.path(s)))
			wantGone(t, e.log)
		}
		if left, _ := dirNames(s.own("tmp"), 100); len(left) > 0 {
			t.Fatalf("step %d: %v is left in tmp", n, left)
		}
		_ = s.Close()
		if whole {
			if n < 10 || err != nil {
				t.Fatalf("%d steps, %v", n, err)
			}
			return
		}
	}
}

// TestPruneLeavesJobsThatAreEnding: between the commit of its record and the end of its move a job is not over, however old its day is.
func TestPruneLeavesJobsThatAreEnding(t *testing.T) {
	now := time.Now().Add(-1000 * time.Hour)
	stop, tried := false, 0
	var s *Spool
	prune := func(r Retention) {
		t.Helper()
		if err := s.Prune(t.Context(), r, func(p Pruned) { t.Errorf("%+v", p) }); err != nil {
			t.Error(err)
		}
	}
	s = start(t, filepath.Join(t.TempDir(), "w"), StartOptions{Clock: func() time.Time { return now }, Before: func(st atomicfile.Step) error {
		switch {
		case filepath.Base(st.Path) != "vm.raw":
		case st.Op == "rename" && stop:
			return errCut
		case st.Op == "sync" && strings.HasPrefix(st.Path, s.path(DirDone)): // it has just been moved, and is not over
			now = now.Add(time.Minute)
			tried++
			prune(Retention{Age: 1})
		}
		return nil
	}})
	drop(t, s, "vm.raw", "disk")
	c := claimName(t, s, "vm.raw", Need{Kind: "disk"})
	stop = true
	if err := c.Done(t.Context(), Outcome{}); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	record := s.path(DirDone, c.Record().Date, "vm.raw.meta.json")
	if !exists(record) {
		t.Fatal("the commit is not made")
	}
	now = now.Add(900 * time.Hour)
	prune(Retention{Records: 1})
	now, stop = now.Add(-900*time.Hour), false
	if err := c.Done(t.Context(), Outcome{}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, s.path(DirDone, c.Record().Date, "vm.raw"), "disk")
	if !exists(record) || tried == 0 {
		t.Errorf("the record of a job that ended is gone, or nothing was tried (%d times)", tried)
	}
}

// TestPruneLeavesWhatItCannotRemove: a folder in which somebody's directory is not writable for the daemon stays as it is.
func TestPruneLeavesWhatItCannotRemove(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may remove everything; run as another user")
	}
	past := time.Now().Add(-100 * time.Hour)
	s := start(t, filepath.Join(t.TempDir(), "w"), StartOptions{Clock: func() time.Time { return past }})
	e := endJob(t, s, "vm", "folder", false)
	locked := filepath.Join(e.path(s), "sub")
	if err := os.Chmod(locked, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(locked, 0o755)
	s.clock = time.Now
	if err := s.Prune(t.Context(), Retention{Age: time.Hour}, func(p Pruned) { t.Errorf("%+v", p) }); err != nil {
		t.Fatal(err)
	}
	wantFile(t, filepath.Join(locked, "a.vmdk"), "a")
}

func TestPruneIsTheDaemonsOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w")
	start(t, dir, StartOptions{})
	client, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Prune(t.Context(), Retention{Age: 1}, nil); !errors.Is(err, ErrState) {
		t.Error(err)
	}
	if _, err := client.PruneOrigins(t.Context()); !errors.Is(err, ErrState) {
		t.Error(err)
	}
}

// TestPruneOrigins: a note stays while what it is about is anywhere in the tree, and for a while in any case.
func TestPruneOrigins(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "w"), StartOptions{})
	for _, dir := range []string{s.path(DirRunning, "x.job"), s.path(DirFailed, "2026-01-01", "y.job"), s.path(DirDone, "2026-01-01"), s.jobPath("j", "parts")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	note := func(path string, old bool) string {
		t.Helper()
		dropAt(t, path, "part")
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		if err := s.writeOrigin(Identity{Ino: st.Ino}, 1000, "b"); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-2 * originKeep)
		if !old {
			at = time.Now()
		}
		if err := os.Chtimes(s.originPath(st.Ino), at, at); err != nil {
			t.Fatal(err)
		}
		return s.originPath(st.Ino)
	}
	kept := []string{
		note(s.path(DirQueued, "a.yaml"), true), note(s.path(DirRunning, "b.yaml"), true), note(s.path(DirRunning, "x.job", "c.yaml"), true),
		note(s.path(DirFailed, "2026-01-01", "d.yaml"), true), note(s.path(DirFailed, "2026-01-01", "y.job", "e.yaml"), true),
		note(s.path(DirDone, "2026-01-01", "f.yaml"), true), note(s.jobPath("j", "parts", "g.yaml"), true),
	}
	outside := t.TempDir()
	young := note(filepath.Join(outside, "young.yaml"), false)
	gone := note(filepath.Join(outside, "gone.yaml"), true)
	n, err := s.PruneOrigins(t.Context())
	if n != 1 || err != nil {
		t.Fatal(n, err)
	}
	for _, path := range append(kept, young) {
		if !exists(path) {
			t.Errorf("%s is gone", path)
		}
	}
	wantGone(t, gone)
}
