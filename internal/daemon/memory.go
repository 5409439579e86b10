package daemon

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"
)

// memoryBudget is the memory that appliances and boot tests of all jobs may use together, in MiB: the machines in which guests are
// opened must not starve the host of what its own guests need.
type memoryBudget struct {
	all  int64
	free *semaphore.Weighted
}

func newMemoryBudget(mib int64) *memoryBudget {
	return &memoryBudget{all: mib, free: semaphore.NewWeighted(mib)}
}

// memoryAccount is what one job has of the budget.
type memoryAccount struct {
	budget *memoryBudget
	log    *jobLog
	held   chan int64 // buffered: what is held, once it was granted
	has    int64
	cancel context.CancelFunc
}

func (b *memoryBudget) account(log *jobLog) *memoryAccount {
	return &memoryAccount{budget: b, log: log}
}

// waitSign is how often a job that waits for memory shows that it is alive.
const waitSign = time.Minute

// ask takes memory and calls granted when it has it; 0 gives back what the job has. More than the whole budget is given when nobody
// else has any: one appliance must be able to run.
func (a *memoryAccount) ask(ctx context.Context, mib int64, alive, granted func()) {
	a.close()
	if mib <= 0 {
		return
	}
	mib = min(mib, a.budget.all)
	ctx, a.cancel = context.WithCancel(ctx)
	a.held = make(chan int64, 1)
	go func(held chan<- int64) {
		t := time.NewTicker(waitSign)
		defer t.Stop()
		got := make(chan error, 1)
		if a.budget.free.TryAcquire(mib) {
			got <- nil
		} else {
			a.log.line("daemon", "waiting: memory for an appliance, which other jobs use; see guest_memory_mb")
			go func() { got <- a.budget.free.Acquire(ctx, mib) }()
		}
		for {
			select {
			case <-t.C:
				alive()
			case err := <-got:
				if err != nil {
					mib = 0
				}
				held <- mib
				if err == nil {
					granted()
				}
				return
			}
		}
	}(a.held)
}

// close gives back what the job has, or stops waiting for it.
func (a *memoryAccount) close() {
	if a.held != nil {
		a.cancel()
		a.has = <-a.held
		a.held = nil
	}
	if a.has > 0 {
		a.budget.free.Release(a.has)
		a.has = 0
	}
}
