package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// recordPoll is how often it is looked whether the end of a job can be recorded now; recordRetryMax bounds the growing time between
// two tries where nothing tells that things are better.
const (
	recordPoll     = time.Second
	recordRetryMax = 30 * time.Second
)

// conclude records the end of a job. While the queue cannot write, it tries again when it can, until the daemon stops: then the job
// stays in processing/ and the next start decides from what is on the disk. So it does when the file system lost data.
func (j *job) conclude(ctx context.Context, end closing) {
	said := ""
	for wait := recordPoll; ; wait = min(2*wait, recordRetryMax) {
		err := end(ctx)
		if err == nil {
			j.d.setUnrecorded(j.id, "")
			return
		}
		if text := err.Error(); text != said {
			said = text
			j.d.setUnrecorded(j.id, text)
			j.d.log.Error("the end of a job cannot be recorded; it stays in processing/ until it can", "job", j.id,
				"entry", j.claim.Record().Entry, "error", err)
		}
		if errors.Is(j.d.spool.Trouble(), queue.ErrIO) || errors.Is(err, queue.ErrState) || !j.d.untilWritable(wait) {
			return
		}
	}
}

// queueFault says whether an error is the queue's own, which no job can do anything about: its disk is full or broken, or its tree
// is not where it was. A full disk is one even if it is the output's, or has space again by now: nothing that is built is thrown away for it.
func (d *Daemon) queueFault(err error) bool {
	return err != nil && (d.spool.Trouble() != nil || errors.Is(err, queue.ErrLayout) || errors.Is(err, queue.ErrNoSpace))
}

// untilWritable waits for the queue to be able to write again, at least for wait. It says false when the daemon stops.
func (d *Daemon) untilWritable(wait time.Duration) bool {
	full := d.spool.Trouble() != nil
	t := time.NewTicker(min(wait, recordPoll))
	defer t.Stop()
	for waited := time.Duration(0); ; {
		select {
		case <-t.C:
			waited += recordPoll
		case <-d.stopping:
			return false
		}
		if d.spool.Trouble() == nil && (full || waited >= wait) {
			return true
		}
	}
}

// done publishes the output and finishes the job. An output that cannot be published fails it.
func (j *job) done(r *manifest.Report) closing {
	f := map[string]any{"name": r.Name, "report": "report.json", "warnings": r.Warnings, "seconds": r.Seconds, "outputs": r.Disks}
	var failed closing
	return func(ctx context.Context) error {
		if failed != nil {
			return failed(ctx)
		}
		err := j.claim.Done(ctx, queue.Outcome{Fields: f})
		if err == nil {
			j.d.log.Info("job done", "job", j.id, "entry", j.claim.Record().Entry, "output", j.claim.Record().OutputDir, "seconds", r.Seconds)
			return nil
		}
		unpublished := j.unpublished(err)
		if unpublished == nil {
			return err
		}
		failed = j.fail(unpublished)
		return failed(ctx)
	}
}

// unpublished are the fields of a job whose output could not be published; nil when the trouble is none of the job's.
func (j *job) unpublished(err error) map[string]any {
	switch {
	case errors.Is(err, queue.ErrChanged):
		return fields(manifest.CodeSourceChanged, err.Error(), "make sure that nothing writes to it, then: hyperctl workflow retry "+j.id)
	case errors.Is(err, queue.ErrExists):
		return fields(manifest.CodeOutputExists, err.Error(), "move it away, then: hyperctl workflow retry "+j.id)
	case j.d.queueFault(err), errors.Is(err, queue.ErrState), j.claim.Record().Phase == queue.PhaseOutputDone:
		return nil
	}
	return failureFields(convert.Failure("validate", outputFault(err)))
}

// failIfHere fails a job for what its process said, unless the tree of the queue is not where it was: then the process may have missed
// no more than that, and the job goes back to the queue when the tree is there again.
func (j *job) failIfHere(f map[string]any) closing {
	end, away := j.fail(f), false
	return func(ctx context.Context) error {
		err := end(ctx)
		if errors.Is(err, queue.ErrAway) && !away {
			end, away = j.goBack("the workflow directory was not there"), true
		}
		return err
	}
}

// fail moves the job to failed/ with the reason.
func (j *job) fail(f map[string]any) closing {
	j.log.line("daemon", fmt.Sprintf("failed: %v: %v", f["code"], f["error"]))
	return func(ctx context.Context) error {
		if err := j.claim.Fail(ctx, queue.Outcome{Fields: maps.Clone(f)}); err != nil {
			return err
		}
		j.d.log.Warn("job failed", "job", j.id, "entry", j.claim.Record().Entry, "stage", f["stage"], "code", f["code"], "error", f["error"])
		return nil
	}
}

// goBack returns the job to the queue.
func (j *job) goBack(reason string) closing {
	return func(ctx context.Context) error { return j.claim.Requeue(ctx, reason) }
}

// goBackFor returns the job to the queue, where it waits until the condition holds.
func (j *job) goBackFor(reason string, until func() bool) closing {
	rec := j.claim.Record()
	j.log.line("daemon", "waiting: "+reason)
	j.d.inbox.Defer(rec.OriginalName, rec.Identity, reason, until)
	return j.goBack(reason)
}

// crashed lets a job whose process died without a result run again, or fails it when that has happened too often.
func (j *job) crashed(out outcome) closing {
	how := oneLine(out.crashed)
	j.log.line("daemon", fmt.Sprintf("%s: the job's process ended without a result: %s", manifest.CodeJobNoResult, how))
	f := fields(manifest.CodeJobCrashLoop,
		fmt.Sprintf("the job's process ended %d times without a result; the last time: %s", MaxCrashes, how),
		"look at the log: hyperctl workflow log "+j.id)
	f["exception"] = manifest.CodeJobNoResult + ": " + how
	out.withStages(f, "the process ended without a result")
	return func(ctx context.Context) error {
		again, err := j.claim.Crashed(ctx, how)
		if again {
			j.d.tallies.add(1, queue.TallyRetries, "crash")
		}
		if again || err != nil {
			return err
		}
		return j.fail(f)(ctx)
	}
}

// cancelFields are the fields of a job that a person ended.
func cancelFields(reason, id string) map[string]any {
	return fields(manifest.CodeJobCancelled, reason, "start it again: hyperctl workflow retry "+id)
}

// oneLine makes a text of a child fit for a terminal.
func oneLine(text string) string { return convert.Failure("", errors.New(text)).Message }
