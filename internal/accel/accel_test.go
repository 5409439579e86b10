package accel

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fake returns options with a device that opens and a qemu that is a shell script.
func fake(tb testing.TB, script string) Options {
	tb.Helper()
	dir := tb.TempDir()
	qemu, device := filepath.Join(dir, "qemu"), filepath.Join(dir, "kvm")
	for path, text := range map[string]string{qemu: "#!/bin/sh\n" + script + "\n", device: ""} {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	return Options{QEMU: qemu, Dir: dir, Timeout: 5 * time.Second, device: device}
}

// TestTheTrialCodeRuns runs it without acceleration, which works everywhere.
func TestTheTrialCodeRuns(t *testing.T) {
	if _, err := exec.LookPath(DefaultQEMU); err != nil {
		t.Skipf("SKIPPED: %s is not installed, so the trial code ran nowhere", DefaultQEMU)
	}
	device := filepath.Join(t.TempDir(), "device")
	if err := os.WriteFile(device, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if res := Probe(t.Context(), Options{accelerator: "tcg", device: device, Timeout: time.Minute}); !res.KVM || res.Why != "" {
		t.Errorf("%+v", res)
	}
}

// TestThisHost demands an answer in time, whatever it is.
func TestThisHost(t *testing.T) {
	begin := time.Now()
	res := Probe(t.Context(), Options{Timeout: 2 * time.Second})
	if res.KVM != (res.Why == "") || time.Since(begin) > 30*time.Second {
		t.Errorf("%+v after %s", res, time.Since(begin))
	}
	t.Logf("KVM %v in %s: %s", res.KVM, res.Took, res.Why)
}

func TestWhy(t *testing.T) {
	noDevice := fake(t, "exit 33")
	noDevice.device = filepath.Join(t.TempDir(), "nothing")
	noQEMU := fake(t, "")
	noQEMU.QEMU = "qemu-system-nothing"
	noRoom := fake(t, "exit 33")
	noRoom.Dir = filepath.Join(noRoom.Dir, "nothing")
	noExec := fake(t, "")
	if err := os.WriteFile(noExec.QEMU, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	slow := fake(t, "sleep 600")
	slow.Timeout = 200 * time.Millisecond
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"it works":          {fake(t, "exit 33"), ""},
		"no device":         {noDevice, "there is no " + noDevice.device},
		"no qemu":           {noQEMU, "qemu-system-nothing was not found; install"},
		"no room":           {noRoom, "the trial VM could not be prepared"},
		"no program":        {noExec, "the trial VM could not be started"},
		"it stands still":   {slow, "a trial VM stood still for 200ms"},
		"qemu complains":    {fake(t, `printf 'first\n\033[31mfailed to initialize kvm: Device or resource busy\n' >&2; exit 1`), "a trial VM did not run: [31mfailed to initialize kvm: Device or resource busy"},
		"qemu says no more": {fake(t, "exit 0"), "a trial VM did not run: it ended with status 0"},
		"qemu is killed":    {fake(t, "kill -9 $$"), "a trial VM did not run: it ended with status -1"},
	} {
		t.Run(name, func(t *testing.T) {
			res := Probe(t.Context(), c.o)
			if res.KVM != (c.want == "") || !strings.HasPrefix(res.Why, c.want) || strings.ContainsAny(res.Why, "\x1b\n") {
				t.Errorf("%+v, want %q", res, c.want)
			}
		})
	}
}

// TestNoPermission needs a user whom permissions bind.
func TestNoPermission(t *testing.T) {
	o := fake(t, "exit 33")
	if err := os.Chmod(o.device, 0); err != nil {
		t.Fatal(err)
	}
	if f, err := os.OpenFile(o.device, os.O_RDWR, 0); err == nil {
		f.Close()
		t.Skip("SKIPPED: root may open every file, so nobody saw what is said to others; run the tests as another user")
	}
	if res := Probe(t.Context(), o); res.KVM || !strings.Contains(res.Why, "to the group") {
		t.Errorf("%+v", res)
	}
}

// TestNothingIsLeftRunning has qemu start a child of its own, which must go with it.
func TestNothingIsLeftRunning(t *testing.T) {
	o := fake(t, `sleep 600 & echo $! > "$(dirname "$0")/child"; wait`)
	ctx, cancel := context.WithCancel(t.Context())
	pid := filepath.Join(o.Dir, "child")
	go func() {
		for ctx.Err() == nil {
			if b, err := os.ReadFile(pid); err == nil && len(b) > 0 && b[len(b)-1] == '\n' {
				cancel()
			}
		}
	}()
	res := Probe(ctx, o)
	if res.KVM || !strings.Contains(res.Why, "called off") {
		t.Errorf("%+v", res)
	}
	b, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Sscan(string(b), &child); err != nil {
		t.Fatal(err)
	}
	if fd, err := unix.PidfdOpen(child, 0); err == nil { // otherwise it is gone already
		defer unix.Close(fd)
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000); n != 1 {
			t.Errorf("the child goes on (%v)", err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(o.Dir, "accel-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestRemember counts the starts of qemu.
func TestRemember(t *testing.T) {
	o := fake(t, `echo >> "$(dirname "$0")/starts"; exit $(cat "$(dirname "$0")/status")`)
	path := filepath.Join(o.Dir, "accel.json")
	status := func(s string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(o.Dir, "status"), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var starts int
	ask := func(name string, wantKVM bool, wantStarts int) {
		t.Helper()
		res, err := Remember(t.Context(), path, o)
		b, _ := os.ReadFile(filepath.Join(o.Dir, "starts"))
		if err != nil || res.KVM != wantKVM || res.KVM != (res.Why == "") || len(b)-starts != wantStarts {
			t.Errorf("%s: %+v, %v, %d starts; want %v with %d", name, res, err, len(b)-starts, wantKVM, wantStarts)
		}
		starts = len(b)
	}
	edit := func(change func(*record)) {
		t.Helper()
		r, ok := readRecord(path)
		if !ok {
			t.Fatal("nothing is remembered")
		}
		change(&r)
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	status("33")
	ask("first", true, 1)
	ask("again", true, 0)
	edit(func(r *record) { r.CheckedAt = r.CheckedAt.Add(-1000 * time.Hour) })
	ask("long after a yes", true, 0)
	for name, change := range map[string]func(*record){
		"another boot":   func(r *record) { r.BootID = "x" },
		"another kernel": func(r *record) { r.Kernel = "x" },
		"another device": func(r *record) { r.Device = "x" },
		"another qemu":   func(r *record) { r.QEMU = "x" },
		"nonsense":       func(r *record) { r.Why = "yes and no" },
	} {
		edit(change)
		ask(name, true, 1)
		ask(name+", again", true, 0)
	}
	for name, text := range map[string]string{"empty": "", "broken": `{"kvm":true,`, "another thing": `[1]`, "huge": strings.Repeat(" ", maxRecord) + "{}"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		ask(name, true, 1)
	}
	status("1")
	edit(func(r *record) { r.BootID = "x" })
	ask("a no", false, 1)
	ask("a no, again", false, 0)
	edit(func(r *record) { r.CheckedAt = r.CheckedAt.Add(-2 * time.Hour) })
	ask("an old no", false, 1)
	edit(func(r *record) { r.CheckedAt = r.CheckedAt.Add(2 * time.Hour) })
	ask("a no from the future", false, 1)
	if err := os.Remove(o.device); err != nil {
		t.Fatal(err)
	}
	ask("without a device", false, 0)
	path = filepath.Join(o.Dir, "nothing", "accel.json")
	o.device = os.DevNull
	status("33")
	if res, err := Remember(t.Context(), path, o); !res.KVM || err == nil {
		t.Errorf("a place that cannot be written: %+v, %v", res, err)
	}
}

// TestACallOffIsNotRemembered because it says nothing about the host.
func TestACallOffIsNotRemembered(t *testing.T) {
	o := fake(t, "exit 33")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(o.Dir, "accel.json")
	if res, err := Remember(ctx, path, o); res.KVM || err != nil {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it was remembered")
	}
}
