package accel

import (
	"context"
	"errors"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxSaid is how much is kept of what qemu complains about: some lines.
const maxSaid = 4 << 10

// run runs a program in a process group of its own, which is killed when ctx ends and when this process dies. It returns the exit
// status and the last line that the program wrote to its standard error.
func run(ctx context.Context, program string, args ...string) (code int, said string, err error) {
	var complaint tail
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = &complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // whoever left the group may hold the standard error
	// The death signal comes when the thread ends that started the process: it is kept until the process is gone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), complaint.lastLine(), nil
	}
	return 0, complaint.lastLine(), err
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-maxSaid):]
	return len(p), nil
}

// lastLine returns the last line that is not empty, without anything that moves a cursor.
func (t *tail) lastLine() string {
	text := strings.TrimSpace(string(t.b))
	line := text[strings.LastIndexByte(text, '\n')+1:]
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return -1
		}
		return r
	}, line)
}

// userName returns the name of the user that this process runs as.
func userName() string {
	if u, err := user.Current(); err == nil {
		return strconv.Quote(u.Username)
	}
	return strconv.Itoa(unix.Geteuid())
}

// groupOf returns the name of a file's group; kvm is what the systems use.
func groupOf(path string) string {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return "kvm"
	}
	id := strconv.FormatUint(uint64(st.Gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return strconv.Quote(g.Name)
	}
	return id
}
