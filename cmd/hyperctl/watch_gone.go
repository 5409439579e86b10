package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hyper2kvm/internal/queue"
)

// lookAtGone finds out what became of the jobs that are not open any more, in the order of their names.
func (w *watcher) lookAtGone(ctx context.Context, now time.Time) error {
	var gone []seenJob
	for key, seen := range w.jobs {
		if seen.round != w.round {
			gone = append(gone, seen)
			delete(w.jobs, key)
		}
	}
	slices.SortFunc(gone, func(a, b seenJob) int { return cmp.Compare(a.job.Name, b.job.Name) })
	var takers []queue.Job // that may have taken others along
	for _, seen := range w.jobs {
		if seen.job.State == queue.Running {
			takers = append(takers, seen.job)
		}
	}
	told := map[string]bool{}
	var lost []queue.Job
	for _, seen := range gone {
		j, err := w.src.Find(ctx, jobKey(seen.job))
		key := watchKey(j)
		_, open := w.jobs[key]
		switch {
		case errors.Is(err, queue.ErrNotFound):
			lost = append(lost, seen.job)
		case err != nil:
			return err
		case open || told[key]: // it was claimed under another name, and that was said
		default:
			told[key] = true
			takers = append(takers, j)
			if j.State == queue.Failed {
				w.failed++
			}
			if !ended(j) {
				w.jobs[key] = seenJob{job: j, stage: stageText(j), told: now, round: w.round}
			}
			w.say(now, "state", j)
		}
	}
	for _, j := range lost {
		if taker := w.takenBy(ctx, j, takers); taker != "" {
			w.tell(now, "joined", clean(j.Name)+" went into "+clean(taker))
		} else {
			w.tell(now, "gone", clean(j.Name)+" was taken away")
		}
	}
	return nil
}

// takenBy is the name of the job that took an entry along; "" when none did. A job may have moved on since it was looked at.
func (w *watcher) takenBy(ctx context.Context, j queue.Job, takers []queue.Job) string {
	if !plainName(j.Name) {
		return ""
	}
	within := func(t queue.Job) bool {
		if t.Path == "" {
			return false
		}
		_, err := os.Lstat(filepath.Join(t.Path, j.Name))
		return err == nil
	}
	for _, t := range takers {
		if within(t) {
			return t.Name
		}
		if now, err := w.src.Find(ctx, jobKey(t)); err == nil && within(now) {
			return t.Name
		}
	}
	return ""
}
