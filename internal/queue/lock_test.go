package queue

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A child that outlives a killed daemon holds the lock, and a new daemon waits for it.
func TestLockIsHeldByChildren(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, StartOptions{})
	child := exec.CommandContext(t.Context(), "cat")
	child.ExtraFiles = []*os.File{s.LockFile()}
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Start(dir, StartOptions{LockWait: 10 * time.Millisecond}); !errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
	started := make(chan error, 1)
	go func() {
		again, err := Start(dir, StartOptions{LockWait: time.Minute})
		if err == nil {
			err = again.Close()
		}
		started <- err
	}()
	stdin.Close() // its end of file, as when the daemon dies
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err != nil {
		t.Fatal(err)
	}
}
