package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hyperctl": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			// Nothing of this machine: no home, no daemon, a locale without UTF-8.
			env.Setenv("HOME", env.Getenv("WORK")+"/home")
			env.Setenv("HYPERCTL_DAEMON_CONFIG", env.Getenv("WORK")+"/daemon.yaml")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       exits,
			"disk":        makeDisk,
			"daemon":      daemonCommand(),
			"waitfor":     waitFor,
			"interrupted": interrupted,
			"attended":    attended,
		},
	})
}

// exits runs a command and holds its exit code: exits 2 hyperctl workflow -op.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// makeDisk makes a raw image with some data: disk FILE SIZE [OFFSET BYTE].
func makeDisk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 && len(args) != 4 {
		ts.Fatalf("usage: disk FILE SIZE [OFFSET TEXT]")
	}
	path := ts.MkAbs(args[0])
	size, err := strconv.ParseInt(args[1], 0, 64)
	ts.Check(err)
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	ts.Check(err)
	ts.Check(f.Truncate(size))
	if len(args) == 4 {
		off, err := strconv.ParseInt(args[2], 0, 64)
		ts.Check(err)
		_, err = f.WriteAt([]byte(args[3]), off)
		ts.Check(err)
	}
	ts.Check(f.Close())
}

// waitFor runs a command until it prints something about an entry: what the daemon finds out stands in its next heartbeat.
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(20 * time.Second)
	for {
		ts.Check(ts.Exec(args[0], args[1:]...))
		if strings.Contains(ts.ReadFile("stdout"), "STATE") {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nothing is held:\n%s", ts.ReadFile("stdout"))
		}
	}
}

// interrupted sends a command SIGINT when it has printed a text, and holds its exit code: interrupted 130 TEXT hyperctl ...
func interrupted(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, programPath(ts, args[2]), args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = scriptEnv(ts)
	cmd.Stderr = ts.Stderr()
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		ts.Logf("%s", lines.Text())
		if strings.Contains(lines.Text(), args[1]) {
			ts.Check(cmd.Process.Signal(os.Interrupt))
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != want {
		ts.Fatalf("ended with %v, want exit code %d", err, want)
	}
}
