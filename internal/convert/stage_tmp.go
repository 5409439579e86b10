package convert

import "context"

func load(ctx context.Context, r *Run) error {
	opened, facts, err := Gather(ctx, r.Request)
	if err != nil {
		return err
	}
	r.opened = opened
	r.Plan, err = NewPlan(r.Request.Job, facts)
	return err
}
func inspect(context.Context, *Run) error       { return nil }
func fix(context.Context, *Run) error           { return nil }
func convertDisks(context.Context, *Run) error  { return nil }
func validateDisks(context.Context, *Run) error { return nil }
func skipFix(r *Run) string                     { return skipFixReason(r.Request.Job) }
func skipDryRun(r *Run) string {
	if r.Request.Job.DryRun {
		return skipDry
	}
	return ""
}
func skipInspect(r *Run) string {
	if !r.Request.Job.Inspect.Enabled {
		return skipAsked
	}
	return ""
}
func publish(context.Context, *Run, any) error { return nil }
