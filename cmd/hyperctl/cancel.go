package main

import (
	"context"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newCancel(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "cancel JOB...",
		Short: "End running jobs, or take queued ones out of the queue; the sources stay in failed/",
		Example: `  hyperctl workflow cancel web01
  hyperctl workflow cancel $(hyperctl workflow list --state running -o name)`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: con.completeJobs(queue.Running, queue.Queued, queue.Waiting),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runOnJobs(cmd.Context(), con, queue.Control{Verb: queue.VerbCancel}, args)
		},
	}
}

// runOnJobs sends one request about each job.
func runOnJobs(ctx context.Context, con *console, c queue.Control, keys []string) error {
	s, err := con.steer()
	if err != nil {
		return err
	}
	for _, key := range keys {
		j, err := s.sp.Find(ctx, key)
		if err != nil {
			s.keep(c.Verb, key, "", "", err)
			continue
		}
		if err := s.needDaemon(); err != nil {
			return err
		}
		c.Job = jobKey(j)
		answer, err := s.ask(ctx, c)
		s.keep(c.Verb, key, j.Name, answer, err)
	}
	return s.finish()
}
