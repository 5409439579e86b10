package queue

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

func sumOf(s *Spool, kind string, of ...string) float64 {
	for _, t := range s.Tallies() {
		if t.Kind == kind && strings.Join(t.Of, " ") == strings.Join(of, " ") {
			return t.Sum
		}
	}
	return -1
}

// TestHowEntriesCameIsCounted: each way counts once, what comes back does not count again, and what a stranger writes into the attribute
// is no new way.
func TestHowEntriesCameIsCounted(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "w"), StartOptions{})
	claim := func(name string) *Claim {
		t.Helper()
		l, err := lookAt(s.path(DirQueued), name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Claim(t.Context(), Entry{Name: name, Path: s.path(DirQueued, name), Identity: l.id}, Need{Kind: "disk"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	drop(t, s, "a.raw", "a")
	c := claim("a.raw")
	if err := c.Requeue(t.Context(), "waits"); err != nil {
		t.Fatal(err)
	}
	c = claim("a.raw") // the same job
	if err := c.Fail(t.Context(), Outcome{Fields: map[string]any{"code": "H2K-IMG-001", "error": "bad"}}); err != nil {
		t.Fatal(err)
	}
	failed, err := s.Find(t.Context(), "a.raw")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Retry(t.Context(), failed); err != nil {
		t.Fatal(err)
	}
	claim("a.raw")
	drop(t, s, "b.raw", "b")
	attrs := unix.Lsetxattr(s.path(DirQueued, "b.raw"), viaAttr, []byte("evil\n"), 0) == nil
	claim("b.raw")
	for name, via := range map[string]string{"c.json": "", "d.json": ViaAPI, "e.json": ViaAPI} {
		if _, err := s.Submit(t.Context(), []Source{{Name: name, Content: strings.NewReader("{}")}}, SubmitOptions{Via: via}); err != nil {
			t.Fatal(err)
		}
		claim(name)
	}
	want := map[string]float64{ViaDrop: 2, ViaRetry: 1, ViaCLI: 1, ViaAPI: 2, ViaBatch: 0}
	if !attrs {
		t.Log("the file system has no extended attributes: what clients submit counts as dropped here")
		want = map[string]float64{ViaDrop: 5, ViaRetry: 1, ViaCLI: 0, ViaAPI: 0, ViaBatch: 0}
	}
	for via, n := range want {
		if got := sumOf(s, TallySubmitted, via); got != n {
			t.Errorf("%v entries came by %s, want %v", got, via, n)
		}
	}
}

func TestEventsAndScansAreCounted(t *testing.T) {
	s := start(t, filepath.Join(t.TempDir(), "w"), StartOptions{})
	i, err := s.NewInbox(examine(nil), InboxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := newWatch(s.path(DirQueued), s.log, nil)
	t.Cleanup(w.close)
	i.watch = w
	now := i.clock()
	step := func(want string) {
		t.Helper()
		before := sumOf(s, TallyRescans, want)
		i.step(t.Context())
		if got := sumOf(s, TallyRescans, want); got != before+1 {
			t.Errorf("%v scans for %q, want %v", got, want, before+1)
		}
	}
	step(rescanStart)
	i.scanning.last = now
	w.event(i, fsnotify.Event{Name: s.path(DirQueued, "x"), Op: fsnotify.Create | fsnotify.Chmod}, true)
	w.event(i, fsnotify.Event{Name: s.path(DirQueued, "x"), Op: fsnotify.Remove}, true)
	w.failed(i, fsnotify.ErrEventOverflow, true)
	step(rescanOverflow)
	w.failed(i, os.ErrClosed, true)
	step(rescanWatch)
	i.hinted(nil)
	step(rescanJob)
	for op, n := range map[string]float64{"create": 1, "chmod": 1, "remove": 1, "write": 0, "rename": 0} {
		if got := sumOf(s, TallyWatchEvents, op); got != n {
			t.Errorf("%v events %s, want %v", got, op, n)
		}
	}
	if got := sumOf(s, TallyOverflows); got != 1 {
		t.Errorf("%v overflows, want 1", got)
	}
}
