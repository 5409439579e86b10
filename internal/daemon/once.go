package daemon

import (
	"context"
	"sync"

	"hyper2kvm/internal/queue"
)

// Once does all that can be claimed, settle times included, and returns what is not ready and why.
func (d *Daemon) Once(ctx, hurry context.Context) ([]queue.Held, error) {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var roles, jobs sync.WaitGroup
	roles.Go(func() { d.heartbeat(background) })
	roles.Go(func() { d.serveRequests(background) })
	var watchErr error
	roles.Go(func() {
		if err := d.inbox.Run(background); background.Err() == nil {
			watchErr = err
			cancel()
		}
	})
	claiming, stop := context.WithCancel(ctx)
	defer stop()
	roles.Go(func() {
		select {
		case <-d.inbox.Settled():
		case <-background.Done():
		}
		stop()
	})
	d.schedule(claiming, &jobs)
	d.drain(&jobs, hurry)
	held := d.inbox.Snapshot().Held
	cancel()
	roles.Wait()
	if err := d.writeStatus(context.WithoutCancel(ctx), stateStopped); err != nil {
		return held, err
	}
	return held, watchErr
}
