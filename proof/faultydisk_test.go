package proof_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/proof/cutdisk"
)

// oneJob formats the disk of a rig and puts one job into the drop zone of the queue on it.
func oneJob(t *testing.T, r *rig) (w *workload, d drop, marks []any) {
	t.Helper()
	w, err := newWorkload(rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.format(), r.mount()); err != nil {
		t.Fatal(err)
	}
	if _, err := once(r, ""); err != nil {
		t.Fatal(err)
	}
	stage := filepath.Join(r.dirs[0], "stage")
	if err := os.Mkdir(stage, 0o755); err != nil {
		t.Fatal(err)
	}
	j := &cutdisk.Journal{}
	for _, d = range w.drops {
		if d.name == "moved.raw" {
			break
		}
	}
	if err := d.submit(filepath.Join(r.w(), "to_be_processed"), stage, j); err != nil {
		t.Fatal(err)
	}
	for _, op := range j.Ops() {
		marks = append(marks, op.Mark)
	}
	return w, d, marks
}

// again unmounts the disk of a rig and mounts it, so that nothing of it is cached.
func again(t *testing.T, r *rig) {
	t.Helper()
	if err := r.unmount(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.load(r.images(), nil), r.mount()); err != nil {
		t.Fatal(err)
	}
}

// TestReadError has the disk refuse to read one page of a source: the job fails and says where, the source stays, and it can be retried.
func TestReadError(t *testing.T) {
	onlyInProof(t)
	r := newRigs(t, server(t), fileSystems[0], 1)[0]
	_, d, _ := oneJob(t, r)
	again(t, r)
	content := d.files[0].content
	page := content[len(content)/2&^4095:][:4096]
	for at := len(content) / 2 &^ 4095; bytes.Count(page, []byte{0}) > 2048; at += 4096 {
		page = content[at:][:4096]
	}
	r.slots[0].FailReads(func(_ int64, b []byte) bool { return bytes.Contains(b, page) })
	if _, err := once(r, ""); err != nil {
		t.Fatal(err)
	}
	row := finding{Fault: "source that cannot be read, ext4", States: 1}
	failed, _ := filepath.Glob(filepath.Join(r.w(), "failed", "*", d.name))
	if len(failed) != 1 {
		t.Fatalf("failed: %v", failed)
	}
	var rec struct{ Code, Error string }
	b, err := os.ReadFile(failed[0] + ".error.json")
	if err := errors.Join(err, json.Unmarshal(b, &rec)); err != nil || rec.Code != "H2K-SRC-008" || !strings.Contains(rec.Error, d.name+" at 0x") {
		t.Errorf("%s %v", b, err)
		row.Violations++
	}
	again(t, r)
	if err := os.Rename(failed[0], filepath.Join(r.w(), "to_be_processed", d.name)); err != nil {
		t.Fatal(err)
	}
	if _, err := once(r, ""); err != nil {
		t.Fatal(err)
	}
	done, _ := filepath.Glob(filepath.Join(r.w(), "processed", "*", d.name))
	if len(done) != 1 {
		t.Fatalf("processed: %v", done)
	}
	if b, err := os.ReadFile(done[0]); err != nil || sha256.Sum256(b) != contentOf(d.files[0]) {
		t.Errorf("the source is not what it was: %v", err)
		row.Violations++
	}
	report(t, row)
	if err := r.unmount(); err != nil {
		t.Error(err)
	}
}

// TestReadOnlyDisk has the disk of the queue refuse every write from the middle of a job on, until ext4 lets nobody write any more: the
// daemon lives and says so, and when the disk is sound again the next one finishes the job.
func TestReadOnlyDisk(t *testing.T) {
	onlyInProof(t)
	f := fileSystems[0]
	f.opts = "errors=remount-ro"
	r := newRigs(t, server(t), f, 1)[0]
	work, _, marks := oneJob(t, r)
	hold := t.TempDir()
	if err := os.WriteFile(filepath.Join(hold, "convert"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	daemon := exec.Command(program("hyper2kvmd"), "--config", r.conf)
	daemon.Env, daemon.Stdout, daemon.Stderr = append(daemonEnv(""), "H2K_TEST_HOLD="+hold), log, log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = daemon.Wait(); close(exited) }()
	kill := func() { _ = daemon.Process.Kill(); <-exited }
	defer kill()
	said := func() string { b, _ := os.ReadFile(log.Name()); return string(b) }
	wait := func(what string, cond func() bool) {
		t.Helper()
		for limit := time.Now().Add(time.Minute); !cond(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("never: %s\n%s", what, said())
			}
		}
	}
	wait("the job stands before convert", func() bool { _, err := os.Stat(filepath.Join(hold, "convert.held")); return err == nil })
	r.slots[0].FailWrites(func(int64, []byte) bool { return true })
	wait("ext4 is read-only", func() bool {
		err := os.WriteFile(filepath.Join(r.dirs[0], "poke"), []byte("x"), 0o600)
		syncAll(r)
		var st unix.Statfs_t
		return errors.Is(err, unix.EROFS) || unix.Statfs(r.dirs[0], &st) == nil && st.Flags&unix.ST_RDONLY != 0
	})
	if err := os.Remove(filepath.Join(hold, "convert")); err != nil {
		t.Fatal(err)
	}
	row := finding{Fault: "disk that turns read-only, ext4", States: 1}
	wait("the daemon says so", func() bool { return strings.Contains(said(), "read-only file system") })
	lines := strings.Count(said(), "\n")
	time.Sleep(3 * time.Second) // whether it spins shows in time only
	if more := strings.Count(said(), "\n") - lines; more > 30 {
		t.Errorf("the daemon wrote %d lines in three seconds:\n%s", more, said())
		row.Violations++
	}
	if err := daemon.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the daemon is gone: %v\n%s", err, said())
		row.Violations++
	}
	kill()
	if err := r.unmount(); err != nil {
		t.Fatal(err)
	}
	r.fs.opts = ""
	l := &life{work: work}
	if err := l.recoverOnce(r, state{disks: r.images(), marks: marks}, nil, ""); err != nil {
		t.Error(err)
		row.Violations++
	}
	report(t, row)
}
