package queue

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAbandonedSubmissions: what a killed client had begun to build goes, an hour later; what a living one builds stays however slowly it
// does, and so does everything that is no submission.
func TestAbandonedSubmissions(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	in := func(name string) string { return s.path(DirQueued, name) }
	for _, name := range []string{"file", "held-file"} {
		dropAt(t, in(submitPrefix+name), "half")
	}
	for _, name := range []string{"folder", "held-folder", "with-link"} {
		if err := os.Mkdir(in(submitPrefix+name), 0o770); err != nil {
			t.Fatal(err)
		}
		dropAt(t, filepath.Join(in(submitPrefix+name), "disk.vmdk"), "half")
	}
	if err := os.Symlink("/etc", filepath.Join(in(submitPrefix+"with-link"), "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(in(submitPrefix+"file"), in(submitPrefix+"link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(in(submitPrefix+"pipe"), 0o660); err != nil {
		t.Fatal(err)
	}
	dropAt(t, in(".rsync-part"), "theirs")
	for _, name := range []string{"held-file", "held-folder"} {
		f := holdSubmission(in(submitPrefix + name))
		if f == nil {
			t.Skip("SKIPPED: this file system has no locks, so that nothing is ever taken for abandoned")
		}
		t.Cleanup(func() { f.Close() })
	}
	all := func() (names []string) {
		entries, err := os.ReadDir(s.path(DirQueued))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, strings.TrimPrefix(e.Name(), submitPrefix))
		}
		return names
	}
	var building []string
	for _, name := range all() {
		if !strings.HasPrefix(name, ".") {
			building = append(building, submitPrefix+name)
		}
	}
	s.tidySubmissions(building, time.Now())
	if got := all(); len(got) != 8 {
		t.Errorf("what is new went; left are %q", got)
	}
	s.tidySubmissions(building, time.Now().Add(abandonedAfter+time.Minute))
	if got, want := strings.Join(all(), " "), "held-file held-folder link pipe with-link .rsync-part"; got != want {
		t.Errorf("left are %s, want %s", got, want)
	}
}

// TestKilledClientIsTidiedUp kills a client in the middle of a submission and lets the daemon's inbox find what it left.
func TestKilledClientIsTidiedUp(t *testing.T) {
	if dir := os.Getenv("H2K_TEST_SUBMIT_TO"); dir != "" {
		client, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Submit(t.Context(), []Source{{Name: "x.yaml", Content: os.Stdin}}, SubmitOptions{})
		t.Fatal("it was not killed", err)
	}
	now := time.Now()
	s := start(t, t.TempDir(), StartOptions{Clock: func() time.Time { return now }})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestKilledClientIsTidiedUp$")
	cmd.Env = append(os.Environ(), "H2K_TEST_SUBMIT_TO="+s.Dir())
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(stdin)
	if _, err := out.WriteString("input: "); err != nil || out.Flush() != nil {
		t.Fatal(err)
	}
	building := func() []string {
		names, err := filepath.Glob(s.path(DirQueued, submitPrefix+"*"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	eventually(t, "a client builds something", func() bool {
		names := building()
		if len(names) != 1 {
			return false
		}
		b, err := os.ReadFile(names[0])
		return err == nil && len(b) > 0
	})
	now = now.Add(2 * abandonedAfter)
	i, err := s.NewInbox(examine(nil), InboxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	i.scan(now)
	if len(building()) != 1 {
		t.Error("what a living client builds went")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	now = now.Add(tidyEvery)
	i.scan(now)
	if left := building(); len(left) != 0 {
		t.Errorf("%q is left of a killed client", left)
	}
}

// TestLeave: a request that nobody answers yet is kept for the daemon, and a priority is that of the file that has the name now.
func TestLeave(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, StartOptions{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	client, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	dropAt(t, client.path(DirQueued, "a.vmdk"), "a")
	for _, tt := range []struct {
		c    Control
		want error
	}{
		{Control{Verb: VerbPause}, nil},
		{Control{Verb: VerbPriority, Job: "a.vmdk", Priority: PriorityHigh}, nil},
		{Control{Verb: VerbPriority, Job: "nosuch", Priority: PriorityHigh}, ErrNotFound},
		{Control{Verb: VerbPriority, Job: "../processing", Priority: PriorityHigh}, ErrName},
		{Control{Verb: "nosuch"}, ErrState},
	} {
		if err := client.Leave(tt.c); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.c, err, tt.want)
		}
	}
	if left, err := client.Left(); err != nil || len(left) != 2 {
		t.Errorf("left are %+v, %v", left, err)
	}
	if err := client.SetPaused("no daemon"); !errors.Is(err, ErrState) {
		t.Errorf("a client paused the queue: %v", err)
	}
	if err := os.Rename(client.path(DirQueued, "a.vmdk"), client.path(DirQueued, "b.vmdk")); err != nil {
		t.Fatal(err)
	}
	dropAt(t, client.path(DirQueued, "a.vmdk"), "another")
	s = start(t, dir, StartOptions{})
	requests, err := s.Requests(t.Context())
	at := slices.IndexFunc(requests, func(r Request) bool { return r.Verb == VerbPriority }) // those of one millisecond have no order
	if err != nil || len(requests) != 2 || at < 0 {
		t.Fatal(requests, err)
	}
	if name, _, err := s.EntryOf(requests[at].Control); err != nil || name != "b.vmdk" {
		t.Errorf("the priority is of %q: %v", name, err)
	}
	if err := s.SetPaused("paused by a test"); err != nil {
		t.Fatal(err)
	}
	i, err := s.NewInbox(examine(nil), InboxOptions{})
	if err != nil || i.Snapshot().Paused != "paused by a test" {
		t.Errorf("the inbox is not paused: %v", err)
	}
}
