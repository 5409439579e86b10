package convert

import (
	"context"
	"fmt"
)

// load opens the sources, plans the run, sets the space aside and verifies what checksums were stated. It fills Machine,
// Sources and Plan.
func load(ctx context.Context, r *Run) error {
	opened, facts, err := Gather(ctx, r.Request)
	if err != nil {
		return err
	}
	r.opened, r.Machine, r.Sources = opened, opened.Machine, opened.Sources
	for _, w := range opened.Warnings {
		r.warn(w)
	}
	if r.Plan, err = NewPlan(r.Request.Job, facts); err != nil {
		return err
	}
	for _, w := range r.Plan.Warnings {
		r.warn(w)
	}
	for _, d := range facts.Disks {
		r.Events.Log(StageLoad, d.step())
	}
	if !r.Request.Job.DryRun {
		if err := r.Host.Reserve(ctx, []SpaceNeed{{Dir: r.Request.Partial, Bytes: r.Plan.MaxBytes}}); err != nil {
			return fmt.Errorf("reserve %s for the output: %w", sizeText(r.Plan.MaxBytes), err)
		}
	}
	return verifySources(ctx, r)
}

// verifySources reads every file whose checksum the manifest or the package states.
func verifySources(ctx context.Context, r *Run) error {
	var total int64
	for _, c := range r.opened.verify {
		total += c.bytes
	}
	if total == 0 {
		return nil
	}
	m := newMeter(r, StageLoad, total)
	for _, c := range r.opened.verify {
		progress, end := m.part(c.bytes)
		if err := c.verify(ctx, progress); err != nil {
			return err
		}
		end()
		r.Events.Log(StageLoad, "checksum of "+oneLine(c.name)+" is right")
	}
	return nil
}
