package queue

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// waiter is a call of Next.
type waiter struct{ reply chan claimed }

type claimed struct {
	claim *Claim
	err   error
}

// deferral keeps an entry from being claimed until something has changed.
type deferral struct {
	name   string
	reason string
	until  func() bool
}

// Next waits until something can be claimed and claims it. A claim belongs to the caller even if the context ends at the same
// moment: err is nil then. Errors are the context's and ErrClosed when Run has ended. Batches and refused entries are dealt with by
// the inbox and never come out here.
func (i *Inbox) Next(ctx context.Context) (*Claim, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &waiter{reply: make(chan claimed, 1)}
	if !i.call(func() { i.waiters = append(i.waiters, w) }) {
		return nil, ErrClosed
	}
	select {
	case r := <-w.reply:
		return r.claim, r.err
	case <-ctx.Done():
	}
	waiting := false
	i.call(func() {
		if at := slices.Index(i.waiters, w); at >= 0 {
			i.waiters = slices.Delete(i.waiters, at, at+1)
			waiting = true
		}
	})
	if waiting {
		return nil, ctx.Err()
	}
	r := <-w.reply
	if r.claim == nil {
		return nil, ctx.Err()
	}
	return r.claim, nil
}

// Defer keeps an entry, which a Claim has just put back, from being claimed until the condition holds; meanwhile it waits with the
// reason. The condition is asked every second and when a job ends, from the inbox's goroutine. nil = until it changes.
func (i *Inbox) Defer(name string, id Identity, reason string, until func() bool) {
	if until == nil {
		until = func() bool { return false }
	}
	i.call(func() {
		i.deferred[keyOf(id)] = deferral{name, reason, until}
		if it := i.items[name]; it != nil {
			i.dirty[name] = struct{}{}
		}
	})
}

func (i *Inbox) endDeferrals() {
	for key, d := range i.deferred {
		if !d.until() {
			continue
		}
		delete(i.deferred, key)
		i.dirty[d.name] = struct{}{}
	}
}

// Pause stops claiming until Resume, across restarts of the daemon. What runs goes on.
func (i *Inbox) Pause(reason string) error {
	if reason == "" {
		reason = "paused"
	}
	if err := i.s.setPaused(reason); err != nil {
		return err
	}
	i.call(func() { i.paused = reason })
	return nil
}

// Resume ends a Pause and a Drain.
func (i *Inbox) Resume() error {
	if err := i.s.setPaused(""); err != nil {
		return err
	}
	i.call(func() { i.paused, i.drained = "", false })
	return nil
}

// Drain stops claiming for the rest of the daemon's life, or until Resume.
func (i *Inbox) Drain() { i.call(func() { i.drained = true }) }

// Release lets an entry run that the Intake holds for a person to decide. ErrNotFound: no such entry; ErrState: it is not held.
func (i *Inbox) Release(name string) error {
	err := ErrClosed
	i.call(func() {
		it := i.items[name]
		switch {
		case it == nil:
			err = fmt.Errorf("%w: %q is not in %s", ErrNotFound, name, DirQueued)
		case !it.complete() || it.need.Hold == "":
			err = fmt.Errorf("%w: %q is not held", ErrState, name)
		default:
			err = nil
			it.released = true
			i.dirty[name] = struct{}{}
		}
	})
	return err
}

// Withdraw fails an entry that has not been claimed yet with these fields for its error.json: a cancelled job that is still
// queued or waiting. ErrNotFound: no such entry; ErrState: it is still being written.
func (i *Inbox) Withdraw(ctx context.Context, name string, fields map[string]any) error {
	err := ErrClosed
	i.call(func() {
		it := i.items[name]
		switch {
		case it == nil:
			err = fmt.Errorf("%w: %q is not in %s", ErrNotFound, name, DirQueued)
		case !it.complete():
			err = fmt.Errorf("%w: %q is not complete: %s", ErrState, name, it.reason)
		default:
			was := it.refuse
			it.refuse = fields
			if err = i.refuse(ctx, it); err != nil { // the answer is no, so it must not happen later
				it.refuse = was
			}
		}
	})
	return err
}

// Settled is closed when everything that could be claimed has been claimed and has ended, and nothing is left that will become
// ready by itself within the settle times: what a run that is to end by itself waits for. What still waits then is in the
// Snapshot with its reason.
func (i *Inbox) Settled() <-chan struct{} { return i.settled }

// Idle says whether nothing can be claimed now, nothing is about to be, and no job is running.
func (i *Inbox) Idle() bool {
	idle := false
	i.call(func() { idle = i.idle(false) })
	return idle
}

func (i *Inbox) idle(more bool) bool {
	if more || !i.scanning.done || i.scanning.asked != "" || len(i.dirty) > 0 || !i.s.still() || len(i.hints) > 0 {
		return false
	}
	for _, it := range i.unready {
		if it.settling || it.due.IsZero() {
			return false
		}
	}
	return len(i.awaiting) == 0 && i.counts.Queued == 0 || !i.mayClaim()
}

func (i *Inbox) checkSettled(now time.Time, more bool) {
	if i.isSettled || !i.idle(more) {
		return
	}
	if i.dirTime() != i.scanning.dirTime { // something came since the last scan
		i.scanning.asked = rescanSettle
		return
	}
	if i.endDeferrals(); len(i.dirty) > 0 {
		return
	}
	i.isSettled = true
	i.log.Debug("nothing is left that can be claimed", "at", now)
	close(i.settled)
}

// mayClaim says whether anything at all may leave the drop zone.
func (i *Inbox) mayClaim() bool {
	return i.paused == "" && !i.drained && len(i.problems) == 0 && i.s.Trouble() == nil
}

// serve deals with what can leave the drop zone: refused entries, batches, and then one claim for each waiting Next. A batch is
// split before anything is claimed, because its parts may name it. It says whether there is more to look at first.
func (i *Inbox) serve(ctx context.Context, now time.Time, small bool) (more bool) {
	i.retryStuck(ctx)
	for i.mayClaim() && len(i.refusing) > 0 {
		it := i.refusing[0]
		i.refusing = i.refusing[1:]
		if i.items[it.name] == it && it.standing == standRefused {
			i.claimFailed(it, i.refuse(ctx, it), now)
		}
	}
	for i.mayClaim() && len(i.splitting) > 0 {
		it := i.splitting[0]
		i.splitting = i.splitting[1:]
		if i.items[it.name] == it && it.standing == standRunnable {
			i.claimFailed(it, i.split(ctx, it), now)
			more = true
		}
	}
	if more {
		return true
	}
	for len(i.waiters) > 0 && i.mayClaim() && len(i.dirty) == 0 && i.scanning.done && !small {
		it := i.pop()
		if it == nil {
			return false
		}
		c, err := i.claim(ctx, it)
		if err != nil {
			i.claimFailed(it, err, now)
			continue
		}
		w := i.waiters[0]
		i.waiters = slices.Delete(i.waiters, 0, 1)
		w.reply <- claimed{claim: c}
	}
	return false
}

// pop takes the entry that has waited longest.
func (i *Inbox) pop() *item {
	for len(i.runnable) > 0 {
		it := heap.Pop(&i.runnable).(*item)
		it.inHeap = false
		if i.items[it.name] == it && it.standing == standRunnable && len(it.need.Parts) == 0 {
			return it
		}
	}
	return nil
}

// claim takes an entry with everything that belongs to it.
func (i *Inbox) claim(ctx context.Context, it *item) (*Claim, error) {
	need := it.need
	if !it.seen.look.dir && len(need.Parts) == 0 {
		need.Members = i.graph.closure(it.name)
		if it.refuse != nil { // what is there goes along
			need.Refuse = it.refuse
			need.Members = slices.DeleteFunc(need.Members, func(m string) bool {
				other := i.items[m]
				return other == nil || !other.complete() || other.seen.look.dir || i.rival(it, m) != ""
			})
		}
	}
	c, err := i.s.Claim(ctx, i.entry(it), need)
	if err != nil {
		return nil, err
	}
	i.remove(it)
	for _, m := range c.rec.Members {
		if other := i.items[m]; other != nil {
			i.remove(other)
		}
	}
	return c, nil
}

// claimFailed looks again at an entry that could not be claimed: most often it was withdrawn or replaced at that moment.
func (i *Inbox) claimFailed(it *item, err error, now time.Time) {
	if err == nil {
		return
	}
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errBusy) {
		i.log.Warn("could not be claimed", "name", it.name, "error", err)
	}
	if i.items[it.name] == it {
		for _, m := range i.graph.closure(it.name) {
			i.touch(m)
		}
		i.stand(it, standUnready, "could not be claimed: "+err.Error(), now)
		i.unready[it.name] = it
		it.due = now.Add(max(i.retryAfter(0), retrySome))
	}
}

// refuse fails an entry at once.
func (i *Inbox) refuse(ctx context.Context, it *item) error {
	c, err := i.claim(ctx, it)
	if err != nil {
		return err
	}
	i.log.Info("refused", "id", c.rec.ID, "name", it.name, "error", it.refuse["error"])
	return i.ended(c.Fail(ctx, Outcome{Fields: it.refuse}), c)
}

// split makes the parts of a batch entries of their own.
func (i *Inbox) split(ctx context.Context, it *item) error {
	c, err := i.claim(ctx, it)
	if err != nil {
		return err
	}
	err = c.Split(ctx, it.need.Parts)
	for _, p := range c.Record().Parts {
		i.touch(p.Name)
	}
	if err == nil || c.Record().Phase == PhaseSplitting || c.Record().Phase == PhaseOutputDone {
		return i.ended(err, c)
	}
	i.log.Warn("a batch could not be split", "id", c.rec.ID, "name", it.name, "error", err)
	if errors.Is(err, ErrName) || errors.Is(err, ErrState) || errors.Is(err, ErrExists) {
		return i.ended(c.Fail(ctx, Outcome{Fields: map[string]any{"code": codeName, "error": err.Error(), "retryable": false}}), c)
	}
	return i.ended(c.Requeue(ctx, err.Error()), c)
}

// ended keeps a job of the inbox's own that could not be finished, to try again when the trouble is over.
func (i *Inbox) ended(err error, c *Claim) error {
	if err != nil {
		i.log.Warn("could not be finished", "id", c.rec.ID, "error", err)
		i.stuck = append(i.stuck, c)
	}
	return nil
}

// retryStuck goes on where the inbox's own jobs had to stop.
func (i *Inbox) retryStuck(ctx context.Context) {
	now := i.clock()
	if len(i.stuck) == 0 || i.s.Trouble() != nil || len(i.problems) > 0 || now.Sub(i.stuckAt).Abs() < tick {
		return
	}
	i.stuckAt = now
	stuck := i.stuck
	i.stuck = nil
	for _, c := range stuck {
		var err error
		switch c.Record().Phase {
		case PhaseFailing:
			err = c.Fail(ctx, Outcome{})
		case PhaseSplitting:
			err = c.Split(ctx, nil)
		case PhaseOutputDone:
			err = c.Done(ctx, Outcome{})
		default:
			err = c.Requeue(ctx, "the queue could not write its records")
		}
		if err != nil {
			i.stuck = append(i.stuck, c)
		}
	}
}
