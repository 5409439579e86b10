package boottest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxSaid is how much is kept of what qemu complains about: some lines.
const maxSaid = 8 << 10

// vm is a running qemu in a process group of its own, which is killed when this process dies.
type vm struct {
	cmd     *exec.Cmd
	serial  *os.File // what the guest writes to its serial port
	monitor *monitor
	said    tail
	done    chan struct{} // closed when the process is gone
	exit    error         // why; only after done
}

// start starts qemu.
func start(qemu string, args []string) (*vm, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	serial, serialEnd, err := os.Pipe()
	if err != nil {
		_ = ours.Close() // nothing was sent
		return nil, err
	}
	defer serialEnd.Close()
	v := &vm{serial: serial, done: make(chan struct{})}
	//nolint:noctx // the caller ends the process by kill, whatever happens
	v.cmd = exec.Command(qemu, args...)
	v.cmd.Stdout, v.cmd.Stderr, v.cmd.ExtraFiles = serialEnd, &v.said, []*os.File{theirs}
	v.cmd.WaitDelay = time.Second // whoever left the group may hold the standard error
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// The death signal comes when the thread ends that started the process, so that thread is kept until the process is gone.
		runtime.LockOSThread()
		err := v.cmd.Start()
		started <- err
		if err == nil {
			v.exit = v.cmd.Wait()
		}
		close(v.done)
	}()
	if err := <-started; err != nil {
		_ = ours.Close() // nothing was sent
		serial.Close()
		return nil, err
	}
	v.monitor = newMonitor(ours)
	return v, nil
}

// kill ends the process group and waits until qemu is gone.
func (v *vm) kill() {
	select {
	case <-v.done: // its number may be another's by now
	default:
		// The only error is that the group is gone already.
		_ = syscall.Kill(-v.cmd.Process.Pid, syscall.SIGKILL)
		<-v.done
	}
	v.monitor.close()
}

// ended says how the process ended by itself. Only after done.
func (v *vm) ended() error {
	said := v.said.lastLine()
	if exit, ok := errors.AsType[*exec.ExitError](v.exit); ok {
		return fmt.Errorf("boot test: %w: qemu ended (%s)%s", ErrStart, exit.ProcessState, colon(said))
	}
	return fmt.Errorf("boot test: %w: qemu ended%s", ErrStart, colon(said))
}

func colon(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

// socketPair returns two connected sockets: our end, and the one for a child.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "monitor"), os.NewFile(uintptr(fds[1]), "monitor of qemu")
	defer ours.Close() // FileConn has a descriptor of its own
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-maxSaid):]
	return len(p), nil
}

// lastLine returns the last line that is not empty, without anything that moves a cursor.
func (t *tail) lastLine() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.b))
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return -1
		}
		return r
	}, text[strings.LastIndexByte(text, '\n')+1:])
}
