package convert

import (
	"context"
	"fmt"
	"runtime/debug"

	"hyper2kvm/internal/manifest"
)

// The names of the stages, in order.
const (
	StageLoad     = "load"
	StageInspect  = "inspect"
	StageFix      = "fix"
	StageConvert  = "convert"
	StageValidate = "validate"
)

// stages is the pipeline. Each stage reads what the ones before it filled into the Run and fills its own part.
var stages = []Stage{
	{Name: StageLoad, Run: load},                                // open the sources by content, plan, reserve space, verify checksums
	{Name: StageInspect, Skip: skipInspect, Run: inspect},       // partition tables, file systems, firmware
	{Name: StageFix, Skip: skipFix, Run: fix},                   // repairs in the guest
	{Name: StageConvert, Skip: skipDryRun, Run: convertDisks},   // write the images
	{Name: StageValidate, Skip: skipDryRun, Run: validateDisks}, // read them back, compare, describe the VM
}

// statusStart is the status that Events hears when a stage begins.
const statusStart = "start"

// StageNames returns the names of the stages in order. It is apart from the table because the stages themselves plan.
func StageNames() []string {
	return []string{StageLoad, StageInspect, StageFix, StageConvert, StageValidate}
}

// runStages runs the list in order and returns one report for each of its stages, whatever happens, and the failure that
// ended the run, if any.
func runStages(ctx context.Context, r *Run, list []Stage) ([]manifest.StageReport, *manifest.Failure) {
	reports := make([]manifest.StageReport, 0, len(list))
	var failure *manifest.Failure
	for i, s := range list {
		if failure != nil {
			reports = append(reports, manifest.StageReport{Name: s.Name, Status: manifest.StageNotRun, Reason: notRun(failure)})
			continue
		}
		report, err := runStage(ctx, r, s, i+1, len(list))
		reports = append(reports, report)
		if err != nil {
			f := Failure(s.Name, err)
			failure = &f
		}
	}
	return reports, failure
}

// notRun is why the stages after a failure did not run.
func notRun(f *manifest.Failure) string {
	if f.Code == manifest.CodeJobCancelled {
		return "the job was cancelled"
	}
	return "the stage " + f.Stage + " failed"
}

// runStage runs one stage inside what every stage gets: its reason to be left out, its time, its events, and the guard that
// turns a panic into an error.
func runStage(ctx context.Context, r *Run, s Stage, index, count int) (manifest.StageReport, error) {
	report := manifest.StageReport{Name: s.Name}
	if s.Skip != nil {
		if report.Reason = s.Skip(r); report.Reason != "" {
			report.Status = manifest.StageSkipped
			r.Events.Stage(s.Name, index, count, report.Status, report.Reason, 0)
			return report, nil
		}
	}
	r.stage = s.Name
	r.Events.Stage(s.Name, index, count, statusStart, "", 0)
	began := r.Clock()
	err := orCancelled(ctx, guarded(ctx, r, s))
	lasted := max(r.Clock().Sub(began), 0)
	report.Seconds, report.Status = took(lasted), manifest.StageDone
	if err != nil {
		report.Status, report.Reason = manifest.StageFailed, oneLine(err.Error())
	}
	r.Events.Stage(s.Name, index, count, report.Status, report.Reason, lasted)
	return report, err
}

// guarded calls the stage; a panic in it becomes an error, its stack a line of the log.
func guarded(ctx context.Context, r *Run, s Stage) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.Events.Log(s.Name, string(debug.Stack()))
			err = &CodedError{
				Code: manifest.CodeJobInternal,
				Err:  fmt.Errorf("the stage %s stopped on an unexpected condition: %v", s.Name, p),
			}
		}
	}()
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	return s.Run(ctx, r)
}

// orCancelled returns err, or that the run was cancelled if it was: whatever the error came out as, that is its reason.
func orCancelled(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return coded(manifest.CodeJobCancelled, "", fmt.Errorf("cancelled: %w", context.Cause(ctx)))
}
