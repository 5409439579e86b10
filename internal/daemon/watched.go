package daemon

import (
	"context"
	"errors"
	"time"

	"hyper2kvm/internal/queue"
)

// Watch is how whoever started the daemon hears that it lives. Its functions must not wait; nil ones are not called.
type Watch struct {
	Turn   func()             // the scheduler went round, and the inbox answered it
	Status func(queue.Status) // a status is published
}

func (w Watch) status(s queue.Status) {
	if w.Status != nil {
		w.Status(s)
	}
}

// turnEvery is how often the scheduler goes round when there is nothing to claim.
const turnEvery = 5 * time.Second

// turned says that the scheduler went round. The inbox is asked something first, which its own goroutine answers: a sign of life
// that a clock gives says nothing about either.
func (d *Daemon) turned() {
	if d.watch.Turn != nil {
		d.inbox.Idle()
		d.watch.Turn()
	}
}

// nextClaim waits for something that can be claimed, and goes round meanwhile.
func (d *Daemon) nextClaim(ctx context.Context) (*queue.Claim, error) {
	for {
		turn, cancel := context.WithTimeout(ctx, turnEvery)
		claim, err := d.inbox.Next(turn)
		cancel()
		if err == nil {
			return claim, nil
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return nil, err
		}
		d.turned()
	}
}
