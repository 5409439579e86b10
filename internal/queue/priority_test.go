package queue

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// inOrder claims n entries and says which.
func inOrder(t *testing.T, i *Inbox, n int) string {
	t.Helper()
	var got []string
	for range n {
		got = append(got, next(t, i).Record().OriginalName)
	}
	return strings.Join(got, " ")
}

func dropInTurn(t *testing.T, s *Spool, names ...string) {
	t.Helper()
	for _, name := range names {
		drop(t, s, name, "disk")
		waitForClock(t, s)
	}
}

func setPriority(t *testing.T, s *Spool, name string, priority int) {
	t.Helper()
	if err := s.SetPriority(name, priority); err != nil {
		t.Fatal(err)
	}
}

func TestHigherPriorityFirst(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	dropInTurn(t, s, "a", "b", "c", "d")
	i := inbox(t, s, names(t), InboxOptions{})
	if err := i.Pause("so that all are known"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all are ready", func() bool { return i.Snapshot().Counts.Queued == 4 })
	setPriority(t, s, "a", PriorityLow)
	setPriority(t, s, "d", PriorityHigh)
	setPriority(t, s, "c", PriorityHigh)
	eventually(t, "the order is the new one", func() bool {
		var first string
		i.call(func() { first = i.runnable[0].name })
		return first == "c"
	})
	if err := i.Resume(); err != nil {
		t.Fatal(err)
	}
	if got := inOrder(t, i, 4); got != "c d b a" {
		t.Error(got)
	}
}

func TestPriorityOutlivesRestartAndRequeue(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	dropInTurn(t, s, "a", "b", "c")
	setPriority(t, s, "c", PriorityHigh)
	setPriority(t, s, "b", PriorityFirst)
	s.Close()
	s = start(t, s.dir, StartOptions{})
	i := inbox(t, s, names(t), InboxOptions{})
	c := next(t, i)
	if r := c.Record(); r.OriginalName != "b" || r.Priority != PriorityFirst {
		t.Fatalf("%+v", r)
	}
	if err := i.Pause("until it is back"); err != nil {
		t.Fatal(err)
	}
	if err := c.Requeue(t.Context(), "a test"); err != nil {
		t.Fatal(err)
	}
	s.tidy(s.clock())
	eventually(t, "it is back", func() bool { return i.Snapshot().Counts.Queued == 3 })
	if err := i.Resume(); err != nil {
		t.Fatal(err)
	}
	if got := inOrder(t, i, 3); got != "b c a" {
		t.Error(got)
	}
}

func TestPriorityIsShownAndEndsWithTheJob(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	dropInTurn(t, s, "a.vmdk", "b.vmdk")
	setPriority(t, s, "a.vmdk", PriorityHigh)
	client, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	shown := func(key string) int {
		t.Helper()
		j, err := client.Find(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return j.Priority
	}
	if a, b := shown("a.vmdk"), shown("b.vmdk"); a != PriorityHigh || b != 0 {
		t.Error("queued:", a, b)
	}
	for j, err := range client.Jobs(t.Context(), Filter{Name: "a.vmdk"}) {
		if err != nil || j.Priority != PriorityHigh {
			t.Error("listed:", j, err)
		}
	}
	c := claimName(t, s, "a.vmdk", Need{Kind: "disk"})
	if p := shown("a.vmdk"); p != PriorityHigh {
		t.Error("running:", p)
	}
	if err := c.Fail(t.Context(), Outcome{Fields: map[string]any{"error": "a test"}}); err != nil {
		t.Fatal(err)
	}
	if p := shown("a.vmdk"); p != PriorityHigh {
		t.Error("failed:", p)
	}
	s.tidy(s.clock())
	if left, err := dirNames(s.own("priorities"), 10); err != nil || len(left) > 0 {
		t.Error("kept for a job that ended:", left, err)
	}
	j, err := s.Find(t.Context(), "a.vmdk")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Retry(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if p := shown("a.vmdk"); p != PriorityHigh {
		t.Error("tried again:", p)
	}
	setPriority(t, s, "a.vmdk", PriorityNormal)
	if p := shown("a.vmdk"); p != 0 {
		t.Error("normal again:", p)
	}
}

// The next file may get the inode of one that is gone; it is another file.
func TestPriorityIsOfOneFile(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "a.vmdk", "disk")
	setPriority(t, s, "a.vmdk", PriorityHigh)
	if err := os.WriteFile(s.path(DirQueued, "a.vmdk"), []byte("another disk"), 0o644); err != nil {
		t.Fatal(err)
	}
	if p := s.priorityOf(entryOf(t, s, "a.vmdk").Identity); p != PriorityNormal {
		t.Error("the daemon's:", p)
	}
	if j, err := s.Find(t.Context(), "a.vmdk"); err != nil || j.Priority != 0 {
		t.Error("the client's:", j.Priority, err)
	}
}

func TestPartsHaveThePriorityOfTheirBatch(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "wave.yaml", "vms:")
	setPriority(t, s, "wave.yaml", PriorityLow)
	c := claimName(t, s, "wave.yaml", Need{Kind: "batch", Parts: []Part{{Name: "one.yaml", Content: []byte("1")}}})
	if err := c.Split(t.Context(), c.Need().Parts); err != nil {
		t.Fatal(err)
	}
	if j, err := s.Find(t.Context(), "one.yaml"); err != nil || j.Priority != PriorityLow {
		t.Error(j, err)
	}
}

// answerPriorities is the daemon's side of a request, once one is there.
func answerPriorities(t *testing.T, s *Spool) (name string) {
	t.Helper()
	var all []Request
	eventually(t, "a request", func() bool {
		var err error
		if all, err = s.Requests(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(all) > 0
	})
	for _, r := range all {
		name, owner, err := s.EntryOf(r.Control)
		if err != nil || owner != uint32(os.Getuid()) || r.UID != owner {
			t.Error(name, owner, err)
		}
		if err := s.SetPriority(name, r.Priority); err != nil {
			t.Error(err)
		}
		if err := r.Answer(Reply{OK: true}); err != nil {
			t.Error(err)
		}
	}
	return all[0].Job
}

func TestSubmitWithPriority(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	if err := s.WriteStatus(Status{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"a.vmdk", "b.vmdk"} {
		dropAt(t, filepath.Join(dir, name), "disk of "+name)
	}
	submit := func(files ...Source) error {
		client, err := Open(s.Dir())
		if err != nil {
			return err
		}
		_, err = client.Submit(t.Context(), files, SubmitOptions{Priority: PriorityHigh})
		return err
	}
	done := make(chan error, 1)
	go func() { done <- submit(Source{Path: filepath.Join(dir, "a.vmdk")}) }()
	if asked := answerPriorities(t, s); !hidden(asked) {
		t.Errorf("%q could have been claimed before it had its priority", asked)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if j, err := s.Find(t.Context(), "a.vmdk"); err != nil || j.Priority != PriorityHigh {
		t.Error(j, err)
	}

	s.Close() // without a daemon, what is asked waits for it
	if err := submit(Source{Path: filepath.Join(dir, "a.vmdk")}, Source{Path: filepath.Join(dir, "b.vmdk")}); err != nil {
		t.Fatal(err)
	}
	s = start(t, s.dir, StartOptions{})
	if asked := answerPriorities(t, s); !hidden(asked) {
		t.Error(asked)
	}
	if p := claimName(t, s, "a.job", Need{}).Record().Priority; p != PriorityHigh {
		t.Error("submitted while no daemon ran:", p)
	}
}

func TestRefusedPrioritySubmitsNothing(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	if err := s.WriteStatus(Status{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	client, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := client.Submit(t.Context(), []Source{{Name: "a.yaml", Content: strings.NewReader("a")}}, SubmitOptions{Priority: PriorityHigh})
		done <- err
	}()
	eventually(t, "a request", func() bool {
		all, err := s.Requests(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			if err := r.Answer(Refused(ErrDenied)); err != nil {
				t.Error(err)
			}
		}
		return len(all) > 0
	})
	if err := <-done; !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
	if left, err := dirNames(s.path(DirQueued), 10); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

func TestWhatHasNoPriority(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "a.vmdk", "disk")
	if err := os.Symlink("a.vmdk", s.path(DirQueued, "link")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		priority int
		want     error
	}{
		{"missing", PriorityHigh, ErrNotFound},
		{"link", PriorityHigh, ErrState},
		{"a.vmdk", 0, ErrName},
		{"a.vmdk", PriorityFirst + 1, ErrName},
	} {
		if err := s.SetPriority(c.name, c.priority); !errors.Is(err, c.want) {
			t.Errorf("%s %d: %v", c.name, c.priority, err)
		}
	}
	if _, _, err := s.EntryOf(Control{Job: "../a.vmdk", Ino: 1}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := os.WriteFile(s.own("priorities", "12.json"), []byte(`{"ino":13,"priority":75}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if s.Close(); len(start(t, s.dir, StartOptions{}).priorities) != 0 {
		t.Error("believed what stands under another name")
	}
}

func TestParsePriority(t *testing.T) {
	for text, want := range map[string]int{"high": PriorityHigh, "Normal": PriorityNormal, "low": PriorityLow, "1": 1, "100": 100, "50": 50} {
		if n, err := ParsePriority(text); err != nil || n != want {
			t.Error(text, n, err)
		}
	}
	for _, text := range []string{"", "0", "101", "-1", "urgent", "7.5"} {
		if _, err := ParsePriority(text); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", text, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(PriorityLast, PriorityFirst).Draw(t, "priority")
		if back, err := ParsePriority(PriorityText(n)); err != nil || back != n {
			t.Error(n, PriorityText(n), back, err)
		}
	})
}
