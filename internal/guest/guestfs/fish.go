package guestfs

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/guest"
)

// Limits of what guestfish says.
const (
	maxStdout = 16 << 20 // of one command; a reply of the appliance is at most 4 MiB, and printing it as text makes it longer
	maxStderr = 64 << 10 // that is kept of one command's error
	tailLines = 8        // of the standard error that stand in the error of a dead process
	heartbeat = 15 * time.Second
	// maxCall is how long one command may take: it shows that it goes on, so nobody else would ever end one that hangs. The longest that
	// ends by itself is a check of a file system of many terabytes without KVM.
	maxCall = 12 * time.Hour
	// minRoom is how much must be free on the host below the drives. qemu stands still when a write finds no room, and nobody would make
	// it go on; far above what one write takes, because some file systems run out before they say so.
	minRoom = 16 << 20
)

// stderrName is the file in Options.Dir that takes the standard error.
const stderrName = "guestfish-stderr"

// fish is a running guestfish. It does one command at a time.
type fish struct {
	dir    string // of the drives
	full   func(dir string) bool
	mu     sync.Mutex
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *os.File
	stderr *os.File // a file and not a pipe: what a command has written there is there when its marker is
	done   chan struct{}
	exit   error // of the process, when done is closed
	dead   error // why nothing more can be done
	buf    []byte
}

// newFish starts guestfish in a process group of its own, which dies with us.
func newFish(o Options, program string) (*fish, error) {
	f := &fish{dir: o.Dir, full: full, done: make(chan struct{}), buf: make([]byte, 64<<10)}
	var err error
	f.stderr, err = os.OpenFile(filepath.Join(o.Dir, stderrName), os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		f.stderr.Close()
		return nil, err
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		f.stderr.Close()
		inRead.Close()
		inWrite.Close()
		return nil, err
	}
	f.stdin, f.stdout = inWrite, outRead
	//nolint:noctx // the process outlives the call that starts it; Kill and every command's context end it
	f.cmd = exec.Command(program, "--keys-from-stdin", "--no-progress-bars")
	f.cmd.Env, f.cmd.Dir = o.environment(), o.Dir
	f.cmd.Stdin, f.cmd.Stdout, f.cmd.Stderr = inRead, outWrite, f.stderr
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// The death signal comes when the thread ends that started the process, so that thread is kept until the process is gone.
		runtime.LockOSThread()
		err := f.cmd.Start()
		started <- err
		if err == nil {
			f.exit = f.wait()
		}
		close(f.done)
	}()
	err = <-started
	inRead.Close()
	outWrite.Close()
	if err != nil {
		f.closeFiles()
		return nil, fmt.Errorf("%w: %w", guest.ErrUnavailable, err)
	}
	return f, nil
}

// wait waits for guestfish and ends what it leaves behind. Until it is reaped, the number of its group can be nobody else's.
func (f *fish) wait() error {
	for {
		err := unix.Waitid(unix.P_PID, f.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	// The only error is that nothing is left.
	_ = syscall.Kill(-f.cmd.Process.Pid, syscall.SIGKILL)
	return f.cmd.Wait()
}

// end says how guestfish ended.
func (f *fish) end() string {
	if f.exit == nil {
		return "by itself"
	}
	return f.exit.Error()
}

// kill ends guestfish and what it started, and waits until guestfish is gone.
func (f *fish) kill() {
	f.signal()
	<-f.done
}

// signal kills the process group.
func (f *fish) signal() {
	select {
	case <-f.done: // its number may be another's by now
	default:
		// The only error is that the group is gone already.
		_ = syscall.Kill(-f.cmd.Process.Pid, syscall.SIGKILL)
	}
}

func (f *fish) closeFiles() {
	f.stdin.Close()
	f.stdout.Close()
	f.stderr.Close()
}

// do sends a command line, and after it the lines that it reads itself, and returns what it printed. What it complained about is the
// error.
func (f *fish) do(ctx context.Context, alive func(time.Duration), line string, input ...string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead != nil {
		return nil, f.dead
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	stop := context.AfterFunc(ctx, f.signal)
	defer stop()
	defer f.watch(alive, giveUp)()
	marker := rand.Text()
	lines := slices.Concat([]string{"-" + line}, input, []string{"echo " + marker, ""})
	_, err := io.WriteString(f.stdin, strings.Join(lines, "\n"))
	var out []byte
	if err == nil {
		out, err = f.readTo(marker + "\n")
	}
	complaint := f.complaint()
	if err != nil {
		return nil, f.died(ctx, err, complaint)
	}
	if complaint != "" {
		err = complained(complaint)
		if errors.Is(err, guest.ErrAppliance) {
			f.dead = err
		}
		return nil, err
	}
	return out, nil
}

// watch calls alive, which may be nil, from time to time until the function that it returns is called, and gives up what has no room on
// the host or takes too long.
func (f *fish) watch(alive func(time.Duration), giveUp context.CancelCauseFunc) (stop func()) {
	end := make(chan struct{})
	go func() {
		begin := time.Now()
		tick := time.NewTicker(heartbeat)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case now := <-tick.C:
				took := now.Sub(begin).Round(time.Second)
				switch {
				case f.full(f.dir):
					giveUp(fmt.Errorf("the host has less than %d MiB left in %s: %w", minRoom>>20, f.dir, syscall.ENOSPC))
				case took > maxCall:
					giveUp(fmt.Errorf("it did not end within %v", maxCall))
				case alive != nil:
					alive(took)
				}
			}
		}
	}()
	return func() { close(end) }
}

// full reports whether the file system of dir has no room. One that does not say has some.
func full(dir string) bool {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil || st.Blocks == 0 {
		return false
	}
	free := st.Bavail
	if os.Geteuid() == 0 {
		free = st.Bfree // what is kept for root is for us
	}
	return free < minRoom/uint64(max(st.Bsize, 1))
}

// readTo reads the standard output up to the marker.
func (f *fish) readTo(marker string) ([]byte, error) {
	var out []byte
	for {
		n, err := f.stdout.Read(f.buf)
		out = append(out, f.buf[:n]...)
		if rest, ok := bytes.CutSuffix(out, []byte(marker)); ok {
			return rest, nil
		}
		if err != nil {
			return nil, err
		}
		if len(out) > maxStdout {
			return nil, fmt.Errorf("%w: more than %d bytes of output", guest.ErrLimit, maxStdout)
		}
	}
}

// complaint takes what stands on the standard error.
func (f *fish) complaint() string {
	info, err := f.stderr.Stat()
	if err != nil || info.Size() == 0 {
		return ""
	}
	b := make([]byte, min(info.Size(), maxStderr))
	n, err := f.stderr.ReadAt(b, info.Size()-int64(len(b)))
	if err != nil && !errors.Is(err, io.EOF) {
		return "the standard error cannot be read: " + err.Error()
	}
	if err := f.stderr.Truncate(0); err != nil {
		return "the standard error cannot be emptied: " + err.Error()
	}
	return string(b[:n])
}

// died makes the error of a process that gives no more answers, and ends what is left of it.
func (f *fish) died(ctx context.Context, cause error, complaint string) error {
	f.kill()
	complaint += f.complaint()
	if ctx.Err() != nil {
		f.dead = fmt.Errorf("%w: it was stopped: %w", guest.ErrAppliance, context.Cause(ctx))
		return f.dead
	}
	if errors.Is(cause, io.EOF) || errors.Is(cause, syscall.EPIPE) {
		cause = errors.New("guestfish ended: " + f.end())
	}
	f.dead = fmt.Errorf("%w: %w%s", guest.ErrAppliance, cause, tail(complaint))
	return f.dead
}

// tail is the last lines of text, quoted for an error.
func tail(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	return fmt.Sprintf(": %s", clean(strings.Join(lines[max(0, len(lines)-tailLines):], "; ")))
}
