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

	"hyper2kvm/internal/convert"
)

// stderrTail is how much of a child's last words is kept for the error when it dies without a result.
const stderrTail = 16 << 10

// Spawner starts the program that runs a job: the daemon's own binary with the word job.
type Spawner struct {
	Path string   // of the program
	Args []string // before anything else: ["job"]
	Env  []string // of the child; nil inherits
}

// child is the process that runs one job. It ends with its stdin, so that no orphan outlives the daemon.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	out    *sender
	lines  *bufio.Reader
	stdout io.Closer
	tail   *tailBuffer
	kill   time.Duration

	stopOnce sync.Once
	exited   chan struct{} // closed when the process was waited for
	waitErr  error         // valid after exited
}

// start runs the program with the queue's lock as fd 3: as long as a child lives, the lock is held.
func (s Spawner) start(lock *os.File, killAfter time.Duration, req convert.Request) (*child, error) {
	cmd := exec.Command(s.Path, s.Args...) //nolint:noctx // stopped by stop, which gives it time to clean up
	cmd.Env = s.Env
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	tail := &tailBuffer{max: stderrTail}
	cmd.Stderr = tail
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the job's process: %w", err)
	}
	c := &child{
		cmd: cmd, stdin: stdin, out: &sender{w: stdin}, lines: bufio.NewReaderSize(stdout, 64<<10), stdout: stdout,
		tail: tail, kill: killAfter, exited: make(chan struct{}),
	}
	if err := c.out.send(message{Type: msgJob, Request: &req}); err != nil {
		c.stop()
		_ = c.wait()
		return nil, fmt.Errorf("send the job to its process: %w", err)
	}
	return c, nil
}

// next reads the child's next message; io.EOF when it closed its stdout.
func (c *child) next() (message, error) {
	var line []byte
	for {
		part, err := c.lines.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > MaxMessage {
			return message{}, fmt.Errorf("message of a job is longer than %d bytes", MaxMessage)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return message{}, err
		}
		return parseMessage(line)
	}
}

// stop asks the whole process group to end, and ends it by force after a while. It returns at once; wait waits.
func (c *child) stop() {
	c.stopOnce.Do(func() {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGTERM)
		go func() {
			t := time.NewTimer(c.kill)
			defer t.Stop()
			select {
			case <-c.exited:
			case <-t.C:
				c.destroy()
			}
		}()
	})
}

// destroy ends the process group at once.
func (c *child) destroy() { _ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) }

// wait closes stdin, waits for the process and makes sure that nothing of its group is left.
func (c *child) wait() error {
	_ = c.stdin.Close()
	err := c.cmd.Wait()
	c.destroy()
	c.waitErr = err
	close(c.exited)
	return err
}

// watchStall kills a child that gives no sign of life; alive is called at each sign. The returned function ends the watch and
// reports whether it fired.
func (c *child) watchStall(ctx context.Context, limit time.Duration) (alive func(), stalled func() bool) {
	signs := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(ctx)
	fired := make(chan bool, 1)
	go func() {
		t := time.NewTimer(limit)
		defer t.Stop()
		for {
			select {
			case <-signs:
				t.Reset(limit)
			case <-t.C:
				c.stop()
				fired <- true
				return
			case <-ctx.Done():
				fired <- false
				return
			}
		}
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
