package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inbox runs an inbox until the test ends.
func inbox(t *testing.T, s *Spool, in Intake, o InboxOptions) *Inbox {
	t.Helper()
	if o.Settle == 0 {
		o.Settle = 50 * time.Millisecond
	}
	i, err := s.NewInbox(in, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return i
}

// eventually waits for a state that has no event of its own.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func next(t *testing.T, i *Inbox) *Claim {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := i.Next(ctx)
	if err != nil {
		t.Fatalf("nothing to claim: %v; held: %+v", err, i.Snapshot().Held)
	}
	return c
}

// nothing proves that nothing is handed out while the inbox looks at the drop zone several times.
func nothing(t *testing.T, i *Inbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if c, err := i.Next(ctx); err == nil {
		t.Fatalf("%q was handed out", c.Record().OriginalName)
	}
}

func held(i *Inbox, name string) (State, string) {
	for _, h := range i.Snapshot().Held {
		if h.Name == name {
			return h.State, h.Reason
		}
	}
	return "", ""
}

func waitHeld(t *testing.T, i *Inbox, name string, state State, reason string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s %s: %s; held: %+v", name, state, reason, i.Snapshot().Held), func() bool {
		s, r := held(i, name)
		return s == state && strings.Contains(r, reason)
	})
}

// names is an Intake by file content: "kind" or "kind a b" for an entry that names a and b, "batch x y" for one that splits.
func names(t *testing.T) Intake {
	t.Helper()
	return examine(func(e Entry) Need {
		if e.Dir {
			return Need{Kind: "folder"}
		}
		b, err := os.ReadFile(e.Path)
		if err != nil {
			return Need{Wait: err.Error()}
		}
		f := strings.Fields(string(b))
		if len(f) == 0 {
			return Need{Ignore: "nothing in it"}
		}
		switch f[0] {
		case "batch":
			n := Need{Kind: "manifest"}
			for _, p := range f[1:] {
				n.Parts = append(n.Parts, Part{p + ".yaml", []byte("manifest " + p + ".vmdk")})
				n.Members = append(n.Members, p+".vmdk")
			}
			return n
		case "hold":
			return Need{Kind: "disk", Hold: "beside x.vmdk"}
		case "wait":
			return Need{Kind: "disk", Wait: "cut short"}
		case "ignore":
			return Need{Ignore: "not a disk"}
		case "refuse":
			return Need{Kind: "disk", Refuse: map[string]any{"code": "H2K-SRC-006", "error": "unknown"}}
		}
		return Need{Kind: f[0], Members: f[1:]}
	})
}

func TestReadyDiskStartsAtOnce(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	i := inbox(t, s, names(t), InboxOptions{Settle: time.Minute, Rescan: time.Hour})
	dropAt(t, filepath.Join(s.dir, "x.vmdk"), "disk")
	if err := os.Rename(filepath.Join(s.dir, "x.vmdk"), s.path(DirQueued, "x.vmdk")); err != nil {
		t.Fatal(err)
	}
	if c := next(t, i); c.Record().OriginalName != "x.vmdk" || c.Need().Kind != "disk" {
		t.Fatalf("%+v", c.Record())
	}
}

func TestDiskWaitsForADocumentThatArrivesWithIt(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	doc, err := os.Create(s.path(DirQueued, "x.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	isDocument := func(name string) bool { return filepath.Ext(name) == ".yaml" }
	i := inbox(t, s, names(t), InboxOptions{Settle: 50 * time.Millisecond, Rescan: time.Hour, Names: isDocument})
	dropAt(t, filepath.Join(s.dir, "x.vmdk"), "disk")
	if err := os.Rename(filepath.Join(s.dir, "x.vmdk"), s.path(DirQueued, "x.vmdk")); err != nil {
		t.Fatal(err)
	}
	waitHeld(t, i, "x.vmdk", Waiting, "arriving and may name it")
	if _, err := doc.WriteString("manifest x.vmdk"); err != nil {
		t.Fatal(err)
	}
	doc.Close()
	if c := next(t, i); c.Record().OriginalName != "x.yaml" || len(c.Record().Members) != 2 {
		t.Fatalf("%+v", c.Record())
	}
}

func TestDiskDoesNotWaitForADocumentForEver(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	doc, err := os.Create(s.path(DirQueued, "x.yaml")) // an editor keeps it open
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	i := inbox(t, s, names(t), InboxOptions{Settle: 50 * time.Millisecond, Rescan: time.Hour, Names: func(n string) bool { return n == "x.yaml" }})
	dropAt(t, s.path(DirQueued, "y.vmdk"), "disk")
	if c := next(t, i); c.Record().OriginalName != "y.vmdk" {
		t.Fatalf("%+v", c.Record())
	}
}

// A run that is to end by itself stays for a disk that will soon have waited long enough for a document which never becomes ready.
func TestNothingIsSettledWhileADiskWaitsForADocument(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	dropAt(t, filepath.Join(s.dir, "x.yaml"), "manifest") // as btrfs leaves a rename whose end a power cut took
	if err := os.Link(filepath.Join(s.dir, "x.yaml"), s.path(DirQueued, "x.yaml")); err != nil {
		t.Fatal(err)
	}
	dropAt(t, s.path(DirQueued, "y.vmdk"), "disk")
	i := inbox(t, s, names(t), InboxOptions{Settle: 50 * time.Millisecond, Names: func(n string) bool { return n == "x.yaml" }})
	claimed := make(chan *Claim, 1)
	go func() {
		c, _ := i.Next(t.Context())
		claimed <- c
	}()
	select {
	case <-i.Settled():
		t.Errorf("it is settled, with %+v", i.Snapshot().Held)
	case c := <-claimed:
		if c == nil || c.Record().OriginalName != "y.vmdk" {
			t.Errorf("claimed %+v", c)
		}
	}
}

func TestCopiedFileSettlesFirst(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	i := inbox(t, s, names(t), InboxOptions{Settle: time.Hour})
	if err := os.WriteFile(s.path(DirQueued, "x.vmdk"), []byte("disk"), 0o644); err != nil {
		t.Fatal(err)
	}
	waitHeld(t, i, "x.vmdk", Waiting, "arriving")
	nothing(t, i)
}

func TestOpenWriterIsSeen(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	i := inbox(t, s, names(t), InboxOptions{})
	path := s.path(DirQueued, "x.vmdk")
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("disk"); err != nil {
		t.Fatal(err)
	}
	age(t, path) // a paused writer: by time alone the file would be ready
	waitHeld(t, i, "x.vmdk", Waiting, "being written")
	nothing(t, i)
	w.Close()
	if c := next(t, i); c.Record().OriginalName != "x.vmdk" {
		t.Fatal(c.Record())
	}
}

func TestMappedWriterIsSeen(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	path := s.path(DirQueued, "x.vmdk")
	dropAt(t, path, strings.Repeat("x", 4096))
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(int(w.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if got, err := probeWriter(path); got != leaseBusy {
		t.Error(got, err)
	}
	if err := unix.Munmap(m); err != nil {
		t.Fatal(err)
	}
	if got, err := probeWriter(path); got != leaseFree {
		t.Error(got, err)
	}
}

func TestWhatIsNoFile(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	q := func(name string) string { return s.path(DirQueued, name) }
	outside := filepath.Join(t.TempDir(), "secret")
	dropAt(t, outside, "disk")
	for _, err := range []error{
		unix.Mkfifo(q("pipe.vmdk"), 0o666), os.Symlink(outside, q("link.vmdk")), os.Link(outside, q("hard.vmdk")),
		os.Mkdir(q("folder"), 0o755), os.Symlink(outside, q("folder/disk.vmdk")), os.WriteFile(q("empty.vmdk"), nil, 0o644),
		os.Mkdir(q("void"), 0o755), os.Mkdir(q("half"), 0o755), os.WriteFile(q("half/a.vmdk.part"), []byte("x"), 0o644),
		os.WriteFile(q("x.vmdk.part"), []byte("x"), 0o644), os.WriteFile(q("x.vmdk.meta.json"), []byte("{}"), 0o644),
		os.WriteFile(q(".x.vmdk.AbC123"), []byte("x"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	drop(t, s, "notes.txt", "ignore")
	i := inbox(t, s, names(t), InboxOptions{})
	for name, want := range map[string]struct {
		state  State
		reason string
	}{
		"pipe.vmdk": {Ignored, "named pipe"}, "link.vmdk": {Ignored, "symbolic link"}, "hard.vmdk": {Waiting, "2 hard links"},
		"folder": {Waiting, "symbolic link"}, "empty.vmdk": {Waiting, "empty"}, "void": {Waiting, "empty folder"},
		"half": {Waiting, "unfinished"}, "x.vmdk.part": {Ignored, "unfinished"}, "x.vmdk.meta.json": {Ignored, "record of the queue"},
		"notes.txt": {Ignored, "not a disk"},
	} {
		waitHeld(t, i, name, want.state, want.reason)
	}
	nothing(t, i)
	<-i.Settled()
	if c := i.Snapshot().Counts; c.Queued != 0 || c.Waiting != 5 || c.Ignored != 5 {
		t.Errorf("%+v", c)
	}
	if err := os.Remove(outside); err != nil { // now the entry is the only name
		t.Fatal(err)
	}
	if c := next(t, i); c.Record().OriginalName != "hard.vmdk" {
		t.Fatal(c.Record())
	}
}

func TestNamedFilesGoTogether(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "a.vmdk", "disk a-flat.vmdk")
	drop(t, s, "a-flat.vmdk", "disk")
	drop(t, s, "vm.yaml", "manifest a.vmdk")
	drop(t, s, "lone.vmdk", "disk")
	i := inbox(t, s, names(t), InboxOptions{})
	got := map[string]int{}
	for range 2 {
		c := next(t, i)
		got[c.Record().OriginalName] = len(c.Files())
	}
	if got["vm.yaml"] != 3 || got["lone.vmdk"] != 1 {
		t.Fatal(got)
	}
}

func TestMissingFileIsWaitedFor(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	i := inbox(t, s, names(t), InboxOptions{})
	drop(t, s, "vm.yaml", "manifest a.vmdk")
	waitHeld(t, i, "vm.yaml", Waiting, `missing "a.vmdk"`)
	nothing(t, i)
	drop(t, s, "a.vmdk", "disk")
	if c := next(t, i); len(c.Files()) != 2 {
		t.Fatal(c.Files())
	}
}

func TestMissingFileTimesOut(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	inbox(t, s, names(t), InboxOptions{MissingTimeout: 10 * time.Millisecond})
	drop(t, s, "vm.yaml", "manifest a.vmdk b.vmdk")
	drop(t, s, "b.vmdk", "disk")
	var j Job
	eventually(t, "vm.yaml fails", func() bool {
		var err error
		j, err = s.Find(t.Context(), "vm")
		return err == nil && j.State == Failed
	})
	if j.Code != codeMissing || !strings.Contains(j.Reason, "a.vmdk") {
		t.Errorf("%+v", j)
	}
	if !exists(filepath.Join(j.Path, "b.vmdk")) {
		t.Error("the file that was there did not go along")
	}
}

func TestLateManifestCallsTheDiskBack(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	recalled := make(chan string, 10)
	i := inbox(t, s, names(t), InboxOptions{Recall: func(id string) { recalled <- id }})
	drop(t, s, "a.vmdk", "disk")
	c := next(t, i)
	drop(t, s, "vm.yaml", "manifest a.vmdk")
	if id := <-recalled; id != c.Record().ID {
		t.Fatal(id)
	}
	waitHeld(t, i, "vm.yaml", Waiting, "takes")
	if err := c.Requeue(t.Context(), "named by vm.yaml"); err != nil {
		t.Fatal(err)
	}
	if c := next(t, i); len(c.Files()) != 2 || c.Record().OriginalName != "vm.yaml" {
		t.Fatal(c.Files())
	}
	if len(recalled) > 0 {
		t.Error("called back twice")
	}
}

func TestTwoManifestsNameOneDisk(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "one.yaml", "manifest a.vmdk")
	drop(t, s, "two.yaml", "manifest a.vmdk")
	drop(t, s, "a.vmdk", "disk")
	i := inbox(t, s, names(t), InboxOptions{})
	waitHeld(t, i, "two.yaml", Waiting, `belongs to "one.yaml"`)
	c := next(t, i)
	if c.Record().OriginalName != "one.yaml" {
		t.Fatal(c.Record())
	}
	waitHeld(t, i, "two.yaml", Waiting, "is with the job")
	if err := c.Done(t.Context(), Outcome{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "two.yaml fails", func() bool {
		j, err := s.Find(t.Context(), "two")
		return err == nil && j.State == Failed && j.Code == codeMissing
	})
}

func TestTwoThatNameEachOther(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "a.vmx", "vmx b.ovf a.vmx")
	drop(t, s, "b.ovf", "ovf a.vmx")
	i := inbox(t, s, names(t), InboxOptions{})
	if c := next(t, i); c.Record().OriginalName != "a.vmx" || len(c.Files()) != 2 {
		t.Fatal(c.Record(), c.Files())
	}
}

func TestHoldWaitRefuse(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "x_1.vmdk", "hold")
	drop(t, s, "short.vmdk", "wait")
	drop(t, s, "strange.bin", "refuse")
	drop(t, s, "bad\x1bname.vmdk", "disk")
	i := inbox(t, s, names(t), InboxOptions{})
	waitHeld(t, i, "x_1.vmdk", Waiting, "beside")
	waitHeld(t, i, "short.vmdk", Waiting, "cut short")
	for _, name := range []string{"strange", "bad\x1bname.vmdk"} {
		eventually(t, name+" is refused", func() bool {
			j, err := s.Find(t.Context(), name)
			return err == nil && j.State == Failed && j.Code != ""
		})
	}
	if err := i.Release("short.vmdk"); !errors.Is(err, ErrState) {
		t.Error(err)
	}
	if err := i.Release("nothing"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := i.Release("x_1.vmdk"); err != nil {
		t.Fatal(err)
	}
	if c := next(t, i); c.Record().OriginalName != "x_1.vmdk" {
		t.Fatal(c.Record())
	}
	if err := i.Withdraw(t.Context(), "short.vmdk", map[string]any{"code": "H2K-JOB-003"}); err != nil {
		t.Fatal(err)
	}
	if j, err := s.Find(t.Context(), "short"); err != nil || j.Code != "H2K-JOB-003" {
		t.Error(j, err)
	}
	j, err := s.Find(t.Context(), "bad\x1bname.vmdk")
	if err != nil || !strings.HasPrefix(j.Name, "job-"+j.ID) || filepath.Ext(j.Name) != ".vmdk" {
		t.Errorf("%+v %v", j, err)
	}
}

func TestBatchSplitsBeforeItsDisksRun(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "a.vmdk", "disk")
	drop(t, s, "b.vmdk", "disk")
	drop(t, s, "all.yaml", "batch a b")
	if err := os.Chown(s.path(DirQueued, "all.yaml"), 12345, -1); err != nil {
		t.Skip("needs root to give a file away:", err)
	}
	i := inbox(t, s, names(t), InboxOptions{})
	for range 2 {
		c := next(t, i)
		if r := c.Record(); r.Kind != "manifest" || len(c.Files()) != 2 || r.Submitter != 12345 || r.Batch == "" {
			t.Fatalf("%+v", r)
		}
	}
	j, err := s.Find(t.Context(), "all")
	if err != nil || j.State != Done || j.Kind != kindBatch {
		t.Fatal(j, err)
	}
	if parts := fields(t, j.Path+suffixMeta)["parts"].([]any); len(parts) != 2 {
		t.Error(parts)
	}
}

func TestOldestFirst(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	for _, name := range []string{"c", "a", "b"} {
		drop(t, s, name, "disk")
		waitForClock(t, s)
	}
	i := inbox(t, s, names(t), InboxOptions{})
	var got []string
	for range 3 {
		got = append(got, next(t, i).Record().OriginalName)
	}
	if strings.Join(got, "") != "cab" {
		t.Error(got)
	}
}

// waitForClock waits until the clock of the file system has gone on.
func waitForClock(t *testing.T, s *Spool) {
	t.Helper()
	path := s.path("clock")
	var first int64
	eventually(t, "the clock goes on", func() bool {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		st, err := lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if first == 0 {
			first = st.Ctim.Nano()
		}
		return st.Ctim.Nano() > first
	})
}

func TestPauseOutlivesTheDaemon(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	i := inbox(t, s, names(t), InboxOptions{})
	if err := i.Pause("maintenance"); err != nil {
		t.Fatal(err)
	}
	drop(t, s, "x.vmdk", "disk")
	nothing(t, i)
	s.Close()
	s = start(t, s.dir, StartOptions{})
	i = inbox(t, s, names(t), InboxOptions{})
	eventually(t, "paused", func() bool { return i.Snapshot().Paused == "maintenance" })
	nothing(t, i)
	if err := i.Resume(); err != nil {
		t.Fatal(err)
	}
	next(t, i)
}

func TestDeferKeepsPlaceAndWaits(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "a.vmdk", "disk")
	waitForClock(t, s)
	drop(t, s, "b.vmdk", "disk")
	i := inbox(t, s, names(t), InboxOptions{})
	c := next(t, i)
	if c.Record().OriginalName != "a.vmdk" {
		t.Fatal(c.Record())
	}
	var mu sync.Mutex
	space := false
	i.Defer("a.vmdk", c.Record().Identity, "waiting: space (needs 2, has 1)", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return space
	})
	if err := c.Requeue(t.Context(), "space"); err != nil {
		t.Fatal(err)
	}
	waitHeld(t, i, "a.vmdk", Waiting, "space")
	if err := i.Pause("to see the order"); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	space = true
	mu.Unlock()
	eventually(t, "claimable", func() bool { return i.Snapshot().Counts.Queued == 2 })
	if err := i.Resume(); err != nil {
		t.Fatal(err)
	}
	if again := next(t, i); again.Record().ID != c.Record().ID {
		t.Error("it lost its place", again.Record().OriginalName)
	}
}

func TestSettledAfterEverythingEnded(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	if err := os.WriteFile(s.path(DirQueued, "copied.vmdk"), []byte("disk"), 0o644); err != nil {
		t.Fatal(err)
	}
	drop(t, s, "vm.yaml", "manifest missing.vmdk")
	i := inbox(t, s, names(t), InboxOptions{Settle: 200 * time.Millisecond})
	c := next(t, i) // settled too early, it would never come
	select {
	case <-i.Settled():
		t.Fatal("settled while a job runs")
	default:
	}
	if err := c.Done(t.Context(), Outcome{}); err != nil {
		t.Fatal(err)
	}
	<-i.Settled()
	if _, why := held(i, "vm.yaml"); !strings.Contains(why, "missing") {
		t.Error(why)
	}
}

func TestManifestMode(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "a.vmdk", "disk")
	i := inbox(t, s, names(t), InboxOptions{ManifestMode: true})
	waitHeld(t, i, "a.vmdk", Waiting, "no manifest names it")
	drop(t, s, "vm.yaml", "manifest a.vmdk")
	if c := next(t, i); len(c.Files()) != 2 {
		t.Fatal(c.Files())
	}
}

func TestReplacedBetweenLookAndClaim(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "x.vmdk", "disk")
	e := entryOf(t, s, "x.vmdk")
	dropAt(t, s.path(DirQueued, "new"), "disk")
	if err := os.Rename(s.path(DirQueued, "new"), s.path(DirQueued, "x.vmdk")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(t.Context(), e, Need{}); !errors.Is(err, errBusy) {
		t.Fatal(err)
	}
	wantFile(t, s.path(DirQueued, "x.vmdk"), "disk")
	if left, _ := dirNames(s.own("jobs"), 10); len(left) != 0 {
		t.Error(left)
	}
}

func TestDropZoneMovedAndMadeAnew(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	i := inbox(t, s, names(t), InboxOptions{Rescan: time.Second})
	eventually(t, "watched", func() bool { return i.Snapshot().Watching == "inotify" })
	q := s.path(DirQueued)
	if err := os.Rename(q, q+".away"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "degraded", func() bool { return len(i.Snapshot().Problems) > 0 })
	if err := os.Mkdir(q, 0o755); err != nil {
		t.Fatal(err)
	}
	drop(t, s, "x.vmdk", "disk")
	next(t, i)
	if p := i.Snapshot().Problems; len(p) > 0 {
		t.Error(p)
	}
}

func TestLostWatchIsMadeUpForByScans(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	i := inbox(t, s, names(t), InboxOptions{Rescan: 100 * time.Millisecond})
	eventually(t, "scanned", func() bool { return !i.Snapshot().LastScan.IsZero() })
	i.call(func() { i.watch.close(); i.watch.tried = time.Now() })
	drop(t, s, "x.vmdk", "disk")
	next(t, i)
	if got := i.Snapshot().Watching; got != "polling" {
		t.Error(got)
	}
}

func TestFullDiskStopsClaiming(t *testing.T) {
	var full syncBool
	s := start(t, t.TempDir(), StartOptions{Before: fullDisk(&full)})
	drop(t, s, "x.vmdk", "disk")
	i := inbox(t, s, names(t), InboxOptions{})
	c := next(t, i)
	full.set(true)
	if err := c.Fail(t.Context(), Outcome{}); !errors.Is(err, ErrNoSpace) {
		t.Fatal(err)
	}
	drop(t, s, "y.vmdk", "disk")
	eventually(t, "said", func() bool { return len(i.Snapshot().Problems) > 0 })
	nothing(t, i)
	full.set(false)
	next(t, i)
	if err := c.Fail(t.Context(), Outcome{}); err != nil {
		t.Fatal(err)
	}
}

// Between the end of a job that is called back and the return of its file there is a moment in which the file is nowhere that the
// inbox knows: what names it must not be refused then.
func TestCalledBackFileIsNotGivenUp(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	recalled := make(chan string, 1)
	i := inbox(t, s, names(t), InboxOptions{Recall: func(id string) { recalled <- id }})
	drop(t, s, "a.vmdk", "disk")
	c := next(t, i)
	drop(t, s, "vm.yaml", "manifest a.vmdk")
	<-recalled
	s.setLive(c, false) // what Requeue does first
	waitHeld(t, i, "vm.yaml", Waiting, "is with the job")
	if err := c.Requeue(t.Context(), "named"); err != nil {
		t.Fatal(err)
	}
	if c := next(t, i); len(c.Files()) != 2 {
		t.Fatal(c.Files())
	}
}
