package queue

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name string
		d    onDisk
		want action
	}{
		{"claimed, not taken yet", onDisk{phase: PhaseClaimed}, actDrop},
		{"claimed and taken", onDisk{phase: PhaseClaimed, entry: true}, actReturn},
		{"running", onDisk{phase: PhaseRunning, entry: true}, actDied},
		{"running, last death", onDisk{phase: PhaseRunning, entry: true, lastDeath: true}, actFail},
		{"running, source taken away", onDisk{phase: PhaseRunning}, actDrop},
		{"placed", onDisk{phase: PhasePlaced, entry: true}, actDied},
		{"placed, ends, not renamed", onDisk{phase: PhasePlaced, entry: true, final: true}, actDied},
		{"placed, ends, renamed", onDisk{phase: PhasePlaced, entry: true, final: true, output: true}, actFinish},
		{"placed, renamed by whom", onDisk{phase: PhasePlaced, entry: true, output: true}, actDied},
		{"output done", onDisk{phase: PhaseOutputDone, entry: true, final: true, output: true}, actFinish},
		{"output done, last death", onDisk{phase: PhaseOutputDone, entry: true, final: true, output: true, lastDeath: true}, actFinish},
		{"output done, output taken away", onDisk{phase: PhaseOutputDone, entry: true, final: true}, actReturn},
		{"committed, output taken away", onDisk{phase: PhaseOutputDone, entry: true, final: true, committed: true}, actFinish},
		{"committed, source moved", onDisk{phase: PhaseOutputDone, final: true, output: true, committed: true}, actFinish},
		{"no output by its kind", onDisk{phase: PhaseOutputDone, entry: true, final: true, needless: true}, actFinish},
		{"failing", onDisk{phase: PhaseFailing, entry: true, final: true}, actFinish},
		{"failed, source moved", onDisk{phase: PhaseFailing, final: true, committed: true}, actFinish},
		{"splitting", onDisk{phase: PhaseSplitting, entry: true}, actSplit},
		{"returned", onDisk{phase: PhaseReturned}, actKeep},
		{"being returned", onDisk{phase: PhaseReturned, entry: true, lastDeath: true}, actReturn},
		{"of the future", onDisk{phase: "teleporting", entry: true}, actSetAside},
	} {
		if got, why := decide(c.d); got != c.want || why == "" {
			t.Errorf("%s: %s (%s), want %s", c.name, got, why, c.want)
		}
	}
}

// TestDecideNeverLosesASource holds decide against what must be true of any state, likely or not.
func TestDecideNeverLosesASource(t *testing.T) {
	phases := []string{PhaseClaimed, PhaseRunning, PhasePlaced, PhaseOutputDone, PhaseSplitting, PhaseFailing, PhaseReturned, "", "other"}
	rapid.Check(t, func(t *rapid.T) {
		d := onDisk{
			phase: rapid.SampledFrom(phases).Draw(t, "phase"), entry: rapid.Bool().Draw(t, "entry"), output: rapid.Bool().Draw(t, "output"),
			needless: rapid.Bool().Draw(t, "needless"), final: rapid.Bool().Draw(t, "final"), committed: rapid.Bool().Draw(t, "committed"),
			lastDeath: rapid.Bool().Draw(t, "last"),
		}
		act, _ := decide(d)
		switch {
		case d.entry && (act == actDrop || act == actKeep):
			t.Fatalf("%+v: %s forgets an entry in processing", d, act)
		case act == actFinish && !d.committed && d.phase != PhaseFailing && !d.output && !d.needless:
			t.Fatalf("%+v: success without an output", d)
		case act == actFinish && !d.final && !d.committed:
			t.Fatalf("%+v: finished without a record to publish", d)
		case d.committed && act != actFinish:
			t.Fatalf("%+v: %s after the commit", d, act)
		}
	})
}

// A job that kills the daemon each time that it runs fails at last; a good one is not failed for a few kills.
func TestDeathsOfTheDaemonFailAJobAtLast(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w")
	s := start(t, dir, StartOptions{})
	drop(t, s, "poison.vmdk", "x")
	id := ""
	for n := range DefaultMaxDeaths {
		if j, err := s.Find(t.Context(), "poison.vmdk"); err != nil || j.State == Failed {
			t.Fatalf("after %d deaths of the daemon: %+v %v", n, j, err)
		}
		c := claimName(t, s, "poison.vmdk", Need{Kind: "disk"})
		if id != "" && c.Record().ID != id {
			t.Error("the job lost its id and with it the count")
		}
		id = c.Record().ID
		if err := c.Running(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Close()
		s = start(t, dir, StartOptions{})
		if r := s.Recovered(); len(r) != 1 || r[0].ID != id {
			t.Fatalf("death %d: %+v", n+1, r)
		}
	}
	j, err := s.Find(t.Context(), id)
	if err != nil || j.State != Failed || j.Code != codeCrashLoop {
		t.Fatalf("%+v %v", j, err)
	}
	wantFile(t, j.Path, "x")
}

func TestChildCrashesAreCountedToo(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{MaxCrashes: 2})
	drop(t, s, "x.vmdk", "x")
	c := claimName(t, s, "x.vmdk", Need{})
	if again, err := c.Crashed(t.Context(), "killed"); !again || err != nil {
		t.Fatal(again, err)
	}
	c = claimName(t, s, "x.vmdk", Need{})
	if again, err := c.Crashed(t.Context(), "killed"); again || err != nil {
		t.Fatal(again, err)
	}
	if err := c.Fail(t.Context(), Outcome{}); err != nil {
		t.Fatal(err)
	}
}

func TestStrangersInProcessing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w")
	s := start(t, dir, StartOptions{})
	p := func(name string) string { return s.path(DirRunning, name) }
	dropAt(t, p("lone.vmdk"), "a")
	for _, err := range []error{os.Mkdir(p("g.job"), 0o755), os.Mkdir(p("folder"), 0o755), unix.Mkfifo(p("pipe"), 0o666), os.Symlink("/etc/passwd", p("link"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	dropAt(t, p("g.job/"+markerName), `{"schema":1,"names":["g.yaml","b.vmdk"]}`)
	dropAt(t, p("g.job/g.yaml"), "g")
	dropAt(t, p("g.job/b.vmdk"), "b")
	dropAt(t, p("folder/c.vmdk"), "c")
	dropAt(t, s.path(DirQueued, "lone.vmdk"), "another")
	s.Close()
	s = start(t, dir, StartOptions{})
	want := map[string]string{
		"lone.vmdk": "another", "lone~2.vmdk": "a", "g.yaml": "g", "b.vmdk": "b", "folder/c.vmdk": "c",
	}
	if got := tree(t, s.path(DirQueued)); !equalTrees(got, want) {
		t.Errorf("%v", got)
	}
	if !exists(p("pipe")) || !exists(p("link")) {
		t.Error("what is no file was removed")
	}
	if n := len(s.Recovered()); n != 5 {
		t.Errorf("%+v", s.Recovered())
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	for name, record := range map[string]string{
		"torn": "", "garbage": `{"id":`, "newer": `{"schema":99,"id":"ID","entry":"x.vmdk"}`,
		"another's": `{"schema":1,"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","entry":"x.vmdk"}`, "outside": `{"schema":1,"id":"ID","entry":"../../x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "w")
			s := start(t, dir, StartOptions{})
			drop(t, s, "x.vmdk", "source")
			id := claimName(t, s, "x.vmdk", Need{}).Record().ID
			if err := os.WriteFile(s.recordPath(id), []byte(strings.ReplaceAll(record, "ID", id)), 0o644); err != nil {
				t.Fatal(err)
			}
			s.Close()
			s = start(t, dir, StartOptions{})
			wantFile(t, s.path(DirQueued, "x.vmdk"), "source")
			if !exists(s.own("set-aside", id)) {
				t.Errorf("the record is gone: %+v", s.Recovered())
			}
		})
	}
}

// A record must not make recovery remove anything but what the job built.
func TestPartialOfARecordIsNotBelieved(t *testing.T) {
	dir, precious := filepath.Join(t.TempDir(), "w"), t.TempDir()
	dropAt(t, filepath.Join(precious, "file"), "x")
	s := start(t, dir, StartOptions{})
	drop(t, s, "x.vmdk", "source")
	c := claimName(t, s, "x.vmdk", Need{})
	r := c.Record()
	r.Partial, r.Phase = precious, PhaseRunning
	if err := s.writeRecord(r, true); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = start(t, dir, StartOptions{})
	wantFile(t, s.path(DirQueued, "x.vmdk"), "source")
	wantFile(t, filepath.Join(precious, "file"), "x")
}

// btrfs may keep both names of a rename after a power cut, when the directories were synced without the inode.
func TestSameInodeInTwoStates(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w")
	s, out := start(t, dir, StartOptions{}), t.TempDir()
	drop(t, s, "x.vmdk", "source")
	c := claimName(t, s, "x.vmdk", Need{})
	build(t, c, out, "x")
	stop := &cut{n: 1 << 30}
	s.fs.Before = stop.before
	rec := c.Record()
	day := s.path(DirDone, s.date(s.clock()))
	if err := os.MkdirAll(day, 0o755); err != nil {
		t.Fatal(err)
	}
	// Up to the move of the source, then a link instead of the rename.
	if err := c.publish(Outcome{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.commit(c.rec, day); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(s.path(DirRunning, rec.Entry), filepath.Join(day, "x.vmdk")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = start(t, dir, StartOptions{})
	wantFile(t, filepath.Join(day, "x.vmdk"), "source")
	wantGone(t, s.path(DirRunning, "x.vmdk"))
	if left := tree(t, s.path(DirQueued)); len(left) != 0 {
		t.Error(left)
	}
}
