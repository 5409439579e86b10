package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stderrTail is how much of a child's last words is kept for the error when it dies without a result.
const stderrTail = 16 << 10

// Spawner starts the program that runs a job: the daemon's own binary with the word job.
type Spawner struct {
	Path string   // of the program
	Args []string // before anything else: ["job"]
	Env  []string // of the child; nil inherits

	// play starts something that plays the program: simulations, whose time no process would share. nil = nothing does.
	play func(lock *os.File, temp string) (player, error)
}

// process is a program that runs, with all that it has started.
type process interface {
	signal(sig syscall.Signal) // to all of it, while there is any
	wait() error               // until it has ended, with nothing left that holds the queue's lock
}

// player is a process with the pipes to it.
type player struct {
	process
	stdin  io.WriteCloser
	stdout io.ReadCloser
}

// pipeGrace is how long the pipes of a process that has ended are read on: what it wrote is in them already, and only a program
// that it left behind, outside of its group, could keep them open.
const pipeGrace = 2 * time.Second

// child is the process that runs one job. It ends with its stdin, so that no orphan outlives the daemon.
type child struct {
	player
	out   *sender // to stdin
	lines *bufio.Reader
	tail  *tailBuffer
	kill  time.Duration // between the request to end and the end by force

	stopOnce sync.Once
	exited   chan struct{} // closed when the process was waited for
	waitErr  error         // valid after exited
}

// program is a process of the operating system.
type program struct {
	cmd    *exec.Cmd
	stdout *os.File // our end

	mu     sync.Mutex
	reaped bool // its number may be another process's by now
}

// start runs the program with the queue's lock as fd 3: as long as a child lives, the lock is held. Its temporary files stand in temp. The
// job is not sent yet.
func (s Spawner) start(lock *os.File, killAfter time.Duration, temp string) (*child, error) {
	tail := &tailBuffer{max: stderrTail}
	start := s.run
	if s.play != nil {
		start = func(lock *os.File, temp string, _ io.Writer) (player, error) { return s.play(lock, temp) }
	}
	p, err := start(lock, temp, tail)
	if err != nil {
		return nil, err
	}
	c := &child{
		player: p, out: &sender{w: p.stdin}, lines: bufio.NewReaderSize(p.stdout, 64<<10),
		tail: tail, kill: killAfter, exited: make(chan struct{}),
	}
	go func() {
		c.waitErr = p.wait()
		close(c.exited)
	}()
	return c, nil
}

// run starts the program itself.
func (s Spawner) run(lock *os.File, temp string, tail io.Writer) (player, error) {
	cmd := exec.Command(s.Path, s.Args...) //nolint:noctx // stopped by stop, which gives it time to clean up
	cmd.Env = withScratch(s.Env, temp)
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = pipeGrace // for stderr
	theirIn, stdin, err := os.Pipe()
	if err != nil {
		return player{}, err
	}
	stdout, theirOut, err := os.Pipe()
	if err != nil {
		theirIn.Close()
		stdin.Close()
		return player{}, err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirIn, theirOut, tail
	err = cmd.Start()
	theirIn.Close()
	theirOut.Close()
	if err != nil {
		stdin.Close()
		stdout.Close()
		return player{}, fmt.Errorf("start the job's process: %w", err)
	}
	return player{process: &program{cmd: cmd, stdout: stdout}, stdin: stdin, stdout: stdout}, nil
}

// wait waits for the process and ends what it left of its group, so that nothing holds the pipes or the queue's lock. It looks
// before it takes the exit status, because as long as that is there the group's number belongs to nobody else.
func (p *program) wait() error {
	if !awaitEnd(p.cmd.Process.Pid) {
		_ = waitid(unix.P_PID, p.cmd.Process.Pid)
	}
	p.mu.Lock()
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.reaped = true
	p.mu.Unlock()
	err := p.cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	_ = p.stdout.SetReadDeadline(time.Now().Add(pipeGrace)) // a pipe has deadlines
	return err
}

// awaitEnd waits for the end of a process of ours without taking its exit status, and not in a system call, which can hold all of Go up
// (see pollable of hyper2kvmd). It is false where the kernel is older than 5.10 and cannot say so.
func awaitEnd(pid int) bool {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	return conn.Read(func(fd uintptr) bool {
		return !errors.Is(waitid(unix.P_PIDFD, int(fd)), unix.EAGAIN)
	}) == nil
}

// waitid waits for the end of a process and leaves its exit status where it is. EAGAIN: it is asked by a descriptor that does not block,
// and has not ended.
func waitid(kind, id int) error {
	for {
		if err := unix.Waitid(kind, id, nil, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// next reads the child's next message; io.EOF when it closed its stdout, or has ended and said all it had to say.
func (c *child) next() (message, error) {
	var line []byte
	for {
		part, err := c.lines.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > MaxMessage {
			return message{}, fmt.Errorf("message of a job is longer than %d bytes", MaxMessage)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, os.ErrDeadlineExceeded):
			return message{}, io.EOF
		case err != nil:
			return message{}, err
		}
		return parseMessage(line)
	}
}

// stop asks the whole process group to end, and ends it by force after a while. It returns at once; wait waits.
func (c *child) stop() {
	c.stopOnce.Do(func() {
		c.signal(syscall.SIGTERM)
		go func() {
			t := time.NewTimer(c.kill)
			defer t.Stop()
			select {
			case <-c.exited:
			case <-t.C:
				c.signal(syscall.SIGKILL)
			}
		}()
	})
}

// signal sends a signal to the whole group while there is one.
func (p *program) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

// wait closes both pipes and waits for the process, which is stopped if it does not end by itself.
func (c *child) wait() error {
	_ = c.stdin.Close()
	t := time.AfterFunc(c.kill, c.stop)
	defer t.Stop()
	<-c.exited
	_ = c.stdout.Close()
	return c.waitErr
}

// stallLooks is how often it is looked within the limit whether a child gave a sign of life. Looks are counted rather than time: of a daemon
// that was stopped for an hour and goes on, the hour counts for one look, and what its children said meanwhile is still to be read.
const stallLooks = 16

// watchStall kills a child that gives no sign of life; alive is called at each sign. The returned function ends the watch and
// reports whether it fired.
func (c *child) watchStall(ctx context.Context, limit time.Duration) (alive func(), stalled func() bool) {
	signs := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(ctx)
	fired := make(chan bool, 1)
	go func() {
		t := time.NewTicker(max(limit/stallLooks, time.Millisecond))
		defer t.Stop()
		for silent := 0; silent <= stallLooks; {
			select {
			case <-t.C:
			case <-ctx.Done():
				fired <- false
				return
			}
			silent++
			select {
			case <-signs:
				silent = 0
			default:
			}
		}
		c.stop()
		fired <- true
	}()
	alive = func() {
		select {
		case signs <- struct{}{}:
		default:
		}
	}
	return alive, func() bool { cancel(); return <-fired }
}

// tailBuffer keeps the last max bytes written to it.
type tailBuffer struct {
	mu  sync.Mutex
	max int
	b   []byte
}

// Write keeps the end of p.
func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - t.max; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

// String returns what is kept.
func (t *tailBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
