package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"time"

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
	out   outputPlace  // of this attempt, whatever a reload says meanwhile

	mu     sync.Mutex
	child  *child
	ending ending
	reason string
	over   bool // its end is decided: nothing changes it any more
}

// outcome is how one run of a child ended.
type outcome struct {
	report  *manifest.Report
	failure *manifest.Failure
	waits   []convert.SpaceNeed // it does not fit beside the running jobs: try again later
	short   shortage
	crashed string // it ended without a result, and how
	stalled bool
	stages  stagesSeen
	unfit   error // the daemon cannot run jobs as things are; the job can do nothing about it
	other   *job  // a running job that makes the directory which this one needs
}

// closing records the end of a job. It may be called again after an error, and goes on where it had to stop.
type closing func(context.Context) error

// run takes a claimed job to its end: processed/, failed/, or back to the queue.
func (d *Daemon) run(claim *queue.Claim) {
	j := &job{d: d, claim: claim, id: claim.Record().ID, log: &jobLog{w: claim.Log(), clock: d.clock}}
	d.register(j)
	defer d.unregister(j)
	ctx := context.Background() // a job ends by its own rules: cancel, requeue, stall
	j.conclude(ctx, j.work(ctx))
}

// work does the job and says how it is to end.
func (j *job) work(ctx context.Context) closing {
	need, rec := j.claim.Need(), j.claim.Record()
	j.d.log.Info("job starts", "job", j.id, "entry", rec.Entry, "kind", rec.Kind)
	j.asked = j.resolve(need)
	if err := j.claim.Running(ctx); err != nil {
		if end, reason := j.decided(); end == endCancel {
			return j.fail(cancelFields(reason, j.id))
		}
		return j.goBack("the queue cannot write its records: " + err.Error())
	}
	out, err := j.attempt(ctx)
	j.d.tallies.stages(out.report)
	j.d.tallies.commands(out.report)
	end, reason := j.decided()
	switch {
	case end == endCancel: // somebody was told so, whatever the child could still finish and whatever the queue can write now
		return j.fail(out.withStages(cancelFields(reason, j.id), reason))
	case errors.Is(err, queue.ErrNoSpace) && j.d.spool.Trouble() == nil: // where the output belongs; nothing of it is made yet
		return j.goBackFor("its output cannot be begun: "+oneLine(err.Error()), j.d.after(spacePause))
	case j.d.queueFault(err):
		return j.goBack("the queue cannot write its records: " + err.Error())
	case err != nil:
		return j.fail(failureFields(convert.Failure("", err)))
	case out.report != nil && out.failure == nil:
		return j.done(out.report)
	case end == endRequeue:
		return j.goBack(reason)
	case out.unfit != nil:
		return j.goBackFor("the daemon cannot run it: "+oneLine(out.unfit.Error()), j.d.after(unfitPause))
	case out.other != nil:
		return j.goBackFor(fmt.Sprintf("its output directory is being made by %q", out.other.claim.Record().OriginalName), out.other.isOver)
	case out.waits != nil:
		return j.goBackFor(out.short.String(), func() bool { return j.d.space.fits(out.waits) })
	case out.stalled:
		why := fmt.Sprintf("no progress for %s", j.d.Settings().StallTimeout)
		return j.fail(out.withStages(fields(manifest.CodeJobStalled, why, "look at the log, then: hyperctl workflow retry "+j.id), why))
	case out.failure != nil:
		f := failureFields(*out.failure)
		if out.report != nil {
			f["stages"], f["warnings"] = out.report.Stages, out.report.Warnings
		}
		return j.failIfHere(f)
	}
	return j.crashed(out)
}

// withStages adds to the fields of a job that was ended from outside what became of its stages.
func (o outcome) withStages(f map[string]any, why string) map[string]any {
	stages := o.stages.ended(o.report, oneLine(why))
	f["stages"] = stages
	if at := slices.IndexFunc(stages, func(st manifest.StageReport) bool { return st.Status == manifest.StageFailed }); at >= 0 {
		f["stage"] = stages[at].Name // which was under way
	}
	if o.report != nil {
		f["warnings"] = o.report.Warnings
	}
	return f
}

// unfitPause is how long a job waits after the daemon could not start a process for it: long enough for an upgrade to finish.
const unfitPause = 10 * time.Second

// spacePause is how long a job waits whose output could not even be begun: a quota or a lack of inodes shows only in a try.
const spacePause = 10 * time.Second

// after returns a condition that holds from then on.
func (d *Daemon) after(wait time.Duration) func() bool {
	at := d.clock().Add(wait)
	return func() bool { return !d.clock().Before(at) }
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
	if j.isUnwanted() { // nothing of it is to run, least of all beside others
		return outcome{}, nil
	}
	s := j.d.Settings()
	wait, err := j.d.chooseOutput(j, s)
	if err != nil {
		return outcome{}, outputFault(err)
	}
	if wait != nil {
		return outcome{other: wait}, nil
	}
	partial, err := j.claim.Partial(ctx, j.out.root)
	if err != nil {
		return outcome{}, outputFault(err)
	}
	temp, remove, err := newScratch()
	if err != nil {
		return outcome{unfit: err}, nil
	}
	defer j.d.sweep() // of an appliance that was killed while it started, when it is old enough
	defer remove()
	c, err := j.d.spawn.start(j.d.spool.LockFile(), s.KillAfter, temp)
	if err != nil {
		return outcome{unfit: err}, nil
	}
	j.mu.Lock()
	j.child = c
	ended := j.ending != endNone
	j.mu.Unlock()
	if ended {
		c.stop()
	}
	out := j.listen(ctx, c, s, j.request(partial, s))
	waitErr := c.wait()
	j.mu.Lock()
	j.child = nil
	j.mu.Unlock()
	if out.failure != nil && out.report != nil && out.report.BootTest != nil {
		j.keepEvidence(partial, out.report.BootTest)
	}
	if out.report == nil && out.failure == nil && out.crashed == "" {
		out.crashed = describeExit(waitErr, c.tail.String())
	}
	return out, nil
}

// request is what the child is told.
func (j *job) request(partial string, s Settings) convert.Request {
	rec := j.claim.Record()
	req := convert.Request{
		ID: j.id, JobID: rec.JobID, Job: j.asked, Files: j.claim.Files(), Partial: partial, Version: j.d.version,
		Guest: convert.GuestSettings{BootTimeout: s.BootTimeout, AgentPackages: s.AgentPackages, Owner: s.Owner},
	}
	if !rec.Dir {
		req.Entry = rec.OriginalName
	}
	for _, d := range j.asked.Source.Disks {
		if filepath.IsAbs(d.Path) { // the intake has asked whether its owner may name it
			req.Files[d.Path] = d.Path
		}
	}
	if keys := j.asked.Fix.KeyFile; filepath.IsAbs(keys) { // as above
		req.Files[keys] = keys
	}
	if p, ok := j.claim.Need().Payload.(payload); ok {
		req.Roots = p.Roots
	}
	return req
}

// listen tells a child its job, reads what it says until it ends, and answers what it asks.
func (j *job) listen(ctx context.Context, c *child, s Settings, req convert.Request) (out outcome) {
	out.stages.clock = j.d.clock
	alive, stalled := c.watchStall(ctx, s.StallTimeout)
	defer func() { out.stalled = stalled() }()
	memory := j.d.memory.account(j.log)
	defer memory.close()
	if err := c.out.send(message{Type: msgJob, Request: &req, Sandbox: s.Sandbox}); err != nil {
		c.stop() // what it said is still worth reading
	}
	meter := &progressMeter{clock: j.d.clock, publish: j.claim.Progress, id: j.id}
	for {
		m, err := c.next()
		switch {
		case errors.Is(err, io.EOF):
			return out
		case errors.Is(err, errVersion):
			out.unfit = err
		case err != nil:
			out.crashed = oneLine(err.Error())
		}
		if err != nil {
			j.log.line("daemon", err.Error())
			c.stop()
			return out
		}
		alive()
		switch m.Type {
		case msgStage:
			meter.stage(m)
			out.stages.hear(m)
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
		case msgAdmit:
			memory.ask(ctx, m.MiB, alive, func() {
				kvm, why := j.d.accel.answer(ctx)
				_ = c.out.send(message{Type: msgGranted, KVM: kvm, Text: why})
			})
		case msgPlace:
			out.unfit = j.place(ctx, c, alive)
		case msgResult:
			j.decided()
			out.report, out.failure = m.Report, m.Failure
			return out
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
		out.waits, out.short = fromStart(needs), *short
		return false
	}
	_ = c.out.send(answer) // a child that is gone shows at the next read
	return true
}

// fromStart is what a job needs that has to begin anew: nothing of it is written.
func fromStart(needs []convert.SpaceNeed) []convert.SpaceNeed {
	needs = slices.Clone(needs)
	for i := range needs {
		needs[i].Held = 0
	}
	return needs
}

// place answers where the result will stand. The child's word for the VM's name is not taken: it has read a hostile image. While
// the queue itself cannot write, the child waits, rather than lose what it has built; an error means that it cannot go on.
func (j *job) place(ctx context.Context, c *child, alive func()) error {
	dir, err := j.placeOutput(ctx)
	t := time.NewTicker(recordPoll)
	defer t.Stop()
	for said := false; j.d.queueFault(err) && !errors.Is(j.d.spool.Trouble(), queue.ErrIO); {
		if !said {
			said = true
			j.d.log.Warn("a job waits for the queue to be able to write", "job", j.id, "error", err)
		}
		select {
		case <-j.d.stopping:
			c.stop()
			return err
		case <-c.exited:
			return nil
		case <-t.C:
		}
		alive()
		if j.d.spool.Trouble() == nil {
			dir, err = j.placeOutput(ctx)
		}
	}
	if j.d.queueFault(err) {
		c.stop()
		return err
	}
	answer := message{Type: msgPlaced, Dir: dir}
	if err != nil {
		f := convert.Failure("validate", outputFault(err))
		answer = message{Type: msgDenied, Denied: &f}
	}
	_ = c.out.send(answer) // a child that is gone shows at the next read
	return nil
}

// isUnwanted says whether somebody wished for the end of the job.
func (j *job) isUnwanted() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ending != endNone
}

// decided says that the end of the job is decided, and what was wished for it by then. Who wants to cancel it from here on is told that it is
// too late.
func (j *job) decided() (ending, string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.over = true
	return j.ending, j.reason
}

// isDecided says whether the end of the job is decided.
func (j *job) isDecided() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.over
}

// end ends a running job from outside; its own goroutine does the rest. It says false when it is too late.
func (j *job) end(e ending, reason string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.over {
		return false
	}
	if j.ending != endNone {
		return j.ending == e
	}
	j.ending, j.reason = e, reason
	if j.child != nil {
		j.child.stop()
	}
	return true
}
