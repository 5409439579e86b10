package convert

import (
	"context"
	"fmt"
)

// load unpacks and opens the sources, plans the run, sets the space aside and verifies what checksums were stated. It fills Machine,
// Sources and Plan.
func load(ctx context.Context, r *Run) error {
	u := &unpacker{run: r}
	opened, facts, err := gather(&gatherer{ctx: ctx, req: r.Request, unpack: u.unpack})
	if err != nil {
		return err
	}
	r.opened, r.Machine, r.Sources = opened, opened.Machine, opened.Sources
	for _, w := range opened.Warnings {
		r.warn(w)
	}
	facts.NoGuests, facts.NoBoot = r.guests.Missing(ctx)
	r.unpacked = u.stored
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
		if err := u.reserve(ctx, u.stored+r.Plan.MaxBytes, u.stored); err != nil {
			return fmt.Errorf("reserve %s for the output: %w", sizeText(r.Plan.MaxBytes), err)
		}
	}
	return verifySources(ctx, r)
}

// loadMeter returns the meter of LOAD with that many more bytes to do. What is compressed is known only when it is met.
func (r *Run) loadMeter(bytes int64) *meter {
	if r.loading == nil {
		r.loading = newMeter(r, StageLoad, bytes)
	} else {
		r.loading.more(bytes)
	}
	return r.loading
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
	m := r.loadMeter(total)
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
