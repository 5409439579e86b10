package convert

import (
	"context"
	"errors"

	"hyper2kvm/internal/manifest"
)

// skipFix always has a reason in this version: the stage is listed so that nobody takes a converted guest for a repaired one.
// A job that asks for a repair itself never comes so far; NewPlan refuses it.
func skipFix(r *Run) string {
	if r.Request.Job.DryRun {
		return skipDry
	}
	return skipFixReason(r.Request.Job)
}

// fix refuses: it would only run if skipFix had no reason.
func fix(context.Context, *Run) error {
	return coded(manifest.CodeFixUnavailable, "", errors.New(noRepairs))
}
