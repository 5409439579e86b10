package daemon

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/convert"
)

// TestMain lets the test binary play the part of a child: what it does is in the environment.
func TestMain(m *testing.M) {
	switch os.Getenv("H2K_TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "echo": // answers the job with a result that repeats its id, then ends with stdin
		line := make([]byte, 1<<16)
		n, _ := os.Stdin.Read(line)
		m, err := parseMessage(line[:n])
		if err != nil {
			os.Exit(3)
		}
		out := &sender{w: os.Stdout}
		_ = out.send(message{Type: msgLog, Text: m.Request.ID})
		_, _ = io.Copy(io.Discard, os.Stdin)
	case "lock": // says whether fd 3 is open
		_, err := os.NewFile(3, "lock").Stat()
		_ = (&sender{w: os.Stdout}).send(message{Type: msgLog, Text: map[bool]string{true: "open", false: "closed"}[err == nil]})
	case "die":
		_, _ = os.Stderr.WriteString("out of cheese\n")
		os.Exit(7)
	case "garbage":
		_, _ = os.Stdout.WriteString("{\"v\":99}\n")
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		_ = (&sender{w: os.Stdout}).send(message{Type: msgLog, Text: "ready"})
		time.Sleep(time.Hour)
	case "hang":
		time.Sleep(time.Hour)
	case "job":
		fakeJob()
	case "watcher":
		watcher()
	}
}

func startTestChild(t *testing.T, part string) *child {
	t.Helper()
	lock, err := os.Create(t.TempDir() + "/lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := Spawner{Path: self, Env: append(os.Environ(), "H2K_TEST_CHILD="+part)}
	c, err := s.start(lock, 2*time.Second, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.signal(syscall.SIGKILL) })
	_ = c.out.send(message{Type: msgJob, Request: &convert.Request{ID: "01JOB"}}) // not all of them listen
	return c
}

func TestChildHearsItsJobAndEndsWithStdin(t *testing.T) {
	c := startTestChild(t, "echo")
	m, err := c.next()
	if err != nil || m.Text != "01JOB" {
		t.Fatalf("got %+v, %v", m, err)
	}
	if err := c.wait(); err != nil {
		t.Errorf("the child did not end with its stdin: %v", err)
	}
}

func TestChildHoldsTheLock(t *testing.T) {
	c := startTestChild(t, "lock")
	m, err := c.next()
	if err != nil || m.Text != "open" {
		t.Errorf("fd 3 is %q, %v; want open", m.Text, err)
	}
	_ = c.wait()
}

// The end of a process is waited for without a thread that blocks, and its exit status is left for who takes it.
func TestEndIsAwaited(t *testing.T) {
	if fd, err := unix.PidfdOpen(os.Getpid(), unix.PIDFD_NONBLOCK); err != nil {
		t.Skip("this kernel has no descriptors of processes that do not block:", err)
	} else {
		unix.Close(fd)
	}
	for range 20 {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", "read x; exit 7")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan bool)
		go func() { ended <- awaitEnd(cmd.Process.Pid) }()
		select {
		case <-ended:
			t.Fatal("it has not ended yet")
		default:
		}
		in.Close()
		if !<-ended {
			t.Fatal("it cannot be waited for")
		}
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
			t.Fatal("its exit status is gone:", err)
		}
	}
}

func TestChildThatDies(t *testing.T) {
	c := startTestChild(t, "die")
	if _, err := c.next(); !errors.Is(err, io.EOF) {
		t.Errorf("next: %v, want EOF", err)
	}
	how := describeExit(c.wait(), c.tail.String())
	if !strings.Contains(how, "exit status 7") || !strings.Contains(how, "out of cheese") {
		t.Errorf("described as %q", how)
	}
}

func TestChildOfAnotherVersion(t *testing.T) {
	c := startTestChild(t, "garbage")
	if _, err := c.next(); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("got %v", err)
	}
	_ = c.wait()
}

func TestStalledChildIsEnded(t *testing.T) {
	c := startTestChild(t, "hang")
	alive, stalled := c.watchStall(t.Context(), 50*time.Millisecond)
	alive()
	if _, err := c.next(); !errors.Is(err, io.EOF) {
		t.Errorf("next: %v, want EOF", err)
	}
	how := describeExit(c.wait(), "")
	if !stalled() {
		t.Error("the watch did not fire")
	}
	if !strings.Contains(how, "signal") {
		t.Errorf("described as %q", how)
	}
}

func TestChildThatIgnoresItsEndIsKilled(t *testing.T) {
	c := startTestChild(t, "stubborn")
	if m, err := c.next(); err != nil || m.Text != "ready" {
		t.Fatal(m, err)
	}
	c.stop()
	c.stop() // twice does no harm
	if _, err := c.next(); !errors.Is(err, io.EOF) {
		t.Errorf("next: %v, want EOF", err)
	}
	if how := describeExit(c.wait(), ""); !strings.Contains(how, "killed") {
		t.Errorf("described as %q", how)
	}
}

func TestTailBufferKeepsTheEnd(t *testing.T) {
	b := &tailBuffer{max: 5}
	for _, s := range []string{"abc", "defgh", "i"} {
		if n, err := b.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	if b.String() != "efghi" {
		t.Errorf("kept %q", b.String())
	}
}

// A process that does not read its job is ended as one that stands still, also while the job is still being written to it.
func TestChildThatDoesNotListen(t *testing.T) {
	c := startTestChild(t, "hang")
	_, stalled := c.watchStall(t.Context(), 50*time.Millisecond)
	if err := c.out.send(message{Type: msgLog, Text: strings.Repeat("x", 1<<20)}); err == nil {
		t.Error("a megabyte went into a pipe that nobody reads")
	}
	_ = c.wait()
	if !stalled() {
		t.Error("the watch did not fire")
	}
}
