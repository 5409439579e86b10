package main

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// canFUSE says whether a FUSE file system can be mounted here: by root, with bindfs and the kernel's device.
func canFUSE() bool {
	_, err := exec.LookPath("bindfs")
	f, ferr := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if ferr == nil {
		f.Close()
	}
	return err == nil && ferr == nil && os.Geteuid() == 0
}

// fuse BACK MOUNT mounts the directory BACK at MOUNT by a program in user space, whose process is $FUSE; fuse -gone MOUNT takes away
// what is left of a mount whose program was killed.
func mountFUSE(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fuse BACK MOUNT, fuse -gone MOUNT")
	}
	dir := ts.MkAbs(args[1])
	if args[0] == "-gone" {
		ts.Check(syscall.Unmount(dir, syscall.MNT_DETACH))
		return
	}
	for _, d := range []string{ts.MkAbs(args[0]), dir} {
		ts.Check(os.MkdirAll(d, 0o755))
	}
	var before, after syscall.Stat_t
	ts.Check(syscall.Stat(dir, &before))
	cmd := exec.Command("bindfs", "-f", ts.MkAbs(args[0]), dir)
	ts.Check(cmd.Start())
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	ts.Setenv("FUSE", strconv.Itoa(cmd.Process.Pid))
	ts.Defer(func() {
		_ = syscall.Kill(cmd.Process.Pid, syscall.SIGKILL)
		<-exited
		_ = syscall.Unmount(dir, syscall.MNT_DETACH)
	})
	until(ts, "the file system to be mounted", func() bool {
		return syscall.Stat(dir, &after) == nil && after.Dev != before.Dev
	})
}
