package daemon

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/atomicfile"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// On a full disk a job can neither begin nor go back to the queue. Who cancels it then is told the truth: too late when it goes back, and
// when he was told that it is cancelled before, it is, as soon as there is space.
func TestCancelOnAFullDisk(t *testing.T) {
	for name, before := range map[string]bool{"before the disk is full": true, "after": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var full atomic.Bool
			d := w.daemonWith(func(o *Options) {
				o.Before = func(s atomicfile.Step) error {
					if full.Load() && s.Op == "write" {
						return &os.PathError{Op: s.Op, Path: s.Path, Err: unix.ENOSPC}
					}
					return nil
				}
			})
			w.drop("ok.img", "x")
			ctx, cancel := context.WithCancel(t.Context())
			inbox, job := make(chan error, 1), make(chan struct{})
			go func() { inbox <- d.inbox.Run(ctx) }()
			c, err := d.inbox.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if before && !d.endJob(c.Record().ID, endCancel, "cancelled by somebody") {
				t.Error("a claimed job is not known")
			}
			full.Store(true)
			go func() { d.run(c); close(job) }()
			eventually(t, "its end cannot be recorded", func() bool { return len(d.unrecordedReasons()) > 0 })
			if !before && d.endJob(c.Record().ID, endCancel, "cancelled by somebody") {
				t.Error("somebody was told that it is cancelled, and it is on its way back to the queue")
			}
			full.Store(false)
			<-job
			cancel()
			if err := <-inbox; err != nil {
				t.Error(err)
			}
			if before {
				w.wantFailed("ok.img", manifest.CodeJobCancelled, "cancelled by somebody")
			} else if _, err := os.Stat(filepath.Join(w.w, queue.DirQueued, "ok.img")); err != nil {
				t.Error(err)
			}
		})
	}
}
