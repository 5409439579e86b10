package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"sync"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// ending is why a running job is ended from outside.
type ending int

const (
	endNone    ending = iota
	endCancel         // a person's wish: it fails with its code
	endRequeue        // the daemon stops, or a late config wants the file: it goes back to the queue
)

// job is one claimed job while it runs.
type job struct {
	d     *Daemon
	claim *queue.Claim
	id    string
	log   *jobLog
	asked manifest.Job // as resolved

	mu     sync.Mutex
	child  *child
	ending ending
	reason string
}

// outcome is how one run of a child ended.
type outcome struct {
	report  *manifest.Report
	failure *manifest.Failure
	waits   []convert.SpaceNeed // it does not fit beside the running jobs: try again later
	short   shortage
	crashed string // it ended without a result, and how
	stalled bool
}

// run takes a claimed job to its end: processed/, failed/, or back to the queue.
func (d *Daemon) run(claim *queue.Claim) {
	rec := claim.Record()
	j := &job{d: d, claim: claim, id: rec.ID, log: &jobLog{w: claim.Log(), clock: d.clock}}
	d.mu.Lock()
	d.running[j.id] = j
	d.mu.Unlock()
	defer func() {
		d.space.release(j.id)
		d.mu.Lock()
		delete(d.running, j.id)
		d.mu.Unlock()
	}()
	if err := j.work(); err != nil {
		// The queue could not record the end. The job stays where it is, and the next start decides from what is on disk.
		d.log.Error("the end of a job could not be recorded; it stays in processing/ until the next start", "job", j.id, "entry", rec.Entry, "error", err)
	}
}

// work decides what kind of job it is and does it.
func (j *job) work() error {
	ctx := context.Background() // a job ends by its own rules: cancel, requeue, stall
	need := j.claim.Need()
	switch {
	case need.Refuse != nil:
		return j.fail(ctx, need.Refuse)
	case len(need.Parts) > 0:
		j.d.log.Info("batch", "job", j.id, "entry", j.claim.Record().Entry, "parts", len(need.Parts))
		return j.claim.Split(ctx, need.Parts)
	}
	rec := j.claim.Record()
	j.d.log.Info("job starts", "job", j.id, "entry", rec.Entry, "kind", rec.Kind)
	j.asked = j.resolve(need)
	if err := j.claim.Running(ctx); err != nil {
		return err
	}
	out, err := j.attempt(ctx)
	if err != nil {
		return j.fail(ctx, failureFields(convert.Failure("", err)))
	}
	j.mu.Lock()
	end, reason := j.ending, j.reason
	j.mu.Unlock()
	switch {
	case out.report != nil && out.failure == nil:
		return j.done(ctx, out.report)
	case end == endRequeue:
		return j.claim.Requeue(ctx, reason)
	case end == endCancel:
		return j.fail(ctx, cancelFields(reason, j.id))
	case out.waits != nil:
		needs := out.waits
		j.d.inbox.Defer(rec.OriginalName, rec.Identity, out.short.String(), func() bool { return j.d.space.fits(needs) })
		return j.claim.Requeue(ctx, out.short.String())
	case out.stalled:
		return j.fail(ctx, fields(manifest.CodeJobStalled,
			fmt.Sprintf("no progress for %s", j.d.Settings().StallTimeout), "look at the log, then: hyperctl workflow retry "+j.id))
	case out.failure != nil:
		f := failureFields(*out.failure)
		if out.report != nil {
			f["stages"], f["warnings"] = out.report.Stages, out.report.Warnings
		}
		return j.fail(ctx, f)
	}
	return j.crashed(ctx, out.crashed)
}

// crashed lets a job whose process died without a result run again, or fails it when that has happened too often.
func (j *job) crashed(ctx context.Context, how string) error {
	j.log.line("daemon", fmt.Sprintf("%s: the job's process ended without a result: %s", manifest.CodeJobNoResult, how))
	if again, err := j.claim.Crashed(ctx, how); again || err != nil {
		return err
	}
	f := fields(manifest.CodeJobCrashLoop,
		fmt.Sprintf("the job's process ended %d times without a result; the last time: %s", MaxCrashes, how),
		"look at the log: hyperctl workflow log "+j.id)
	f["exception"] = []string{manifest.CodeJobNoResult + ": " + how}
	return j.fail(ctx, f)
}

// cancelFields are the fields of a job that a person ended.
func cancelFields(reason, id string) map[string]any {
	return fields(manifest.CodeJobCancelled, reason, "start it again: hyperctl workflow retry "+id)
}

// resolve fills what the manifest leaves open from the settings.
func (j *job) resolve(need queue.Need) manifest.Job {
	defaults := j.d.Settings().Defaults
	if p, ok := need.Payload.(payload); ok && p.Draft != nil {
		return p.Draft.Resolve(defaults)
	}
	rec := j.claim.Record()
	if rec.Dir {
		return manifest.FromFiles(rec.OriginalName).Resolve(defaults)
	}
	return manifest.FromFiles(rec.OriginalName, rec.OriginalName).Resolve(defaults)
}

// attempt runs the job's child once.
func (j *job) attempt(ctx context.Context) (outcome, error) {
	mjob := j.asked
	s := j.d.Settings()
	root := s.OutputDir
	if mjob.Convert.OutputDir != "" {
		root = filepath.Dir(mjob.Convert.OutputDir)
	}
	partial, err := j.claim.Partial(ctx, root)
	if err != nil {
		return outcome{}, err
	}
	rec := j.claim.Record()
	req := convert.Request{
		ID: j.id, JobID: rec.JobID, Job: mjob, Files: j.claim.Files(), Partial: partial, Version: j.d.version,
	}
	if !rec.Dir {
		req.Entry = rec.OriginalName
	}
	for _, d := range mjob.Source.Disks {
		if filepath.IsAbs(d.Path) { // the intake has asked whether its owner may name it
			req.Files[d.Path] = d.Path
		}
	}
	c, err := j.d.spawn.start(j.d.spool.LockFile(), s.KillAfter, req)
	if err != nil {
		return outcome{}, err
	}
	j.mu.Lock()
	j.child = c
	ended := j.ending != endNone
	j.mu.Unlock()
	if ended {
		c.stop()
	}
	out := j.listen(ctx, c, s)
	waitErr := c.wait()
	j.mu.Lock()
	j.child = nil
	j.mu.Unlock()
	if out.report == nil && out.failure == nil {
		out.crashed = describeExit(waitErr, c.tail.String())
	}
	return out, nil
}

// listen reads what a child tells until it ends, and answers what it asks.
func (j *job) listen(ctx context.Context, c *child, s Settings) (out outcome) {
	alive, stalled := c.watchStall(ctx, s.StallTimeout)
	defer func() { out.stalled = stalled() }()
	meter := &progressMeter{clock: j.d.clock, publish: j.claim.Progress, id: j.id}
	for {
		m, err := c.next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				j.log.line("daemon", err.Error())
				c.stop()
			}
			return out
		}
		alive()
		switch m.Type {
		case msgStage:
			meter.stage(m)
			j.log.stage(m)
		case msgProgress:
			meter.progress(m)
		case msgLog:
			j.log.line(m.Stage, m.Text)
		case msgWarning:
			if m.Warning != nil {
				j.log.line(m.Stage, "warning "+m.Warning.Code+": "+m.Warning.Message)
			}
		case msgReserve:
			if j.reserve(c, m.Needs, &out) {
				continue
			}
			c.stop()
		case msgPlace:
			j.place(ctx, c, m.Name)
		case msgResult:
			out.report, out.failure = m.Report, m.Failure
		}
	}
}

// reserve answers a child's question for space: granted, denied, or not now, in which case it returns false.
func (j *job) reserve(c *child, needs []convert.SpaceNeed, out *outcome) bool {
	short, err := j.d.space.take(j.id, needs)
	answer := message{Type: msgGranted}
	switch {
	case err != nil:
		f := convert.Failure("load", err)
		answer = message{Type: msgDenied, Denied: &f}
	case short != nil && short.Impossible:
		answer = message{Type: msgDenied, Denied: &manifest.Failure{
			Code: manifest.CodeSpaceOutput, Stage: "load",
			Message:   fmt.Sprintf("the output needs up to %s, and the file system of %s has %s in all", formatBytes(short.Need), short.Dir, formatBytes(short.Total)),
			Chain:     []string{short.String()},
			Retryable: true, Hint: "set output_dir to a larger file system, then: hyperctl workflow retry " + j.id,
		}}
	case short != nil:
		j.log.line("load", "waiting: "+short.String())
		out.waits, out.short = needs, *short
		return false
	}
	_ = c.out.send(answer) // a child that is gone shows at the next read
	return true
}

// place answers where the result will stand.
func (j *job) place(ctx context.Context, c *child, vmName string) {
	dir, err := j.chooseDir(ctx, vmName)
	answer := message{Type: msgPlaced, Dir: dir}
	if err != nil {
		f := convert.Failure("validate", err)
		answer = message{Type: msgDenied, Denied: &f}
	}
	_ = c.out.send(answer) // a child that is gone shows at the next read
}

// chooseDir fixes where the result will stand. A directory that the manifest names must not exist yet, since a result is
// published by one rename; where it does, the VM gets a directory of its own in it.
func (j *job) chooseDir(ctx context.Context, vmName string) (string, error) {
	dir := j.asked.Convert.OutputDir
	if dir == "" {
		return j.claim.Place(ctx, j.d.Settings().OutputDir, vmName)
	}
	err := j.claim.PlaceAt(ctx, dir)
	if errors.Is(err, queue.ErrExists) {
		dir = filepath.Join(dir, vmName)
		err = j.claim.PlaceAt(ctx, dir)
	}
	return dir, err
}

// end ends a running job from outside; its own goroutine does the rest.
func (j *job) end(e ending, reason string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ending != endNone {
		return
	}
	j.ending, j.reason = e, reason
	if j.child != nil {
		j.child.stop()
	}
}

// done publishes the output and finishes the job.
func (j *job) done(ctx context.Context, r *manifest.Report) error {
	f := map[string]any{"name": r.Name, "report": "report.json", "warnings": r.Warnings, "seconds": r.Seconds, "outputs": r.Disks}
	err := j.claim.Done(ctx, queue.Outcome{Fields: f})
	switch {
	case errors.Is(err, queue.ErrChanged):
		return j.fail(ctx, fields(manifest.CodeSourceChanged, err.Error(), "make sure that nothing writes to it, then: hyperctl workflow retry "+j.id))
	case errors.Is(err, queue.ErrExists):
		return j.fail(ctx, fields(manifest.CodeOutputExists, err.Error(), "move it away, then: hyperctl workflow retry "+j.id))
	case err != nil:
		return err
	}
	j.d.log.Info("job done", "job", j.id, "entry", j.claim.Record().Entry, "output", j.claim.Record().OutputDir, "seconds", r.Seconds)
	return nil
}

// fail moves the job to failed/ with the reason.
func (j *job) fail(ctx context.Context, f map[string]any) error {
	j.log.line("daemon", fmt.Sprintf("failed: %v: %v", f["code"], f["error"]))
	if err := j.claim.Fail(ctx, queue.Outcome{Fields: maps.Clone(f)}); err != nil {
		return err
	}
	j.d.log.Warn("job failed", "job", j.id, "entry", j.claim.Record().Entry, "code", f["code"], "error", f["error"])
	return nil
}
