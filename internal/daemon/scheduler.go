package daemon

import (
	"context"
	"sync"
	"time"
)

// schedule claims what is ready while a worker is free, until ctx ends. Jobs run on in the background, counted by jobs.
func (d *Daemon) schedule(ctx context.Context, jobs *sync.WaitGroup) {
	slots := &slots{limit: func() int { return max(d.Settings().Workers, 1) }, freed: make(chan struct{}, 1), turn: d.turned}
	for ctx.Err() == nil {
		if err := slots.take(ctx); err != nil {
			return
		}
		claim, err := d.nextClaim(ctx)
		if err != nil {
			slots.give()
			if ctx.Err() == nil {
				d.log.Error("nothing more can be claimed", "error", err)
			}
			return
		}
		alone := claim.Record().Deaths >= aloneAfter
		if alone {
			d.log.Info("job waits to run alone: the daemon died while it ran", "job", claim.Record().ID, "deaths", claim.Record().Deaths)
			if err := slots.only(ctx); err != nil {
				d.endJob(claim.Record().ID, endRequeue, stopReason) // unless a person wished for something else
			}
		}
		over := make(chan struct{})
		jobs.Go(func() {
			defer close(over)
			defer slots.give()
			d.run(claim)
		})
		if alone {
			d.await(ctx, over)
		}
	}
}

// await waits for a job that runs alone, or for ctx to end.
func (d *Daemon) await(ctx context.Context, over <-chan struct{}) {
	turn := time.NewTicker(slotPoll)
	defer turn.Stop()
	for {
		select {
		case <-over:
			return
		case <-ctx.Done():
			return
		case <-turn.C:
			d.turned()
		}
	}
}

// drain waits for the running jobs; after stop_timeout, or when hurry ends, it returns them to the queue.
func (d *Daemon) drain(jobs *sync.WaitGroup, hurry context.Context) {
	d.mu.Lock()
	d.stop = true
	d.mu.Unlock()
	close(d.stopping)
	done := make(chan struct{})
	go func() { jobs.Wait(); close(done) }()
	timeout := time.NewTimer(d.Settings().StopTimeout)
	defer timeout.Stop()
	turn := time.NewTicker(slotPoll)
	defer turn.Stop()
	for waiting := true; waiting; {
		select {
		case <-done:
			return
		case <-turn.C:
			d.turned()
		case <-timeout.C:
			waiting = false
			d.log.Info("stop_timeout is over: running jobs go back to the queue")
		case <-hurry.Done():
			waiting = false
			d.log.Info("stopping now: running jobs go back to the queue")
		}
	}
	d.returnAll()
	for {
		select {
		case <-done:
			return
		case <-turn.C:
			d.turned()
		}
	}
}

// slots counts running jobs against a limit that a reload may change.
type slots struct {
	mu    sync.Mutex
	used  int
	limit func() int
	freed chan struct{}
	turn  func() // called at each turn of the wait
}

// slotPoll is how often a waiting scheduler looks whether a reload raised the limit.
const slotPoll = time.Second

// take waits for a free slot and takes it.
func (s *slots) take(ctx context.Context) error {
	return s.wait(ctx, func() bool {
		free := s.used < s.limit()
		if free {
			s.used++
		}
		return free
	})
}

// only waits until the caller's slot is the only one in use.
func (s *slots) only(ctx context.Context) error {
	return s.wait(ctx, func() bool { return s.used == 1 })
}

// wait asks again and again, with the lock held.
func (s *slots) wait(ctx context.Context, ready func() bool) error {
	for {
		s.mu.Lock()
		is := ready()
		s.mu.Unlock()
		if is {
			return nil
		}
		t := time.NewTimer(slotPoll)
		select {
		case <-s.freed:
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
		t.Stop()
		s.turn()
	}
}

func (s *slots) give() {
	s.mu.Lock()
	s.used--
	s.mu.Unlock()
	select {
	case s.freed <- struct{}{}:
	default:
	}
}

// pause waits for d, or returns false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
