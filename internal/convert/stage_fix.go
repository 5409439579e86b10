package convert

import (
	"context"
	"errors"
)

// skipFix leaves the stage out where the job says so, and where INSPECT found nothing to repair.
func skipFix(r *Run) string {
	switch {
	case !wantsRepairs(r.Request.Job.Fix):
		return skipAsked
	case r.session == nil && r.Request.Job.Inspect.Enabled:
		return r.noRepair
	}
	return ""
}

// fix repairs the guest on overlays above the sources and fills Repairs; from here on the Sources are what the repairs made of them. A
// dry run only fills Repairs.
func fix(ctx context.Context, r *Run) error {
	if r.session == nil { // a job may repair without INSPECT
		if err := openGuest(ctx, r); err != nil || r.session == nil {
			return err
		}
	}
	if err := r.repair(ctx); err != nil {
		err = r.session.fault(err)
		if ctx.Err() == nil && !isDiskError(err) {
			err = guestError(err)
		}
		return errors.Join(err, r.closeSession(ctx))
	}
	if r.Request.Job.DryRun {
		return r.closeSession(ctx)
	}
	return r.swapSources(ctx)
}
