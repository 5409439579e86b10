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
	if err := daemon.ServeJob(ctx, pollable(os.Stdin), os.Stdout, childOptions()); err != nil {
		fmt.Fprintln(os.Stderr, "job:", err)
		return exitError
	}
	return exitOK
}

// pollable returns a pipe in such a way that a read of it waits in Go's poller and not in the kernel. Go 1.26 may stand still for a minute
// when a thread goes into a system call that does not end in the moment in which all are stopped, as the garbage collector does: by then
// the thread has passed the check for that and is not yet known to be away (reentersyscall in runtime/proc.go), and only the runtime's
// monitor, which sleeps, would find it.
func pollable(pipe *os.File) *os.File {
	fd := int(pipe.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		return pipe
	}
	return os.NewFile(uintptr(fd), pipe.Name())
}
