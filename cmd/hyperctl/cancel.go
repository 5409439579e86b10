package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newCancel(con *console) *cobra.Command {
	yes := false
	cmd := &cobra.Command{
		Use:   "cancel JOB...",
		Short: "End running jobs, or take queued ones out of the queue; the sources stay in failed/",
		Long: `End running jobs, or take queued ones out of the queue; the sources stay in failed/, unchanged, and can be tried again.

On a terminal it asks before it ends a job that runs; --yes answers. Elsewhere it does not ask. It needs the daemon: while that does not
run, nothing runs that could be ended, and an entry is taken out of the queue by moving it elsewhere.`,
		Example: `  hyperctl workflow cancel web01
  hyperctl workflow cancel $(hyperctl workflow list --state running -o name) --yes`,
		Args:              con.jobArgs(),
		ValidArgsFunction: con.completeJobs(queue.Running, queue.Queued, queue.Waiting),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := con.pickJobs(cmd.Context(), args, queue.Running, queue.Queued, queue.Waiting)
			if err != nil {
				return err
			}
			return runOnJobs(cmd.Context(), con, queue.Control{Verb: queue.VerbCancel}, keys, func(ctx context.Context, jobs []queue.Job) error {
				if yes {
					return nil
				}
				return con.confirmCancel(ctx, jobs)
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// confirmCancel asks somebody at a terminal whether running jobs are to end.
func (c *console) confirmCancel(ctx context.Context, jobs []queue.Job) error {
	var names []string
	for _, j := range jobs {
		if j.State == queue.Running {
			names = append(names, j.Name)
		}
	}
	if len(names) == 0 || !c.interactive() {
		return nil
	}
	ok, err := c.newPrompter(ctx).yes("End "+count(len(names), "running job", "running jobs")+", "+strings.Join(names, ", ")+"?", false, "--yes")
	if err == nil && !ok {
		err = &failure{exit: exitError, what: "nothing was cancelled"}
	}
	return err
}

// runOnJobs sends one request about each job. agreed, which may be nil, is asked before the first is sent.
func runOnJobs(ctx context.Context, con *console, c queue.Control, keys []string, agreed func(context.Context, []queue.Job) error) error {
	s, err := con.steer()
	if err != nil {
		return err
	}
	jobs := make([]queue.Job, 0, len(keys))
	for _, key := range keys {
		j, err := s.sp.Find(ctx, key)
		if err != nil {
			s.keep(c.Verb, key, "", "", err)
			continue
		}
		if s.away() && whenItStarts[c.Verb] == "" {
			return s.notNow(c.Verb, j)
		}
		jobs = append(jobs, j)
	}
	if agreed != nil && len(jobs) > 0 {
		if err := agreed(ctx, jobs); err != nil {
			return err
		}
	}
	for _, j := range jobs {
		c.Job = jobKey(j)
		answer, err := s.about(ctx, c, j)
		s.keep(c.Verb, c.Job, j.Name, answer, err)
	}
	return s.finish()
}
