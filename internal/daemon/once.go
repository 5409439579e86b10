package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"hyper2kvm/internal/queue"
)

// onceRetries is for how many seconds a run that is to end waits for the records of ends that cannot be written.
const onceRetries = int(recordRetryMax / recordPoll)

// Once does all that can be claimed, settle times included, and returns what is not ready and why.
func (d *Daemon) Once(ctx, hurry context.Context) ([]queue.Held, error) {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	d.earlyPriorities(ctx)
	var roles, jobs sync.WaitGroup
	roles.Go(func() { d.heartbeat(background) })
	roles.Go(func() { d.serveRequests(background) })
	roles.Go(func() { d.webhook.run(background) })
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
		defer stop()
		trouble := time.NewTicker(recordPoll)
		defer trouble.Stop()
		for stuck := 0; stuck < onceRetries; {
			select {
			case <-d.inbox.Settled():
				return
			case <-background.Done():
				return
			case <-trouble.C:
				if d.spool.Trouble() != nil { // it may stay so, and then nothing ever settles
					return
				}
				stuck++
				if !d.onlyUnrecorded() {
					stuck = 0
				}
			}
		}
	})
	d.schedule(claiming, &jobs)
	d.drain(&jobs, hurry)
	d.prune(background)
	snap := d.inbox.Snapshot()
	held := snap.Held
	if snap.Paused != "" && snap.Counts.Queued > 0 {
		held = append(held, queue.Held{
			Name: queue.DirQueued, State: queue.Waiting, Since: d.started,
			Reason: fmt.Sprintf("%d entries are not claimed: %s; go on with hyperctl workflow resume", snap.Counts.Queued, snap.Paused),
		})
	}
	cancel()
	roles.Wait()
	err := errors.Join(watchErr, d.spool.Trouble())
	for _, why := range d.unrecordedReasons() {
		err = errors.Join(err, errors.New(why))
	}
	return held, errors.Join(err, d.writeStatus(context.WithoutCancel(ctx), stateStopped))
}
