package tui_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// builds are the programs, built when they are needed first.
type builds struct {
	once sync.Once
	dir  string
	err  error
}

var built builds

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

func (b *builds) make() {
	if b.dir, b.err = os.MkdirTemp("", "tui-test-"); b.err != nil {
		return
	}
	out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", b.dir+"/", "../cmd/hyperctl", "../cmd/hyper2kvmd").CombinedOutput()
	if err != nil {
		b.err = fmt.Errorf("go build: %w\n%s", err, out)
	}
}

// programs are the directory with the client and the daemon.
func programs(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: the programs are not built in short mode, so nothing is tried on a terminal")
	}
	built.once.Do(built.make)
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

// openTerminal makes a terminal on which nobody answers: its other end is a file that is only read.
func openTerminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: there are no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { ours.Close() })
	fd := int(ours.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}

// TestOtherCommandsAskTheTerminalNothing: package hush. Without it, version would write an OSC 11 and wait 5 s for an answer.
func TestOtherCommandsAskTheTerminalNothing(t *testing.T) {
	bin := programs(t)
	ours, theirs := openTerminal(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "hyperctl"), "version")
	cmd.Env = []string{"TERM=xterm", "LC_ALL=C.UTF-8", "HOME=" + t.TempDir()}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.SysProcAttr = ownTerminal()
	began := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("version took %s: it waited for an answer of the terminal", took)
	}
	b := make([]byte, 4096)
	n, err := ours.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if b = b[:n]; bytes.ContainsRune(b, '\x1b') || !bytes.HasPrefix(b, []byte("hyperctl ")) {
		t.Errorf("version wrote %q", b)
	}
}

// tmux is a terminal that can be looked at.
type tmux struct {
	t      *testing.T
	socket string
}

func (m tmux) run(args ...string) string {
	m.t.Helper()
	out, err := exec.CommandContext(m.t.Context(), "tmux", append([]string{"-S", m.socket, "-f", "/dev/null"}, args...)...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (m tmux) keys(keys ...string) {
	m.t.Helper()
	m.run(append([]string{"send-keys", "-t", "w"}, keys...)...)
}

// shows waits until the screen holds all of the words.
func (m tmux) shows(words ...string) string {
	m.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	end := time.After(30 * time.Second)
	for {
		got := m.run("capture-pane", "-p", "-t", "w")
		missing := false
		for _, w := range words {
			missing = missing || !strings.Contains(got, w)
		}
		if !missing {
			return got
		}
		select {
		case <-tick.C:
		case <-end:
			m.t.Fatalf("the screen never showed %q:\n%s", words, got)
		}
	}
}

// TestWatchInTmux is a day's work on a real terminal with the real daemon.
func TestWatchInTmux(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("SKIPPED: tmux is not installed, so the full-screen program was not tried on a real terminal")
	}
	bin := programs(t)
	base := t.TempDir()
	w := filepath.Join(base, "w")
	for _, d := range []string{"w", "out"} {
		if err := os.Mkdir(filepath.Join(base, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	daemon := exec.CommandContext(t.Context(), filepath.Join(bin, "hyper2kvmd"), "--workflow-dir", w, "--output-dir", filepath.Join(base, "out"))
	var said bytes.Buffer
	daemon.Stderr = &said
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemon said:\n%s", said.String())
		}
	})
	waitFor(t, filepath.Join(w, ".hyper2kvm", "status.json"))

	m := tmux{t, filepath.Join(base, "tmux")}
	m.run("new-session", "-d", "-s", "w", "-x", "100", "-y", "30",
		"env -u CI -u ACCESSIBLE LC_ALL=C.UTF-8 NO_COLOR=1 TERM=screen "+filepath.Join(bin, "hyperctl")+" -d "+w+" workflow watch; echo back again; read x")
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", m.socket, "kill-server").Run() })
	m.shows("workers 0/", "no jobs here")

	m.keys("p")
	m.shows("p resumes the queue")
	drop(t, w, "good.raw", make([]byte, 1<<20))
	drop(t, w, "broken.vmdk", []byte("no disk at all"))
	m.shows("good.raw", "broken.vmdk", "[1]All 2")
	m.keys("/", "good", "Enter")
	m.shows("/good", "1 of 1")
	m.keys("x")
	m.shows("cancel good.raw? y: yes")
	m.keys("y")
	m.keys("Escape")
	m.shows("failed", "H2K-JOB-003", "1 of 2")
	m.keys("p")
	m.shows("H2K-SRC-006", "4 Failed 2")
	m.keys("4", "/", "broken", "Enter")
	m.shows("1 of 1", "broken.vmdk")
	m.keys("e")
	m.shows("FAILED in stage", "not changed", "hyperctl explain H2K-SRC-006")
	m.keys("Escape", "Escape")
	m.shows("1 of 2")
	m.keys("/", "good", "Enter")
	m.shows("1 of 1", "good.raw")
	m.keys("r")
	m.keys("Escape", "5")
	m.shows("[5]Done 1", "good.raw", "100%")
	m.keys("Enter")
	m.shows("Stages", "convert")
	m.keys("G")
	m.shows("proved equal")
	m.keys("g")
	m.shows("State      ✔ done")
	m.run("resize-window", "-t", "w", "-x", "60", "-y", "15")
	m.shows("1-10 of", "State      ✔ done")
	m.keys("Escape")

	// A daemon that stands still is told from one that is gone.
	if err := daemon.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	m.shows("hung")
	if err := daemon.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	m.shows("workers 0/")
	began := time.Now()
	m.run("capture-pane", "-p", "-t", "w")
	slack := 10 * time.Since(began) // what a look costs on this machine now
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = daemon.Wait()
	began = time.Now()
	m.shows("not running", "daemon down")
	if took := time.Since(began); took > 2*time.Second+slack {
		t.Errorf("the screen said after %s that the daemon is gone", took)
	}
	m.keys("q")
	if got := m.shows("back again"); strings.Contains(got, "hyperctl watch") {
		t.Errorf("the screen was not given back:\n%s", got)
	}
}

// drop puts a file into the drop zone in one step.
func drop(t *testing.T, w, name string, content []byte) {
	t.Helper()
	path := filepath.Join(w, name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-time.Hour) // a copy would be waited for
	if err := os.Chtimes(path, before, before); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, filepath.Join(w, "to_be_processed", name)); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t *testing.T, path string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(10 * time.Second)
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s never came", path)
		}
	}
}

// ownTerminal makes a child the leader of a session whose terminal is its standard input.
func ownTerminal() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true, Setctty: true} }
