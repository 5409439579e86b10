package guestfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"hyper2kvm/internal/guest"
)

// Session is a running appliance with the disks of one VM. It implements guest.Target once Mount has mounted a system. Its methods may
// be called from several goroutines; the appliance does one thing at a time.
type Session struct {
	f *fish
	o Options

	mu      sync.Mutex
	cache   cache
	mounts  []guest.Mount // as they stand in the tree
	arch    string        // of the appliance, as uname says it
	labels  bool          // the mounted system's files carry SELinux labels
	sockets string        // directory of the appliance's sockets that libguestfs removes only when it ends by itself
	closed  bool
}

var _ guest.Target = (*Session)(nil)

// Start starts an appliance with the drives: LVM is activated and arrays are assembled, nothing is mounted. The context bounds the start
// only. What is missing on the host is guest.ErrUnavailable, an appliance that does not come up guest.ErrAppliance.
func Start(ctx context.Context, o Options) (*Session, error) {
	if o.Log == nil {
		o.Log = func(string) {}
	}
	if o.Timeout <= 0 {
		o.Timeout = startTimeout
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	program := o.Program
	if program == "" {
		var err error
		if program, err = exec.LookPath("guestfish"); err != nil {
			return nil, fmt.Errorf("%w: guestfish is not in PATH: install libguestfs-tools (RHEL, SUSE: guestfs-tools)", guest.ErrUnavailable)
		}
	}
	f, err := newFish(o, program)
	if err != nil {
		return nil, err
	}
	s := &Session{f: f, o: o}
	if err := s.launch(ctx); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// launch adds the drives and starts the appliance.
func (s *Session) launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.o.Timeout, fmt.Errorf("it did not start within %v: %w", s.o.Timeout, context.DeadlineExceeded))
	defer cancel()
	for _, d := range s.o.Drives {
		args := []string{d.Path, "format:" + d.Format, "cachemode:unsafe"}
		if d.ReadOnly || s.o.ReadOnly {
			args = append(args, "readonly:true")
		} else {
			args = append(args, "discard:enable")
		}
		if _, err := s.call(ctx, "add", args...); err != nil {
			return fmt.Errorf("attach %q: %w", d.Path, err)
		}
	}
	seen := watchSockets(s.f.cmd.Process.Pid)
	err := s.do(ctx, s.alive("the appliance is starting"), "run")
	s.sockets = seen() // also of one that did not start, or was stopped meanwhile
	if err != nil {
		if errors.Is(err, guest.ErrAppliance) {
			return err
		}
		return fmt.Errorf("%w: %w", guest.ErrAppliance, err)
	}
	out, err := s.shell(ctx, "uname -m")
	if err != nil {
		return err
	}
	s.arch = firstLine(out)
	return nil
}

// call does one command of guestfish with its arguments and returns what it printed.
func (s *Session) call(ctx context.Context, name string, args ...string) ([]byte, error) {
	line, err := command(name, args...)
	if err != nil {
		return nil, err
	}
	return s.f.do(ctx, nil, line)
}

// do is call for what may take long and prints nothing.
func (s *Session) do(ctx context.Context, alive func(time.Duration), name string, args ...string) error {
	line, err := command(name, args...)
	if err == nil {
		_, err = s.f.do(ctx, alive, line)
	}
	return err
}

// shell runs a script of ours in the appliance, outside of any guest's tree.
func (s *Session) shell(ctx context.Context, script string) ([]byte, error) {
	return s.call(ctx, "debug", "sh", script)
}

// alive logs that something still goes on.
func (s *Session) alive(what string) func(time.Duration) {
	return func(d time.Duration) { s.o.Log(fmt.Sprintf("%s: %v so far", what, d)) }
}

// Close unmounts everything and ends the appliance. An error means that what was written may not be on the drives; the appliance is gone
// all the same. A second call does nothing.
func (s *Session) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	defer s.end()
	for _, step := range []string{"umount-all", "sync", "shutdown"} {
		if err := s.do(ctx, s.alive("the appliance is stopping"), step); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
	}
	if err := s.f.stdin.Close(); err != nil {
		return err
	}
	select {
	case <-s.f.done:
	case <-ctx.Done():
	}
	return nil
}

// Kill ends the appliance at once. What was written is lost, or half there.
func (s *Session) Kill() {
	s.f.kill()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		s.end()
	}
}

// drop removes what a session put on the host. What stays does no harm, and Options.Dir is removed as a whole by whoever made it.
func drop(name string) { _ = os.RemoveAll(name) }

// end makes sure that no process and no file of the session is left on the host.
func (s *Session) end() {
	s.f.kill()
	s.f.closeFiles()
	drop(filepath.Join(s.o.Dir, stderrName))
	dropSockets(s.sockets)
}
