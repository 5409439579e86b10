package convert

import (
	"context"
	"errors"
	"time"

	"hyper2kvm/internal/manifest"
)

// Options are the knobs of a run that belong to the process, not to the job.
type Options struct {
	Clock   func() time.Time // nil = time.Now
	Workers int              // goroutines that read and encode; 0 = one for each processor
	Guests  Guests           // nil = libguestfs and qemu of this host
}

// Execute runs one job: the five stages, then the report beside the images. The report is complete also when the run failed;
// its Error is then set and the error returned is the same failure as a CodedError. Nothing outside Request.Partial is
// written; what a failed or cancelled run leaves there is for the caller to remove.
func Execute(ctx context.Context, req Request, events Events, host Host, opt Options) (manifest.Report, error) {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Guests == nil {
		opt.Guests = HostGuests{}
	}
	r := &Run{Request: req, Events: &serialEvents{to: events}, Host: host, Clock: opt.Clock, workers: opt.Workers, guests: opt.Guests}
	defer r.close()
	started := r.Clock()
	stages, failure := runStages(ctx, r, stages)
	if failure != nil {
		_ = r.closeSession(context.WithoutCancel(ctx)) // what still runs ends before it is reported
	}
	report := r.report(started, stages, failure)
	if failure == nil {
		if err := orCancelled(ctx, publish(ctx, r, report)); err != nil {
			report = r.publishFailed(started, stages, err)
		}
	}
	if report.Error != nil {
		return report, &CodedError{Code: report.Error.Code, Hint: report.Error.Hint, Err: errors.New(report.Error.Message)}
	}
	return report, nil
}

// publishFailed is the report of a run whose result could not be completed after its stages were done: the failure is the
// last stage's that ran.
func (r *Run) publishFailed(started time.Time, stages []manifest.StageReport, err error) manifest.Report {
	last := &stages[0]
	for i := range stages {
		if stages[i].Status == manifest.StageDone {
			last = &stages[i]
		}
	}
	last.Status, last.Reason = manifest.StageFailed, oneLine(err.Error())
	f := Failure(last.Name, err)
	return r.report(started, stages, &f)
}

// DryRun looks at the sources and plans, writes nothing and closes everything again. Guests are not opened: see Execute with
// Request.Job.DryRun for what FIX would do.
func DryRun(ctx context.Context, req Request, guests Guests) (Plan, error) {
	opened, facts, err := Gather(ctx, req)
	if err != nil {
		return Plan{}, err
	}
	defer opened.Close()
	facts.NoGuests, facts.NoBoot = guests.Missing(ctx)
	return NewPlan(req.Job, facts)
}

// close releases the sources.
func (r *Run) close() {
	_ = r.closeSession(context.Background()) // a run that failed wants nothing of it
	for _, img := range r.repaired {
		img.Close()
	}
	if r.opened != nil {
		r.opened.Close()
	}
}
