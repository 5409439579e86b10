package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal: what is written to ours is typed there, and what is read from ours is shown there.
func openTerminal() (ours, theirs *os.File, err error) {
	ours, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(ours.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	err = errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	if err == nil {
		theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		ours.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// attended runs a command at a terminal where somebody answers a question, holds its exit code, and keeps what the terminal showed in the
// file "screen": attended 0 'Which job' 1 hyperctl workflow show.
func attended(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	ours, theirs, err := openTerminal()
	ts.Check(err)
	defer ours.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, programPath(ts, args[3]), args[4:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(scriptEnv(ts), "TERM=dumb")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	ts.Check(cmd.Start())
	theirs.Close()
	var screen bytes.Buffer
	buf := make([]byte, 4096)
	answered := false
	for {
		n, err := ours.Read(buf)
		screen.Write(buf[:n])
		if !answered && strings.Contains(screen.String(), args[1]) {
			answered = true
			_, werr := ours.WriteString(args[2] + "\n")
			ts.Check(werr)
		}
		if err != nil { // the last program that had the terminal open has ended
			break
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs("screen"), screen.Bytes(), 0o644))
	got := 0
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want || !answered {
		ts.Fatalf("exit code %d, want %d; asked: %t\n%s", got, want, answered, screen.String())
	}
}

// programPath finds a program in the script's PATH.
func programPath(ts *testscript.TestScript, name string) string {
	for dir := range strings.SplitSeq(ts.Getenv("PATH"), ":") {
		if p := filepath.Join(dir, name); unix.Access(p, unix.X_OK) == nil {
			return p
		}
	}
	ts.Fatalf("there is no %s", name)
	return ""
}

// scriptEnv is what a program of a script needs of its environment.
func scriptEnv(ts *testscript.TestScript) (env []string) {
	for _, name := range []string{"PATH", "HOME", "HYPERCTL_WORKFLOW_DIR", "HYPERCTL_DAEMON_CONFIG"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

func TestTerminalIsATerminal(t *testing.T) {
	ours, theirs, err := openTerminal()
	if err != nil {
		t.Skipf("SKIPPED: there are no pseudo terminals here: %v", err)
	}
	defer ours.Close()
	defer theirs.Close()
	con := newConsole(theirs, theirs, theirs, func(string) string { return "" }, time.Now)
	if !con.interactive() {
		t.Error("nobody is at a terminal")
	}
	con.opts.output = outJSON
	if con.interactive() {
		t.Error("somebody is asked although a program reads")
	}
}
