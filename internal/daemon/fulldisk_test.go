package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/atomicfile"
	"hyper2kvm/internal/queue"
)

// The file system of the output is full, the queue's own is not: a job that finds it so goes back and waits, one that has built its result
// keeps it until there is space. Neither fails.
func TestOutputWaitsForSpace(t *testing.T) {
	w := newWorld(t)
	var fullFor atomic.Pointer[string] // the operation that finds no space
	var later atomic.Int64             // the clock is so much ahead
	fill := func(op string) { fullFor.Store(&op) }
	fill("mkdir")
	d := w.daemonWith(func(o *Options) {
		o.Clock = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
		o.Before = func(s atomicfile.Step) error {
			if s.Op == *fullFor.Load() && strings.HasPrefix(s.Path, w.out+"/") {
				return &os.PathError{Op: s.Op, Path: s.Path, Err: unix.ENOSPC}
			}
			return nil
		}
	})
	w.drop("ok.img", "x")
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx, t.Context()) }()
	eventually(t, "it waits in the queue", func() bool {
		for _, h := range d.inbox.Snapshot().Held {
			if strings.Contains(h.Reason, "its output cannot be begun") {
				return true
			}
		}
		return false
	})
	fill("rename")
	later.Store(int64(spacePause))
	eventually(t, "its result waits", func() bool {
		return strings.Contains(strings.Join(d.unrecordedReasons(), ""), "no space left on device")
	})
	if dir, rec := w.ended("ok.img"); dir != "" {
		t.Errorf("it is in %s: %v", dir, rec)
	}
	fill("")
	eventually(t, "it ends", func() bool { terminal, _ := w.ended("ok.img"); return terminal != "" })
	w.wantDone("ok.img")
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// A run that is to end does not wait for ever for what keeps it from recording the end of a job.
func TestOnceEndsWhereAnEndCannotBeRecorded(t *testing.T) {
	top := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := newSim(t, top, 1)
		m.tame, m.began = true, time.Now()
		l, err := m.make(-1)
		if err != nil {
			t.Fatal(err)
		}
		m.life = l
		blocked := filepath.Join(m.w, queue.DirDone, m.now().Format(time.DateOnly))
		if err := os.WriteFile(blocked, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := m.put("vm.img", "disk"); err != nil {
			t.Fatal(err)
		}
		if _, err := l.d.Once(t.Context(), t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be recorded") {
			t.Errorf("it says %v", err)
		}
		if err := l.d.Close(); err != nil {
			t.Error(err)
		}
		if err := os.Remove(blocked); err != nil {
			t.Fatal(err)
		}
		if l, err = m.make(-1); err != nil {
			t.Fatal(err)
		}
		m.life = l
		if held, err := l.d.Once(t.Context(), t.Context()); err != nil || len(held) > 0 {
			t.Errorf("held %v, %v", held, err)
		}
		if err := errors.Join(l.d.Close(), m.check()); err != nil {
			t.Error(err)
		}
	})
}
