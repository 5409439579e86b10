package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"hyper2kvm/internal/queue"
)

// follower is what waiting reads: a workflow directory.
type follower interface {
	Follow(context.Context, queue.Submitted) iter.Seq2[queue.Job, error]
}

// change is what one followed job came to.
type change struct {
	job queue.Job
	err error
	end bool // nothing more will come of this job
}

// waiter follows jobs and prints a line for each change of their state or stage, and how far they are every 10 seconds.
type waiter struct {
	con     *console
	sp      follower
	first   bool // only until the first has ended
	open    int
	ended   int
	failed  int
	live    *liveLine
	changes chan change
	told    map[string]seenJob // by id, or name before there is one
	work    sync.WaitGroup
}

func newWaiter(con *console, sp follower) *waiter {
	return &waiter{con: con, sp: sp, changes: make(chan change), told: map[string]seenJob{}, live: con.newLiveLine()}
}

// waitFor waits until every submitted job has ended.
func (c *console) waitFor(ctx context.Context, sp follower, sent []queue.Submitted, timeout time.Duration) error {
	return newWaiter(c, sp).wait(ctx, sent, timeout)
}

// wait follows jobs until they have ended.
func (w *waiter) wait(ctx context.Context, sent []queue.Submitted, timeout time.Duration) error {
	parent := ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	ctx, stop := context.WithCancel(ctx)
	for _, s := range sent {
		w.follow(ctx, s)
	}
	err := w.loop(ctx)
	w.live.end()
	open := w.open
	if w.con.opts.output.documents() {
		text := fmt.Sprintf("%s, %d failed, %d still open", count(w.ended, "job ended", "jobs ended"), w.failed, open)
		w.con.event(watchEvent{Time: w.con.now(), Type: "summary", Message: text, Ended: &w.ended, Failed: &w.failed}, text)
	}
	stop()
	go func() {
		for range w.changes { // whoever still tells something ends
		}
	}()
	w.work.Wait()
	close(w.changes)
	goesOn := fmt.Sprintf("%s in the queue and goes on", count(open, "job is", "jobs are"))
	if open > 1 {
		goesOn = fmt.Sprintf("%d jobs are in the queue and go on", open)
	}
	switch {
	case parent.Err() != nil:
		return &failure{exit: exitInterrupted, what: "interrupted", why: goesOn, try: "hyperctl workflow watch", err: parent.Err()}
	case ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded):
		return &failure{exit: exitTimeout, what: "not done after " + spanText(timeout), why: goesOn, try: "hyperctl workflow watch", err: err}
	case err != nil:
		return err
	case w.failed > 0:
		return w.failure()
	}
	return nil
}

// follow begins to follow one job.
func (w *waiter) follow(ctx context.Context, s queue.Submitted) {
	w.open++
	w.work.Go(func() {
		for j, err := range w.sp.Follow(ctx, s) {
			w.changes <- change{job: j, err: err}
			if err != nil || j.State == queue.Ignored { // nothing will ever come of it
				break
			}
		}
		w.changes <- change{end: true}
	})
}

func (w *waiter) loop(ctx context.Context) error {
	ticks, stop := w.con.heartbeats()
	defer stop()
	for w.open > 0 && (!w.first || w.ended == 0) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticks:
			w.con.heartbeat(fmt.Sprintf("still waiting: %d of %s ended", w.ended, count(w.open+w.ended, "job has", "jobs have")))
		case ch := <-w.changes:
			switch {
			case ch.end:
				w.open--
			case ch.err != nil:
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return jobFailure(ch.job.Name, ch.err)
			default:
				w.tell(ctx, ch.job)
			}
		}
	}
	return nil
}

// tell prints what changed. A batch that was split is followed part by part.
func (w *waiter) tell(ctx context.Context, j queue.Job) {
	now := w.con.now()
	key := watchKey(j)
	old, known := recall(w.told, j)
	seen := seenJob{job: j, stage: stageText(j), told: old.told}
	kind := "state"
	switch {
	case known && old.job.State == j.State && old.job.Reason == j.Reason && old.stage == seen.stage:
		if j.State == queue.Running && j.Progress != nil {
			w.live.show(w.liveText(j), int(percent(j.Progress)))
		}
		if j.State != queue.Running || j.Progress == nil || w.live.on || w.con.opts.progress == progressNone || now.Sub(old.told) < w.con.lineEvery() {
			seen.told = old.told
			w.told[key] = seen
			return
		}
		kind = "progress"
	case known && old.job.State == j.State:
		kind = "stage"
	case !known && j.State == queue.Queued:
		w.told[key] = seen // that it is in the queue was said when it was submitted
		return
	}
	seen.told = now
	w.told[key] = seen
	if j.State == queue.Failed || j.State == queue.Ignored {
		w.failed++
	}
	if ended(j) {
		w.ended++
	}
	text := clean(j.Name) + " " + changeText(j)
	if parts := batchParts(j); len(parts) > 0 {
		text = fmt.Sprintf("%s became %s", clean(j.Name), count(len(parts), "job", "jobs"))
		for _, p := range parts {
			w.follow(ctx, p)
		}
	}
	if w.con.opts.quiet && !ended(j) {
		return
	}
	d := newJobDoc(j, now)
	w.live.clear()
	w.con.event(watchEvent{Time: now, Type: kind, Job: &d}, text)
}

// liveText is one line about a running job, and how many others there are.
func (w *waiter) liveText(j queue.Job) string {
	text := clean(j.Name) + " " + progressLine(j.Progress)
	if all := w.open + w.ended; all > 1 {
		text = fmt.Sprintf("%d of %d ended  %s", w.ended, all, text)
	}
	return text
}

// failure is the error for jobs that failed: of a single one, all that its record says.
func (w *waiter) failure() *failure {
	f := &failure{exit: exitJobFailed, what: count(w.failed, "job", "jobs") + " failed", try: "hyperctl workflow list --state failed -o wide"}
	if w.failed > 1 {
		return f
	}
	for _, s := range w.told {
		switch j := s.job; j.State {
		case queue.Ignored:
			f.what, f.why, f.try = j.Name+" is no job", j.Reason, "rm "+quoteArg(j.Path)
		case queue.Failed:
			f.code, f.what, f.why, f.try = j.Code, "job "+j.Name+" failed", j.Reason, hintOf(j)
			if f.try == "" {
				f.try = "hyperctl workflow show " + quoteArg(jobKey(j))
			}
		}
	}
	return f
}

// batchParts are the entries that a batch became, from its record.
func batchParts(j queue.Job) []queue.Submitted {
	if j.State != queue.Done || j.Kind != "batch" {
		return nil
	}
	var rec struct {
		Parts []queue.Submitted `json:"parts"`
	}
	if json.Unmarshal(j.Record, &rec) != nil {
		return nil
	}
	return rec.Parts
}
