package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/atomicfile"
)

func TestSubmitOneFile(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	client, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	src := filepath.Join(t.TempDir(), "vm.vmdk")
	f, err := os.Create(src)
	if err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{0, 8 << 20} { // with a hole between and behind
		if _, err := f.WriteAt([]byte("data"), off); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(20 << 20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	var done int64
	sub, err := client.Submit(t.Context(), []Source{{Path: src}}, SubmitOptions{Progress: func(d, total int64) {
		if done = d; total != 20<<20 {
			t.Error(total)
		}
	}})
	if err != nil || sub.Name != "vm.vmdk" || done != 20<<20 {
		t.Fatal(sub, done, err)
	}
	want, _ := os.ReadFile(src)
	wantFile(t, s.path(DirQueued, "vm.vmdk"), string(want))
	st, _ := lstat(s.path(DirQueued, "vm.vmdk"))
	if st.Blocks*512 > 1<<20 {
		t.Errorf("the holes were filled: %d blocks", st.Blocks)
	}
	i := inbox(t, s, examine(nil), InboxOptions{Settle: 30 * time.Second}) // so that only a complete file comes in time
	if c := next(t, i); c.Record().Identity.Ino != sub.Ino {
		t.Error("followed by another inode")
	}
	if again, err := client.Submit(t.Context(), []Source{{Path: src}, {Name: "x.yaml", Content: strings.NewReader("a")}}, SubmitOptions{}); err != nil || again.Name != "vm.job" {
		t.Error(again, err)
	}
	c := next(t, i)
	if !c.Record().Dir || len(c.Files()) != 2 {
		t.Error(c.Files())
	}
}

func TestSubmitLeavesNothingBehind(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	dir := t.TempDir()
	dropAt(t, filepath.Join(dir, "a.vmdk"), "a")
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx   context.Context
		files []Source
		want  error
	}{
		{t.Context(), []Source{{Path: dir}}, ErrNotRegular},
		{t.Context(), []Source{{Path: filepath.Join(dir, "pipe")}}, ErrNotRegular},
		{t.Context(), []Source{{Path: filepath.Join(dir, "a.vmdk"), Name: "a.part"}}, ErrName},
		{t.Context(), []Source{{Path: filepath.Join(dir, "a.vmdk"), Name: "../a"}}, ErrName},
		{t.Context(), []Source{{Path: filepath.Join(dir, "a.vmdk")}, {Path: filepath.Join(dir, "a.vmdk")}}, ErrExists},
		{t.Context(), nil, ErrName},
		{ctx, []Source{{Path: filepath.Join(dir, "a.vmdk")}}, context.Canceled},
	} {
		if _, err := s.Submit(c.ctx, c.files, SubmitOptions{}); !errors.Is(err, c.want) {
			t.Errorf("%v: %v, want %v", c.files, err, c.want)
		}
	}
	left, err := dirNames(s.path(DirQueued), 10)
	if len(left) != 0 {
		t.Error(left, err)
	}
}

func TestFollowToTheEnd(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	client, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	drop(t, s, "x.vmdk", "of another") // so that the names differ all the way
	other := claimName(t, s, "x.vmdk", Need{})
	sub, err := client.Submit(t.Context(), []Source{{Name: "x.vmdk", Content: strings.NewReader("mine")}}, SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var states []State
	var id string
	var c *Claim
	for j, err := range client.Follow(t.Context(), sub) {
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, j.State)
		switch j.State {
		case Queued:
			c = claimName(t, s, "x.vmdk", Need{})
			id = c.Record().ID
		case Running:
			if j.ID != id {
				t.Fatal("another's job")
			}
			if err := errors.Join(other.Done(t.Context(), Outcome{}), c.Fail(t.Context(), Outcome{Fields: map[string]any{"error": "no"}})); err != nil {
				t.Fatal(err)
			}
		case Failed:
			if j.ID != id || j.Reason != "no" {
				t.Fatal(j)
			}
		}
	}
	if got := fmt.Sprint(states); got != "[queued running failed]" {
		t.Error(got)
	}
	for j, err := range client.Follow(t.Context(), sub) { // all over before anybody looked
		if err != nil || j.ID != id {
			t.Fatal(j, err)
		}
	}
}

// A disk that its manifest took along, and whose job was over before anybody looked, is found with it.
func TestFollowAMemberOfAJobThatIsOver(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "pair.yaml", "x")
	drop(t, s, "one.img", "one")
	e := entryOf(t, s, "one.img")
	c := claimName(t, s, "pair.yaml", Need{Kind: "manifest", Members: []string{"one.img"}})
	id := c.Record().ID
	if err := c.Done(t.Context(), Outcome{}); err != nil {
		t.Fatal(err)
	}
	var last Job
	for j, err := range s.Follow(t.Context(), Submitted{Name: "one.img", Dev: e.Identity.Dev, Ino: e.Identity.Ino}) {
		if last = j; err != nil {
			t.Fatal(err)
		}
	}
	if last.ID != id || last.State != Done {
		t.Errorf("%+v", last)
	}
}

func TestFollowWhatIsTakenAway(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "x.vmdk", "x")
	e := entryOf(t, s, "x.vmdk")
	if err := os.Remove(e.Path); err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Follow(t.Context(), Submitted{Name: "x.vmdk", Dev: e.Identity.Dev, Ino: e.Identity.Ino}) {
		if !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
	}
}

func TestListAndCount(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	for n := range 4 {
		drop(t, s, fmt.Sprintf("vm%d.vmdk", n), "x")
	}
	drop(t, s, "x.part", "x")
	if err := errors.Join(claimName(t, s, "vm0.vmdk", Need{}).Done(t.Context(), Outcome{}), claimName(t, s, "vm1.vmdk", Need{}).Fail(t.Context(), Outcome{})); err != nil {
		t.Fatal(err)
	}
	running := claimName(t, s, "vm2.vmdk", Need{Kind: "disk"})
	if err := running.Progress(Progress{Stage: "convert", BytesDone: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteStatus(Status{At: time.Now(), Counts: Counts{Queued: 0, Waiting: 1, Ignored: 1},
		Held: []Held{{Name: "vm3.vmdk", State: Waiting, Reason: "space"}, {Name: "x.part", State: Ignored, Reason: "unfinished"}}}); err != nil {
		t.Fatal(err)
	}
	list := func(f Filter) string {
		var got []string
		for j, err := range s.Jobs(t.Context(), f) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%s:%s", j.Name, j.State))
		}
		return strings.Join(got, " ")
	}
	for _, c := range []struct {
		f    Filter
		want string
	}{
		{Filter{}, "vm2.vmdk:running vm3.vmdk:waiting x.part:ignored vm1.vmdk:failed vm0.vmdk:done"},
		{Filter{States: []State{Done, Failed}, All: true}, "vm1.vmdk:failed vm0.vmdk:done"},
		{Filter{Limit: 2}, "vm2.vmdk:running vm3.vmdk:waiting"},
		{Filter{Name: "vm0"}, "vm0.vmdk:done"},
		{Filter{Date: "2001-01-01", States: []State{Done}}, ""},
		{Filter{States: []State{Waiting}}, "vm3.vmdk:waiting"},
	} {
		if got := list(c.f); got != c.want {
			t.Errorf("%+v: %s, want %s", c.f, got, c.want)
		}
	}
	if c, err := s.Count(t.Context()); err != nil || c != (Counts{Waiting: 1, Ignored: 1, Running: 1, DoneToday: 1, FailedToday: 1}) {
		t.Errorf("%+v %v", c, err)
	}
	for key, want := range map[string]State{
		"vm0": Done, "vm0.vmdk": Done, "vm1": Failed, "vm2": Running, running.Record().ID: Running, "vm3": Waiting, s.path(DirQueued, "vm3.vmdk"): Waiting,
		s.path(DirRunning, "vm2.vmdk"): Running, s.path(DirDone, s.date(s.clock()), "vm0.vmdk"): Done,
	} {
		if j, err := s.Find(t.Context(), key); err != nil || j.State != want {
			t.Errorf("find %q: %+v %v", key, j, err)
		}
	}
	for _, key := range []string{"", "nothing", "../../etc/passwd", "/etc/passwd", newID(time.Now()), s.path(DirOwn, "lock")} {
		if _, err := s.Find(t.Context(), key); !errors.Is(err, ErrNotFound) {
			t.Errorf("find %q: %v", key, err)
		}
	}
}

// Who cancels x.img while it runs, or by its id after it went back, must not get another one that took its name or resembles it.
func TestFindTellsJobsOfOneNameApart(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "x.img", "first")
	first := claimName(t, s, "x.img", Need{})
	drop(t, s, "x~2.img", "second")
	id := first.Record().ID
	for key, want := range map[string]string{"x.img": "x.img:running", id: "x.img:running", "x~2.img": "x~2.img:queued", "x~2": "x~2.img:queued"} {
		if j, err := s.Find(t.Context(), key); err != nil || j.Name+":"+string(j.State) != want {
			t.Errorf("find %q: %+v %v, want %s", key, j, err, want)
		}
	}
	drop(t, s, "x.img", "third")
	if err := first.Requeue(t.Context(), "it is wanted elsewhere"); err != nil {
		t.Fatal(err)
	}
	j, err := s.Find(t.Context(), id)
	if b, _ := os.ReadFile(s.path(DirQueued, j.Name)); err != nil || string(b) != "first" || j.ID != id {
		t.Errorf("find %s: %+v %v, with %q", id, j, err, b)
	}
	if err := os.Remove(s.path(DirQueued, j.Name)); err != nil {
		t.Fatal(err)
	}
	if j, err := s.Find(t.Context(), id); !errors.Is(err, ErrNotFound) {
		t.Errorf("find %s, which is gone: %+v %v", id, j, err)
	}
}

// Who cancels hv where hv.vhd and hv.vhdx wait must say which. What can never be a job is not meant.
func TestFindDoesNotGuess(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	for _, name := range []string{"hv.vhd", "hv.vhdx", "one.img", "one.part"} {
		drop(t, s, name, name)
	}
	if j, err := s.Find(t.Context(), "hv"); !errors.Is(err, ErrState) || !strings.Contains(err.Error(), `"hv.vhd" or "hv.vhdx"`) {
		t.Errorf("%+v %v", j, err)
	}
	for key, want := range map[string]string{"hv.vhdx": "hv.vhdx", "one": "one.img", "one.part": "one.part"} {
		if j, err := s.Find(t.Context(), key); err != nil || j.Name != want {
			t.Errorf("find %q: %+v %v", key, j, err)
		}
	}
}

func TestRequestsAreAnswered(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	client, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		r   Reply
		err error
	}
	ask := func(c Control) chan answer {
		ch := make(chan answer, 1)
		go func() { r, err := client.Request(t.Context(), c); ch <- answer{r, err} }()
		return ch
	}
	for _, ok := range []bool{true, false} {
		ch := ask(Control{Verb: VerbCancel, Job: "vm1", By: "me"})
		var got []Request
		eventually(t, "the request is there", func() bool {
			var err error
			if got, err = s.Requests(t.Context()); err != nil {
				t.Fatal(err)
			}
			return len(got) > 0
		})
		if got[0].Job != "vm1" || got[0].UID != uint32(os.Geteuid()) {
			t.Errorf("%+v", got[0])
		}
		if err := got[0].Answer(Reply{OK: ok, Message: "so be it"}); err != nil {
			t.Fatal(err)
		}
		a := <-ch
		if (a.err == nil) != ok || a.r.Message != "so be it" || a.err != nil && !errors.Is(a.err, ErrState) {
			t.Errorf("%+v", a)
		}
	}
	if left, _ := dirNames(s.own("control"), 10); len(left) != 0 {
		t.Error(left)
	}
	if _, err := client.Request(t.Context(), Control{Verb: "reboot"}); !errors.Is(err, ErrState) {
		t.Error(err)
	}
	s.Close()
	if _, err := client.Request(t.Context(), Control{Verb: VerbPause}); !errors.Is(err, ErrState) {
		t.Error("asked a daemon that does not run:", err)
	}
}

// A daemon that dies after an answer does not make the next one do it once more: who drained, and restarted, wants no second drain.
func TestWhatWasAnsweredIsNotAskedAgain(t *testing.T) {
	dying := false
	s := start(t, t.TempDir(), StartOptions{Before: func(step atomicfile.Step) error {
		if dying && step.Op == "remove" {
			return errCut
		}
		return nil
	}})
	name, err := s.putRequest(Control{Verb: VerbDrain})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Requests(t.Context())
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	dying = true
	if err := got[0].Answer(Reply{OK: true}); !errors.Is(err, errCut) || !exists(s.own("control", name)) {
		t.Fatal("it did not die in between:", err)
	}
	dying = false
	later := time.Now().Add(time.Hour) // the next daemon tidies before it looks at requests
	s.tidyReplies(later)
	if got, err := s.Requests(t.Context()); err != nil || len(got) > 0 || exists(s.own("control", name)) {
		t.Error(got, err)
	}
	if s.tidyReplies(later); exists(s.own("replies", name)) {
		t.Error("the answer stays for ever")
	}
}

func TestWhatIsNoRequest(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	p := func(id string) string { return s.own("control", id+".json") }
	secret := filepath.Join(t.TempDir(), "secret")
	dropAt(t, secret, `{"verb":"drain"}`)
	ids := make([]string, 6)
	for n := range ids {
		ids[n] = newID(time.Now())
	}
	for _, err := range []error{
		unix.Mkfifo(p(ids[0]), 0o666), os.Symlink(secret, p(ids[1])), os.Mkdir(p(ids[2]), 0o755), os.Link(secret, p(ids[3])),
		os.WriteFile(p(ids[4]), []byte(`{"verb":"drain","reason":"`+strings.Repeat("x", maxRequest)+`"}`), 0o644),
		os.WriteFile(p(ids[5]), []byte(`{"verb":"format-disk"}`), 0o644),
		os.WriteFile(p("not-an-id"), []byte(`{"verb":"drain"}`), 0o644), os.WriteFile(s.own("control", ".tmp-x"), []byte("{"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Requests(t.Context())
	if err != nil || len(got) != 0 {
		t.Error(got, err)
	}
	if left, _ := dirNames(s.own("control"), 100); len(left) != 1 {
		t.Error(left)
	}
	if !exists(secret) {
		t.Error("a link led out of the tree")
	}
}

func TestRetryByHandNoLongerCounts(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "x.vmdk", "x")
	c := claimName(t, s, "x.vmdk", Need{})
	if err := c.Fail(t.Context(), Outcome{}); err != nil {
		t.Fatal(err)
	}
	j, err := s.Find(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(j.Path, s.path(DirQueued, "x.vmdk")); err != nil {
		t.Fatal(err)
	}
	s.tidy(s.clock())
	if c, err := s.Count(t.Context()); err != nil || c.FailedToday != 0 {
		t.Error(c, err)
	}
	if _, err := s.Retry(t.Context(), j); !errors.Is(err, ErrState) {
		t.Error(err)
	}
}
