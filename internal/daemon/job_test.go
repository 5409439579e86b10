package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

func itoa(n int) string { return strconv.Itoa(n) }

// world is a workflow directory, an output directory and the pipes of the fake children.
type world struct {
	t            *testing.T
	w, out, pipe string
	settings     Settings
}

func newWorld(t *testing.T) *world {
	t.Helper()
	top := t.TempDir()
	w := &world{t: t, w: filepath.Join(top, "w"), out: filepath.Join(top, "out"), pipe: filepath.Join(top, "pipe")}
	if err := os.Mkdir(w.pipe, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"started", "go"} {
		if err := unix.Mkfifo(filepath.Join(w.pipe, word), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.settings = Settings{
		Mode: ModeDisk, WorkflowDir: w.w, OutputDir: w.out, Workers: 4, Rescan: time.Second,
		StallTimeout: 30 * time.Second, StopTimeout: time.Second, KillAfter: time.Second, MissingTimeout: time.Hour,
	}
	return w
}

// daemon starts a daemon whose jobs are played by this test binary.
func (w *world) daemon() *Daemon {
	w.t.Helper()
	return w.daemonWith(func(*Options) {})
}

// daemonWith starts one whose options a test changes.
func (w *world) daemonWith(change func(*Options)) *Daemon {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	o := Options{
		Settings: w.settings, Clock: time.Now, Log: slog.New(slog.DiscardHandler), Version: "test",
		Spawner: Spawner{Path: self, Env: append(os.Environ(), "H2K_TEST_CHILD=job", "H2K_TEST_DIR="+w.pipe)},
	}
	change(&o)
	d, err := New(w.t.Context(), o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { d.Close() })
	return d
}

// drop puts a complete file into the drop zone.
func (w *world) drop(name, content string) {
	w.t.Helper()
	dir := filepath.Join(w.w, queue.DirQueued)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		w.t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		w.t.Fatal(err)
	}
}

// once does all that can be done and gives the workflow directory back.
func (w *world) once(d *Daemon) []queue.Held {
	w.t.Helper()
	held, err := d.Once(w.t.Context(), w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		w.t.Fatal(err)
	}
	return held
}

// ended reads the record of a finished entry, whatever the day.
func (w *world) ended(entry string) (terminal string, record map[string]any) {
	w.t.Helper()
	for terminal, suffix := range map[string]string{queue.DirDone: ".meta.json", queue.DirFailed: ".error.json"} {
		found, _ := filepath.Glob(filepath.Join(w.w, terminal, "*", entry+suffix))
		if len(found) != 1 {
			continue
		}
		b, err := os.ReadFile(found[0])
		if err != nil {
			w.t.Fatal(err)
		}
		if err := json.Unmarshal(b, &record); err != nil {
			w.t.Fatal(err)
		}
		return terminal, record
	}
	return "", nil
}

func (w *world) wantDone(entry string) map[string]any {
	w.t.Helper()
	terminal, rec := w.ended(entry)
	if terminal != queue.DirDone {
		w.t.Fatalf("%s is in %q: %v", entry, terminal, rec)
	}
	return rec
}

func (w *world) wantFailed(entry, code, words string) {
	w.t.Helper()
	terminal, rec := w.ended(entry)
	if text, _ := rec["error"].(string); terminal != queue.DirFailed || rec["code"] != code || !strings.Contains(text, words) {
		w.t.Errorf("%s is in %q with %v: %v; want %s and %q", entry, terminal, rec["code"], rec["error"], code, words)
	}
}

// hear waits for a fake child's word; tell says one to it. A writer that has said its word may still be there: it is passed over.
func (w *world) hear(word string) {
	w.t.Helper()
	for n := 0; n == 0; {
		f, err := os.OpenFile(filepath.Join(w.pipe, word), os.O_RDONLY, 0)
		if err != nil {
			w.t.Fatal(err)
		}
		n, _ = f.Read(make([]byte, 1))
		f.Close()
	}
}

func (w *world) tell(word string) {
	w.t.Helper()
	f, err := os.OpenFile(filepath.Join(w.pipe, word), os.O_WRONLY, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := f.WriteString("x"); err != nil {
		w.t.Error(err)
	}
	f.Close()
}

func TestHowJobsEnd(t *testing.T) {
	w := newWorld(t)
	w.settings.Workers = 20
	names := []string{"ok", "fail", "crash", "garbage", "long", "leftover", "flood", "space", "liar", "vanish", "other"}
	for _, name := range names {
		w.drop(name+"-1.img", name)
	}
	d := w.daemon()
	held := w.once(d)
	if b, err := os.ReadFile(filepath.Join(w.pipe, "leftover.pid")); err == nil {
		pid, _ := strconv.Atoi(string(b))
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}

	rec := w.wantDone("ok-1.img")
	if dir, _ := rec["output_dir"].(string); filepath.Base(dir) != "ok-1" || filepath.Dir(filepath.Dir(dir)) != w.out {
		t.Errorf("output of ok-1 is %v", rec["output_dir"])
	}
	w.wantDone("leftover-1.img")
	w.wantDone("flood-1.img")
	if dir, _ := w.wantDone("liar-1.img")["output_dir"].(string); filepath.Base(dir) != "liar-1" {
		t.Errorf("a child chose its own output directory: %s", dir)
	}
	w.wantFailed("fail-1.img", manifest.CodeImageCorrupt, "it is broken")
	w.wantFailed("crash-1.img", manifest.CodeJobCrashLoop, `out of \x1b[31mcheese`)
	w.wantFailed("garbage-1.img", manifest.CodeJobCrashLoop, "message of a job")
	w.wantFailed("long-1.img", manifest.CodeJobCrashLoop, "longer than")
	w.wantFailed("space-1.img", manifest.CodeSpaceOutput, "in all")
	w.wantFailed("vanish-1.img", manifest.CodeOutputWrite, "")
	if len(held) != 1 || held[0].Name != "other-1.img" || !strings.Contains(held[0].Reason, "replaced while it ran") {
		t.Errorf("held: %+v; want the job that this daemon cannot run", held)
	}
	if d.Failed() != 6 {
		t.Errorf("%d jobs failed, want 6", d.Failed())
	}
	left, _ := filepath.Glob(filepath.Join(w.out, ".partial", "*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestStalledJobFails(t *testing.T) {
	w := newWorld(t)
	w.settings.StallTimeout = 200 * time.Millisecond
	w.drop("stall.img", "x")
	w.once(w.daemon())
	w.wantFailed("stall.img", manifest.CodeJobStalled, "no progress")
}

func TestProgramThatCannotStartFailsNoJob(t *testing.T) {
	w := newWorld(t)
	w.drop("ok.img", "x")
	d := w.daemon()
	d.spawn.Path = filepath.Join(w.pipe, "none")
	if held := w.once(d); len(held) != 1 || !strings.Contains(held[0].Reason, "cannot run it") {
		t.Fatalf("held: %+v", held)
	}
	w.once(w.daemon())
	w.wantDone("ok.img")
}

func TestJobWaitsForSpaceAndRunsWhenThereIsSome(t *testing.T) {
	w := newWorld(t)
	w.drop("fits.img", "x")
	d := w.daemon()
	d.space.statfs = func(string) (volume, error) { return volume{total: 1000, free: 100}, nil }
	if held := w.once(d); len(held) != 1 || !strings.Contains(held[0].Reason, "space (needs 500 bytes, has 100 bytes") {
		t.Fatalf("held: %+v", held)
	}
	d = w.daemon()
	d.space.statfs = func(string) (volume, error) { return volume{total: 1000, free: 600}, nil }
	w.once(d)
	w.wantDone("fits.img")
}

// started drops a job that waits in its child and returns when it stands there, with the run's end in a channel.
func (w *world) started(d *Daemon, name string) (id string, ended <-chan []queue.Held) {
	w.t.Helper()
	w.drop(name, "x")
	end := make(chan []queue.Held, 1)
	go func() {
		held, err := d.Once(context.WithoutCancel(w.t.Context()), context.Background())
		if err != nil {
			w.t.Error(err)
		}
		end <- held
	}()
	w.hear("started")
	live := d.spool.Live()
	if len(live) != 1 {
		w.t.Fatalf("%d jobs run", len(live))
	}
	return live[0].Record().ID, end
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	d := w.daemon()
	id, ended := w.started(d, "gate.img")
	ask := func(uid uint32) (string, error) {
		return d.answer(t.Context(), queue.Request{Control: queue.Control{Verb: queue.VerbCancel, Job: id}, UID: uid})
	}
	if _, err := ask(54321); !errors.Is(err, queue.ErrDenied) {
		t.Errorf("a stranger's wish: %v", err)
	}
	for range 2 { // twice does no harm
		if said, err := ask(0); err != nil || said != "cancelling" {
			t.Errorf("said %q, %v", said, err)
		}
	}
	<-ended
	w.wantFailed("gate.img", manifest.CodeJobCancelled, "cancelled by")
	_, rec := w.ended("gate.img")
	if rec["stage"] != "convert" {
		t.Errorf("it was cancelled in %v", rec["stage"])
	}
	why := fmt.Sprintf("(%v)", rec["error"])
	if got := stageWords(t, rec); got != "load done, inspect skipped (it was not asked for), fix not-run "+why+", convert failed "+why+", validate not-run "+why {
		t.Errorf("its stages are %s", got)
	}
}

func TestRecalledJobRunsAgain(t *testing.T) {
	w := newWorld(t)
	d := w.daemon()
	id, ended := w.started(d, "gate.img")
	d.recall(id)
	w.hear("started") // it was put back and claimed again
	if live := d.spool.Live(); len(live) != 1 || live[0].Record().ID != id {
		t.Errorf("it runs under another id")
	}
	w.tell("go")
	<-ended
	w.wantDone("gate.img")
}

// A wish that arrives between the claim and the start of the job's goroutine is not lost, and comes before the job's process.
func TestWishForAJobThatIsJustBeingStarted(t *testing.T) {
	w := newWorld(t)
	w.drop("gate.img", "x")
	d := w.daemon()
	d.spawn = Spawner{play: func(*os.File, string) (player, error) {
		t.Error("a process was started")
		return player{}, errCut
	}}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- d.inbox.Run(ctx) }()
	c, err := d.inbox.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if d.endJob("01ARZ3NDEKTSV4RRFFQ69G5FAV", endCancel, "x") {
		t.Error("a job that is not there was ended")
	}
	if !d.endJob(c.Record().ID, endCancel, "early") {
		t.Fatal("a claimed job is not known yet")
	}
	if d.endJob(c.Record().ID, endRequeue, "later") {
		t.Error("a person was told that it is cancelled, and now it goes back to the queue")
	}
	d.run(c)
	cancel()
	<-ran
	w.wantFailed("gate.img", manifest.CodeJobCancelled, "early")
}

// A daemon that does not wait for its jobs returns also those that it is only about to start.
func TestJobStartedWhileTheDaemonReturnsAll(t *testing.T) {
	w := newWorld(t)
	w.drop("gate.img", "x")
	d := w.daemon()
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- d.inbox.Run(ctx) }()
	c, err := d.inbox.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	d.returnAll()
	d.run(c)
	cancel()
	<-ran
	if _, err := os.Stat(filepath.Join(w.w, queue.DirQueued, "gate.img")); err != nil {
		t.Error(err)
	}
}

// An output directory that a reload changes is not that of a job which has begun to build in the old one.
func TestReloadOfTheOutputDirectory(t *testing.T) {
	w := newWorld(t)
	d := w.daemon()
	_, ended := w.started(d, "gate.img")
	next := w.settings
	next.OutputDir, next.Settle = filepath.Join(filepath.Dir(w.out), "new"), time.Minute
	later, err := d.Reload(next)
	if err != nil || len(later) != 1 || later[0] != "settle" {
		t.Errorf("reload: %v, later %v", err, later)
	}
	if info, err := os.Stat(next.OutputDir); err != nil || info.Mode()&os.ModeSetgid == 0 {
		t.Errorf("the new output directory: %v, %v", info, err)
	}
	w.tell("go")
	<-ended
	if dir, _ := w.wantDone("gate.img")["output_dir"].(string); !under(w.out, dir) {
		t.Errorf("published in %s", dir)
	}
}

func TestReloadRefusals(t *testing.T) {
	w := newWorld(t)
	d := w.daemon()
	file := filepath.Join(w.pipe, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Settings){
		"workflow_dir":     func(s *Settings) { s.WorkflowDir = "/elsewhere" },
		"mode":             func(s *Settings) { s.Mode = ModeManifest },
		"output directory": func(s *Settings) { s.OutputDir = filepath.Join(file, "out") },
	} {
		next := w.settings
		next.Workers = 9
		change(&next)
		if _, err := d.Reload(next); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d.Settings().Workers != w.settings.Workers {
		t.Error("a refused reload changed something")
	}
}

// While its end cannot be recorded a job stays where it is and the status says so; when it can, the job ends without a restart.
func TestEndThatCannotBeRecordedIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	d := w.daemon()
	blocked := filepath.Join(w.w, queue.DirFailed, time.Now().Format(time.DateOnly))
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.drop("fail.img", "x")
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx, t.Context()) }()
	eventually(t, "the status says what is wrong", func() bool {
		var st queue.Status
		b, _ := os.ReadFile(filepath.Join(w.w, queue.DirOwn, "status.json"))
		_ = json.Unmarshal(b, &st)
		return st.State == stateDegraded && strings.Contains(strings.Join(st.Reasons, " "), "cannot be recorded")
	})
	if _, err := os.Stat(filepath.Join(w.w, queue.DirRunning, "fail.img")); err != nil {
		t.Error(err)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the job is in failed/", func() bool { terminal, _ := w.ended("fail.img"); return terminal != "" })
	w.wantFailed("fail.img", manifest.CodeImageCorrupt, "it is broken")
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// A daemon that is told to stop does not wait for a disk to become writable.
func TestStopWhileAnEndCannotBeRecorded(t *testing.T) {
	w := newWorld(t)
	w.settings.StopTimeout = time.Hour
	d := w.daemon()
	blocked := filepath.Join(w.w, queue.DirFailed, time.Now().Format(time.DateOnly))
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.drop("fail.img", "x")
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx, t.Context()) }()
	eventually(t, "the job cannot end", func() bool { return len(d.unrecordedReasons()) > 0 })
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	d.Close()
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	w.once(w.daemon()) // it was put back, since nothing could be written of its end
	w.wantFailed("fail.img", manifest.CodeImageCorrupt, "it is broken")
}

// Somebody made a file where the day's directory belongs: that fails no job whose output is good.
func TestBlockedDateDirectoryFailsNoGoodJob(t *testing.T) {
	w := newWorld(t)
	d := w.daemon()
	blocked := filepath.Join(w.w, queue.DirDone, time.Now().Format(time.DateOnly))
	if err := os.Symlink(w.pipe, blocked); err != nil {
		t.Fatal(err)
	}
	w.drop("ok.img", "x")
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx, t.Context()) }()
	eventually(t, "the job cannot end", func() bool {
		return strings.Contains(strings.Join(d.unrecordedReasons(), ""), "is not a directory")
	})
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the job ends", func() bool { terminal, _ := w.ended("ok.img"); return terminal != "" })
	w.wantDone("ok.img")
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// eventually waits for what another goroutine does to files: there is no event for it.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !cond() {
		if !pause(ctx, 5*time.Millisecond) {
			t.Fatal("in 30 s not: " + what)
		}
	}
}

func TestOutputDirectories(t *testing.T) {
	w := newWorld(t)
	own := filepath.Join(filepath.Dir(w.out), "mine")
	there := filepath.Join(filepath.Dir(w.out), "there")
	taken := filepath.Join(there, "ok-taken")
	if err := os.MkdirAll(taken, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"ok-a": own, "ok-b": own, "ok-c": there, "ok-taken": there, "ok-in": filepath.Join(own, "deep", "er")} {
		w.drop(name+".img", "x")
		w.drop(name+".yaml", "input: "+name+".img\noutput_dir: "+dir+"\n")
	}
	w.once(w.daemon())
	got := map[string]string{}
	for _, name := range []string{"ok-a", "ok-b", "ok-c", "ok-in"} {
		got[name], _ = w.wantDone(name + ".job")["output_dir"].(string)
		if _, err := os.Stat(filepath.Join(got[name], "report.json")); err != nil {
			t.Error(name, err)
		}
	}
	if got["ok-c"] != filepath.Join(there, "ok-c") {
		t.Errorf("a directory that is there gets one in it, not %s", got["ok-c"])
	}
	if got["ok-a"] == got["ok-b"] || !under(own, got["ok-a"]) || !under(own, got["ok-b"]) {
		t.Errorf("two jobs for one directory: %v", got)
	}
	w.wantFailed("ok-taken.job", manifest.CodeOutputExists, "there already")
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(w.out), "*", ".partial", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestEvidenceOfAFailedBootTest outlives the directory that the job built in, and no link that a child left is followed.
func TestEvidenceOfAFailedBootTest(t *testing.T) {
	w := newWorld(t)
	w.drop("unbootable-1.img", "disk")
	w.once(w.daemon())
	w.wantFailed("unbootable-1.img", manifest.CodeBootFailed, "it did not boot")
	records, err := filepath.Glob(filepath.Join(w.w, queue.DirFailed, "*", "unbootable-1.img.error.json"))
	if err != nil || len(records) != 1 {
		t.Fatal(records, err)
	}
	b, err := os.ReadFile(records[0])
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Evidence []string }
	if err := json.Unmarshal(b, &f); err != nil || len(f.Evidence) != 1 {
		t.Fatalf("evidence %q, %v", f.Evidence, err)
	}
	if got, err := os.ReadFile(filepath.Join(w.w, f.Evidence[0])); err != nil || string(got) != "(initramfs)" {
		t.Errorf("%q, %v", got, err)
	}
}
