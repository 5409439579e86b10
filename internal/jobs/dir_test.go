package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
)

// tree makes a workflow directory without a daemon.
func tree(tb testing.TB) (string, *jobs.Dir) {
	tb.Helper()
	dir := tb.TempDir()
	daemon, err := queue.Start(dir, queue.StartOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	if err := daemon.Close(); err != nil {
		tb.Fatal(err)
	}
	sp, err := queue.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return dir, jobs.NewDir(sp, "somebody")
}

// old is a time that directories get, so that they do not count as changing right now.
var old = time.Now().Add(-time.Hour)

func put(tb testing.TB, content string, elem ...string) {
	tb.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		tb.Fatal(err)
	}
}

func failed(t *testing.T, dir, name string, at time.Time) {
	t.Helper()
	day := filepath.Join(dir, queue.DirFailed, "2026-11-22")
	b, _ := json.Marshal(map[string]any{
		"schema": 1, "original_name": name, "job_id": name, "failed_at": at.Format(time.RFC3339Nano), "status": "failed", "error": "parent is missing",
		"code": "H2K-SRC-001", "stage": "inspect", "exception": "a\nb", "hint": "copy it",
	})
	put(t, "x", day, name)
	put(t, string(b), day, name+".error.json")
	put(t, "{}", day, name+".error.1.json") // of an earlier failure
	if err := os.Chtimes(filepath.Join(day, name+".error.json"), at, at); err != nil {
		t.Fatal(err)
	}
}

func names(s jobs.Screen) string {
	var out []string
	for _, j := range s.Rows {
		out = append(out, j.Name)
	}
	return strings.Join(out, " ")
}

func TestLookFiltersAndSorts(t *testing.T) {
	dir, d := tree(t)
	put(t, "12345", dir, queue.DirQueued, "b.vmdk")
	put(t, "1", dir, queue.DirQueued, "a.vmdk")
	put(t, "1", dir, queue.DirQueued, ".hidden")
	failed(t, dir, "old.vmdk", old)
	failed(t, dir, "new.vmdk", old.Add(time.Minute))
	put(t, `{"schema":1,"original_name":"ok.ova","completed_at":"2026-11-21T10:00:00Z","status":"success"}`, dir, queue.DirDone, "2026-11-21", "ok.ova.meta.json")
	tests := []struct {
		name string
		q    jobs.Query
		want string
	}{
		{"all", jobs.Query{Order: jobs.ByState}, "new.vmdk old.vmdk b.vmdk a.vmdk ok.ova"},
		{"by name", jobs.Query{Order: jobs.ByName}, "a.vmdk b.vmdk new.vmdk ok.ova old.vmdk"},
		{"reversed", jobs.Query{Order: jobs.ByName, Reverse: true}, "old.vmdk ok.ova new.vmdk b.vmdk a.vmdk"},
		{"by size", jobs.Query{Order: jobs.BySize, States: []queue.State{queue.Queued}}, "b.vmdk a.vmdk"},
		{"text", jobs.Query{Order: jobs.ByName, Filter: "O"}, "ok.ova old.vmdk"},
		{"not text", jobs.Query{Order: jobs.ByName, Filter: "!vmdk"}, "ok.ova"},
		{"state", jobs.Query{Order: jobs.ByName, Filter: "state:failed"}, "new.vmdk old.vmdk"},
		{"not state", jobs.Query{Order: jobs.ByName, Filter: "!state:failed ova"}, "ok.ova"},
		{"half typed", jobs.Query{Order: jobs.ByName, Filter: "! state: ova"}, "ok.ova"},
		{"tab", jobs.Query{Order: jobs.ByName, States: []queue.State{queue.Done}}, "ok.ova"},
		{"a window", jobs.Query{Order: jobs.ByName, Index: 2, Rows: 1}, "b.vmdk new.vmdk ok.ova"},
		{"past the end", jobs.Query{Order: jobs.ByName, Index: 99, Rows: 1}, "ok.ova old.vmdk"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.q.Rows == 0 {
				tt.q.Rows = 10
			}
			s, err := d.Look(t.Context(), tt.q)
			if err != nil {
				t.Fatal(err)
			}
			if got := names(s); got != tt.want {
				// The two queued ones were made within one tick of the clock on some file systems: then names decide.
				if got != strings.Replace(tt.want, "b.vmdk a.vmdk ok", "a.vmdk b.vmdk ok", 1) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			}
			if s.Live != queue.LiveNeverStarted {
				t.Errorf("liveness %s", s.Live)
			}
		})
	}
}

// TestLookSeesChanges: what comes, goes and fails again is seen, and the cursor stays with its job.
func TestLookSeesChanges(t *testing.T) {
	dir, d := tree(t)
	for i := range 5 {
		put(t, "1", dir, queue.DirQueued, fmt.Sprintf("disk%d.vmdk", i))
	}
	q := jobs.Query{Order: jobs.ByName, Rows: 10, Index: 3}
	s := until(t, d, q, func(s jobs.Screen) bool { return s.Total == 5 })
	q.Cursor = jobs.RefOf(s.Rows[3])
	if err := os.Remove(filepath.Join(dir, queue.DirQueued, "disk1.vmdk")); err != nil {
		t.Fatal(err)
	}
	s = until(t, d, q, func(s jobs.Screen) bool { return s.Total == 4 })
	if s.Cursor != 2 || s.Rows[s.Cursor].Name != "disk3.vmdk" {
		t.Errorf("the cursor is on row %d of %s", s.Cursor, names(s))
	}
	if err := os.Remove(filepath.Join(dir, queue.DirQueued, "disk3.vmdk")); err != nil {
		t.Fatal(err)
	}
	failed(t, dir, "disk3.vmdk", old)
	s = until(t, d, q, func(s jobs.Screen) bool { return s.Tabs[queue.Failed] == 1 })
	if j := s.Rows[s.Cursor]; j.Name != "disk3.vmdk" || j.State != queue.Failed || j.Code != "H2K-SRC-001" {
		t.Errorf("the cursor did not follow its job: %+v", j)
	}
	failed(t, dir, "disk3.vmdk", old.Add(time.Minute))
	until(t, d, q, func(s jobs.Screen) bool { return s.Rows[s.Cursor].FinishedAt.Equal(old.Add(time.Minute)) })
}

// TestLookSeesPriorities: of queued jobs the one that starts first stands first, as soon as that is decided.
func TestLookSeesPriorities(t *testing.T) {
	dir, d := tree(t)
	for _, name := range []string{"a.vmdk", "b.vmdk", "c.vmdk"} {
		put(t, "1", dir, queue.DirQueued, name)
	}
	q := jobs.Query{Order: jobs.ByState, Rows: 10}
	until(t, d, q, func(s jobs.Screen) bool { return s.Total == 3 })
	give := func(name string, priority int) {
		st, err := os.Stat(filepath.Join(dir, queue.DirQueued, name))
		if err != nil {
			t.Fatal(err)
		}
		ino := st.Sys().(*syscall.Stat_t).Ino
		put(t, fmt.Sprintf(`{"schema":1,"ino":%d,"size":%d,"mtime_ns":%d,"priority":%d}`, ino, st.Size(), st.ModTime().UnixNano(), priority),
			dir, queue.DirOwn, "priorities", fmt.Sprintf("%d.json", ino))
	}
	give("c.vmdk", queue.PriorityFirst)
	give("a.vmdk", queue.PriorityLow)
	s := until(t, d, q, func(s jobs.Screen) bool { return names(s) == "c.vmdk b.vmdk a.vmdk" })
	if s.Rows[0].Priority != queue.PriorityFirst || s.Rows[1].Priority != 0 || s.Rows[2].Priority != queue.PriorityLow {
		t.Errorf("priorities %d, %d, %d", s.Rows[0].Priority, s.Rows[1].Priority, s.Rows[2].Priority)
	}
	first, err := d.Page(t.Context(), jobs.PageQuery{Order: jobs.ByState, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	rest, err := d.Page(t.Context(), jobs.PageQuery{Order: jobs.ByState, Limit: 9, After: first.Next})
	if err != nil || len(rest.Rows) != 2 || rest.Rows[0].Name != "b.vmdk" {
		t.Errorf("the second page is %+v (%v)", rest.Rows, err)
	}
}

// until looks until the directory shows what it must; a listing rests for a while after it was made.
func until(t *testing.T, d *jobs.Dir, q jobs.Query, ok func(jobs.Screen) bool) jobs.Screen {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range d.Wake(ctx) {
		s, err := d.Look(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		if ok(s) {
			return s
		}
	}
	t.Fatal("the directory was never seen as it is")
	return jobs.Screen{}
}

func TestDetailAndLog(t *testing.T) {
	dir, d := tree(t)
	failed(t, dir, "x.vmdk", old)
	path := filepath.Join(dir, queue.DirFailed, "2026-11-22", "x.vmdk")
	got, err := d.Detail(t.Context(), jobs.Ref{Path: path, Name: "x.vmdk"})
	if err != nil || got.Ended.Stage != "inspect" || got.Ended.Exception != "a\nb" || got.Job.Hint != "copy it" {
		t.Errorf("detail %+v, %v", got, err)
	}
	if _, err := d.Detail(t.Context(), jobs.Ref{Path: path + "2", Name: "x.vmdk2"}); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("a job that is not there: %v", err)
	}
	log := filepath.Join(dir, "log")
	put(t, "one\r\ntwo\rthree\n", log)
	l, err := d.Log(t.Context(), log, jobs.Log{})
	if err != nil || !slices.Equal(l.Lines, []string{"one", "two", "three"}) || l.Cut {
		t.Errorf("log %+v, %v", l, err)
	}
	put(t, strings.Repeat("a line of a long log\n", 1<<15)+"the end\n", log)
	l, err = d.Log(t.Context(), log, l)
	if err != nil || !l.Cut || l.Lines[len(l.Lines)-1] != "the end" || l.Lines[0] != "a line of a long log" || len(l.Lines) > 1<<14 {
		t.Errorf("long log: %d lines, first %q, %v", len(l.Lines), l.Lines[0], err)
	}
	if l, err := d.Log(t.Context(), filepath.Join(dir, "none"), jobs.Log{}); err != nil || l.Lines != nil {
		t.Errorf("no log: %+v, %v", l, err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if l, err := d.Log(t.Context(), filepath.Join(dir, "link"), jobs.Log{}); err == nil {
		t.Errorf("a link is followed: %q", l.Lines)
	}
}

func TestDoWithoutDaemon(t *testing.T) {
	_, d := tree(t)
	if _, err := d.Do(t.Context(), queue.VerbPause, jobs.Ref{}); !errors.Is(err, queue.ErrState) {
		t.Errorf("err = %v", err)
	}
}

// BenchmarkLook100k is a look at 100,000 queued jobs of which none changed.
func BenchmarkLook100k(b *testing.B) {
	dir, d := tree(b)
	for i := range 100_000 {
		put(b, "", dir, queue.DirQueued, fmt.Sprintf("disk%06d.vmdk", i))
	}
	if err := os.Chtimes(filepath.Join(dir, queue.DirQueued), old, old); err != nil {
		b.Fatal(err)
	}
	q := jobs.Query{Order: jobs.ByState, Rows: 50, Index: 50_000}
	for b.Loop() {
		if s, err := d.Look(b.Context(), q); err != nil || s.Total != 100_000 {
			b.Fatal(s.Total, err)
		}
	}
}
