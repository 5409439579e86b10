package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/daemon"
)

// lockFD is where the daemon passes the queue's lock. The child only keeps it open: as long as a child of a killed daemon
// lives, no other daemon can take the directory.
const lockFD = 3

// runJob is the process that runs one job: the job comes on stdin, events and the result go to stdout.
func runJob() int {
	unix.CloseOnExec(lockFD) // the programs that a job starts must not hold the queue
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := daemon.ServeJob(ctx, os.Stdin, os.Stdout, childOptions()); err != nil {
		fmt.Fprintln(os.Stderr, "job:", err)
		return exitError
	}
	return exitOK
}
