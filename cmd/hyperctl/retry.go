package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newRetry(con *console) *cobra.Command {
	var failed bool
	cmd := &cobra.Command{
		Use:   "retry JOB...",
		Short: "Put failed jobs back into the queue; they start from the beginning",
		Long: `Put failed jobs back into the queue; they start from the beginning, with the priority that they had. While the daemon does not run,
they are put back at once where this user may do that, and wait in the queue; else the request waits for the daemon.`,
		Example: `  hyperctl workflow retry web01
  hyperctl workflow retry --failed          every failed job, of every day`,
		Args: func(cmd *cobra.Command, args []string) error {
			if failed && len(args) > 0 || !failed && len(args) == 0 && !con.interactive() {
				return usagef("name the jobs, or give --failed for all that failed")
			}
			return nil
		},
		ValidArgsFunction: con.completeJobs(queue.Failed),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if !failed {
				if args, err = con.pickJobs(cmd.Context(), args, queue.Failed); err != nil {
					return err
				}
			}
			return runRetry(cmd.Context(), con, args, failed)
		},
	}
	cmd.Flags().BoolVar(&failed, "failed", false, "all failed jobs")
	return cmd
}

func runRetry(ctx context.Context, con *console, keys []string, failed bool) error {
	s, err := con.steer()
	if err != nil {
		return err
	}
	if failed {
		for j, err := range s.sp.Jobs(ctx, queue.Filter{States: []queue.State{queue.Failed}, All: true}) {
			if err != nil {
				return err
			}
			if _, err := os.Lstat(j.Path); errors.Is(err, fs.ErrNotExist) {
				continue // somebody moved it by hand: its record is tidied up within a minute
			}
			keys = append(keys, jobKey(j))
		}
		if len(keys) == 0 {
			con.note("no job failed")
		}
	}
	for _, key := range keys {
		j, err := s.sp.Find(ctx, key)
		if failed && (errors.Is(err, queue.ErrNotFound) || err == nil && j.State != queue.Failed) {
			continue // it is tried again already
		}
		if err != nil {
			s.keep(queue.VerbRetry, key, "", "", err)
			continue
		}
		answer, err := s.retry(ctx, j)
		if failed && errors.Is(err, queue.ErrState) {
			continue // somebody else was quicker
		}
		s.keep(queue.VerbRetry, key, j.Name, answer, err)
	}
	return s.finish()
}

// retry asks the daemon; while it is away, the job goes back into the queue and waits for it there.
func (s *steering) retry(ctx context.Context, j queue.Job) (string, error) {
	if s.live == queue.LiveRunning || s.live == liveStarting {
		return s.ask(ctx, queue.Control{Verb: queue.VerbRetry, Job: jobKey(j)})
	}
	if !s.away() {
		return "", s.needDaemon()
	}
	name, err := s.sp.Retry(ctx, j)
	if errors.Is(err, fs.ErrPermission) { // the daemon may
		return s.ask(ctx, queue.Control{Verb: queue.VerbRetry, Job: jobKey(j)})
	}
	if err != nil {
		return "", err
	}
	return "queued again as " + name + "; it waits until the daemon runs", nil
}
