package queue

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// examine is an Intake made of a function; nil makes every entry a disk.
type examine func(Entry) Need

func (f examine) Examine(_ context.Context, e Entry) (Need, error) {
	if f == nil {
		return Need{Kind: "disk"}, nil
	}
	return f(e), nil
}

func start(tb testing.TB, dir string, o StartOptions) *Spool {
	tb.Helper()
	s, err := Start(dir, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// drop puts a file into the drop zone as a rename would: complete, and older than its inode's change.
func drop(tb testing.TB, s *Spool, name, content string) {
	tb.Helper()
	dropAt(tb, s.path(DirQueued, name), content)
}

func dropAt(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		tb.Fatal(err)
	}
	age(tb, path)
}

func age(tb testing.TB, path string) {
	tb.Helper()
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		tb.Fatal(err)
	}
}

func entryOf(t *testing.T, s *Spool, name string) Entry {
	t.Helper()
	l, err := lookAt(s.path(DirQueued), name)
	if err != nil {
		t.Fatal(err)
	}
	return Entry{Name: name, Path: s.path(DirQueued, name), Dir: l.dir, Identity: l.id, Files: l.files}
}

func claimName(t *testing.T, s *Spool, name string, need Need) *Claim {
	t.Helper()
	c, err := s.Claim(t.Context(), entryOf(t, s, name), need)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tree lists what stands below a directory: names, with content where it is short, without what differs from run to run.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		b, err := os.ReadFile(path)
		all[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantFile(t *testing.T, path, content string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != content {
		t.Fatalf("%s holds %q, want %q", path, b, content)
	}
}

func wantGone(t *testing.T, path string) {
	t.Helper()
	if exists(path) {
		t.Fatalf("%s is still there", path)
	}
}

func fields(t *testing.T, path string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// build makes the output that a job would.
func build(t *testing.T, c *Claim, out, vm string) string {
	t.Helper()
	partial, err := c.Partial(t.Context(), out)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(partial, vm+".qcow2"), []byte("image of "+c.Record().OriginalName), 0o644); err != nil {
		t.Fatal(err)
	}
	dir, err := c.Place(t.Context(), out, vm)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDoneKeepsSourceAndPublishesOutput(t *testing.T) {
	s, out := start(t, t.TempDir(), StartOptions{}), t.TempDir()
	drop(t, s, "vm1.vmdk", "source")
	c := claimName(t, s, "vm1.vmdk", Need{Kind: "disk"})
	if err := c.Running(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.Files()["vm1.vmdk"]; got != s.path(DirRunning, "vm1.vmdk") {
		t.Fatalf("file is at %q", got)
	}
	if _, err := c.Log().Write([]byte("hello \x1b[31m\n")); err != nil {
		t.Fatal(err)
	}
	dir := build(t, c, out, "vm1")
	wantGone(t, dir)
	if err := c.Done(t.Context(), Outcome{Fields: map[string]any{"warnings": []string{"w"}, "id": "forged"}}); err != nil {
		t.Fatal(err)
	}
	r := c.Record()
	today := s.path(DirDone, r.Date)
	wantFile(t, filepath.Join(today, "vm1.vmdk"), "source")
	wantFile(t, filepath.Join(dir, "vm1.qcow2"), "image of vm1.vmdk")
	wantFile(t, s.own("logs", r.Date, r.ID+".log"), "hello \\x1b[31m\n")
	wantGone(t, s.jobPath(r.ID))
	wantGone(t, filepath.Join(out, partialDir, r.ID))
	m := fields(t, filepath.Join(today, "vm1.vmdk.meta.json"))
	for key, want := range map[string]any{
		"id": r.ID, "job_id": "vm1", "original_name": "vm1.vmdk", "status": "success", "kind": "disk", "output_dir": dir, "schema": 1.0,
	} {
		if m[key] != want {
			t.Errorf("meta %s = %v, want %v", key, m[key], want)
		}
	}
	j, err := s.Find(t.Context(), "vm1")
	if err != nil || j.ID != r.ID || j.State != Done || j.Warnings != 1 || j.Record == nil || j.LogPath == "" {
		t.Errorf("find: %+v, %v", j, err)
	}
	if err := c.Done(t.Context(), Outcome{}); !errors.Is(err, ErrState) {
		t.Errorf("a second Done: %v", err)
	}
}

func TestFailKeepsSourceAndDropsOutput(t *testing.T) {
	s, out := start(t, t.TempDir(), StartOptions{}), t.TempDir()
	drop(t, s, "vm2.vhd", "source")
	c := claimName(t, s, "vm2.vhd", Need{Kind: "disk"})
	build(t, c, out, "vm2")
	if err := c.Fail(t.Context(), Outcome{Fields: map[string]any{"code": "H2K-SRC-004", "error": "cut short"}}); err != nil {
		t.Fatal(err)
	}
	day := s.path(DirFailed, c.Record().Date)
	wantFile(t, filepath.Join(day, "vm2.vhd"), "source")
	if left := tree(t, out); len(left) != 0 {
		t.Errorf("output left: %v", left)
	}
	j, err := s.Find(t.Context(), "vm2")
	if err != nil || j.State != Failed || j.Code != "H2K-SRC-004" || j.Reason != "cut short" {
		t.Fatalf("find: %+v, %v", j, err)
	}
	name, err := s.Retry(t.Context(), j)
	if err != nil || name != "vm2.vhd" {
		t.Fatal(name, err)
	}
	wantFile(t, s.path(DirQueued, "vm2.vhd"), "source")
	if !exists(filepath.Join(day, "vm2.vhd.error.1.json")) || exists(filepath.Join(day, "vm2.vhd.error.json")) {
		t.Error("the old error.json was not kept as history")
	}
	if c, err := s.Count(t.Context()); err != nil || c.FailedToday != 0 || c.Queued != 1 {
		t.Error(c, err)
	}
}

func TestMembersTravelTogether(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	for _, end := range []string{"requeue", "fail", "done"} {
		for _, name := range []string{"vm.yaml", "a.vmdk", "b.vmdk"} {
			drop(t, s, name, name+end)
		}
		c := claimName(t, s, "vm.yaml", Need{Kind: "manifest", Members: []string{"a.vmdk", "b.vmdk"}})
		if len(c.Files()) != 3 {
			t.Fatal(c.Files())
		}
		wantFile(t, c.Files()["b.vmdk"], "b.vmdk"+end)
		if left := tree(t, s.path(DirQueued)); len(left) != 0 {
			t.Fatal(left)
		}
		switch end {
		case "requeue":
			if err := c.Requeue(t.Context(), "test"); err != nil {
				t.Fatal(err)
			}
			wantFile(t, s.path(DirQueued, "a.vmdk"), "a.vmdkrequeue")
			wantFile(t, s.path(DirQueued, "vm.yaml"), "vm.yamlrequeue")
			again := claimName(t, s, "vm.yaml", Need{Kind: "manifest", Members: []string{"a.vmdk", "b.vmdk"}})
			if again.Record().ID != c.Record().ID {
				t.Error("a job that was put back got another id")
			}
			if err := again.Fail(t.Context(), Outcome{}); err != nil {
				t.Fatal(err)
			}
		case "fail":
			if err := c.Fail(t.Context(), Outcome{}); err != nil {
				t.Fatal(err)
			}
			r := c.Record()
			if r.FinalName != "vm~2.job" {
				t.Error(r.FinalName)
			}
			want := map[string]string{"vm.yaml": "vm.yamlfail", "a.vmdk": "a.vmdkfail", "b.vmdk": "b.vmdkfail"}
			if got := tree(t, s.path(DirFailed, r.Date, r.FinalName)); !equalTrees(got, want) {
				t.Errorf("%v", got)
			}
		case "done":
			if err := c.Done(t.Context(), Outcome{}); err != nil {
				t.Fatal(err)
			}
		}
		if left := tree(t, s.path(DirRunning)); len(left) != 0 {
			t.Fatal(left)
		}
	}
}

func equalTrees(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

func TestSameNameTwice(t *testing.T) {
	s, out := start(t, t.TempDir(), StartOptions{}), t.TempDir()
	drop(t, s, "x.vmdk", "one")
	one := claimName(t, s, "x.vmdk", Need{Kind: "disk"})
	drop(t, s, "x.vmdk", "two")
	two := claimName(t, s, "x.vmdk", Need{Kind: "disk"})
	if two.Record().Entry != "x~2.vmdk" || two.Files()["x.vmdk"] != s.path(DirRunning, "x~2.vmdk") {
		t.Fatal(two.Record().Entry, two.Files())
	}
	if a, b := build(t, one, out, "x"), build(t, two, out, "x"); a == b || !strings.HasSuffix(b, "x~2") {
		t.Fatal(a, b)
	}
	for _, c := range []*Claim{two, one} {
		if err := c.Done(t.Context(), Outcome{}); err != nil {
			t.Fatal(err)
		}
	}
	day := s.path(DirDone, one.Record().Date)
	wantFile(t, filepath.Join(day, "x.vmdk"), "two")
	wantFile(t, filepath.Join(day, "x~2.vmdk"), "one")
	if recordID(filepath.Join(day, "x~2.vmdk.meta.json")) != one.Record().ID {
		t.Error("record and source do not belong together")
	}
}

func TestChangedSourceIsNotDone(t *testing.T) {
	s, out := start(t, t.TempDir(), StartOptions{}), t.TempDir()
	drop(t, s, "x.vmdk", "one")
	c := claimName(t, s, "x.vmdk", Need{})
	dir := build(t, c, out, "x")
	dropAt(t, c.Path(), "two") // same size, same mtime: only the ctime tells
	if err := c.Done(t.Context(), Outcome{}); !errors.Is(err, ErrChanged) {
		t.Fatal(err)
	}
	wantGone(t, dir)
	if err := c.Fail(t.Context(), Outcome{}); err != nil {
		t.Fatal(err)
	}
}

func TestStrangerTakesOutput(t *testing.T) {
	s, out := start(t, t.TempDir(), StartOptions{}), t.TempDir()
	drop(t, s, "x.vmdk", "one")
	c := claimName(t, s, "x.vmdk", Need{})
	dir := build(t, c, out, "x")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.Done(t.Context(), Outcome{}); !errors.Is(err, ErrExists) {
		t.Fatal(err)
	}
	if err := c.Fail(t.Context(), Outcome{Fields: map[string]any{"code": "H2K-OUT-001"}}); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 || !exists(dir) {
		t.Error("the stranger's directory was touched")
	}
}

func TestLockAndLayout(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, StartOptions{})
	_, err := Start(dir, StartOptions{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "process") {
		t.Fatal(err)
	}
	if err := s.WriteStatus(Status{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	client, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, live, err := client.Status(); live != LiveRunning || err != nil {
		t.Fatal(live, err)
	}
	if err := s.WriteStatus(Status{At: time.Now().Add(-time.Minute)}); err != nil {
		t.Fatal(err)
	}
	if _, live, _ := client.Status(); live != LiveHung {
		t.Fatal(live)
	}
	s.Close()
	if _, live, _ := client.Status(); live != LiveNotRunning {
		t.Fatal(live)
	}
	for name, mode := range map[string]os.FileMode{
		DirQueued: modeOpen, DirDone: modeDir, DirOwn: modeDir, DirOwn + "/control": modeOpen, DirOwn + "/jobs": modeDir,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode()&^os.ModeDir != mode {
			t.Errorf("%s has mode %v, want %v (%v)", name, info.Mode(), mode, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, DirOwn, "layout.json"), []byte(`{"version":2}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(dir, StartOptions{}); !errors.Is(err, ErrLayout) {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "nothing")); !errors.Is(err, ErrLayout) {
		t.Fatal(err)
	}
}

func TestRenamedTreeIsNotWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w")
	s, out := start(t, dir, StartOptions{}), t.TempDir()
	drop(t, s, "x.vmdk", "one")
	c := claimName(t, s, "x.vmdk", Need{})
	build(t, c, out, "x")
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	other, err := Start(dir, StartOptions{}) // another tree under the old name
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	before := tree(t, dir)
	if err := c.Done(t.Context(), Outcome{}); !errors.Is(err, ErrLayout) {
		t.Fatal(err)
	}
	if !equalTrees(before, tree(t, dir)) {
		t.Error("the other tree was written to")
	}
}
