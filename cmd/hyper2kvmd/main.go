// Command hyper2kvmd watches a workflow directory and converts what is dropped there.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes, as the help lists them; hyperctl uses the same numbers for the same things.
const (
	exitOK        = 0
	exitError     = 1
	exitUsage     = 2
	exitConfig    = 3
	exitJobFailed = 6
	exitConflict  = 8 // another daemon has the workflow directory
)

// exitCode carries the code that main ends with.
type exitCode struct {
	code int
	err  error
}

func (e *exitCode) Error() string { return e.err.Error() }
func (e *exitCode) Unwrap() error { return e.err }

func main() {
	os.Exit(run(os.Args[1:]))
}

// run maps the command line to a program: the daemon, or the child that runs one job.
func run(args []string) int {
	if len(args) == 1 && args[0] == "job" {
		return runJob()
	}
	if asked, err := ship(args, os.Stdout); asked {
		return exitOf(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	cmd := newCommand()
	cmd.SetArgs(withoutDaemonWord(args))
	return exitOf(cmd.ExecuteContext(ctx))
}

// exitOf says what went wrong, and which code the program ends with.
func exitOf(err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(os.Stderr, "hyper2kvmd:", err)
	if code, ok := errors.AsType[*exitCode](err); ok {
		return code.code
	}
	return exitUsage
}

// withoutDaemonWord accepts `hyper2kvmd daemon --workflow-mode ...`, the spelling that users know.
func withoutDaemonWord(args []string) []string {
	if len(args) > 0 && args[0] == "daemon" {
		return args[1:]
	}
	return args
}
