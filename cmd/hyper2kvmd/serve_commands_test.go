package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// servedAt finds the address that hyperctl serve prints.
var servedAt = regexp.MustCompile(`address +https?://127\.0\.0\.1:(\d+)/`)

// serve [ARG...] starts hyperctl serve on a free port and on api.sock in the background, and waits until it answers.
func startServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("serve cannot be negated")
	}
	path := ts.MkAbs("serve.log")
	log, err := os.Create(path)
	ts.Check(err)
	defer log.Close()
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--socket", ts.MkAbs("api.sock")}, args...)
	cmd := exec.Command(filepath.Join(binDir, "hyperctl"), args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "HYPERCTL_WORKFLOW_DIR="+ts.Getenv("HYPERCTL_WORKFLOW_DIR"),
		"HYPERCTL_DAEMON_CONFIG="+ts.MkAbs("daemon.yaml"))
	cmd.Stdout, cmd.Stderr = log, log
	ts.Check(cmd.Start())
	pid := cmd.Process.Pid
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	ts.Setenv("SERVER", strconv.Itoa(pid))
	ts.Defer(func() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		<-exited
	})
	until(ts, "hyperctl serve to answer", func() bool {
		b, _ := os.ReadFile(path)
		select {
		case <-exited:
			ts.Fatalf("hyperctl serve ended:\n%s", b)
		default:
		}
		at := servedAt.FindSubmatch(b)
		if at == nil {
			return false
		}
		ts.Setenv("PORT", string(at[1]))
		return ts.Exec("curl", "-sf", "http://127.0.0.1:"+string(at[1])+"/livez") == nil
	})
}

// unserve ends hyperctl serve as a person does, and waits until it has gone.
func stopServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: unserve")
	}
	pid, err := strconv.Atoi(ts.Getenv("SERVER"))
	ts.Check(err)
	ts.Check(syscall.Kill(pid, syscall.SIGINT))
	until(ts, "hyperctl serve to end", func() bool { return syscall.Kill(pid, 0) != nil })
}

// web [-until REGEXP] COMMAND... runs a command line in which localhost:8080 stands for where the server is; again and again until what
// it prints matches.
func web(ts *testscript.TestScript, neg bool, args []string) {
	var wanted *regexp.Regexp
	if len(args) > 2 && args[0] == "-until" {
		wanted, args = regexp.MustCompile(args[1]), args[2:]
	}
	if neg || len(args) == 0 {
		ts.Fatalf("usage: web [-until REGEXP] COMMAND...")
	}
	words := make([]string, len(args))
	for i, word := range args {
		words[i] = strings.ReplaceAll(word, "localhost:8080", "localhost:"+ts.Getenv("PORT"))
	}
	if words[0] == "curl" {
		words = append([]string{"curl", "-s", "--max-time", "20"}, words[1:]...)
	}
	if wanted == nil {
		ts.Check(ts.Exec(words[0], words[1:]...))
		return
	}
	until(ts, strings.Join(words, " ")+" to print "+wanted.String(), func() bool {
		ts.Check(ts.Exec(words[0], words[1:]...))
		return wanted.MatchString(ts.ReadFile("stdout"))
	})
}
