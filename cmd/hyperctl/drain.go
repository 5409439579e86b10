package main

import (
	"context"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newDrain(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "drain",
		Short: "Let running jobs finish and start no more, until resume",
		Long: `Let running jobs finish and start no more, until resume or until the daemon is started again: a restart ends it, which pause survives.
It needs the daemon: while that does not run, nothing does.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runOnDaemon(cmd.Context(), con, queue.Control{Verb: queue.VerbDrain})
		},
	}
}

// runOnDaemon sends one request about the daemon itself.
func runOnDaemon(ctx context.Context, con *console, c queue.Control) error {
	s, err := con.steer()
	if err != nil {
		return err
	}
	if c.Verb == queue.VerbDrain && s.away() {
		f := daemonFailure(s.live, s.status, s.sp.Dir(), con.now())
		f.why, f.try = f.why+"; nothing runs that could be let finish", "hyperctl workflow pause, so that it starts no job when it starts"
		return f
	}
	answer, err := s.ask(ctx, c)
	s.keep(c.Verb, "", "", answer, err)
	return s.finish()
}
