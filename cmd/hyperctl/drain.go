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
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runOnDaemon(cmd.Context(), con, queue.VerbDrain) },
	}
}

// runOnDaemon sends one request about the daemon itself.
func runOnDaemon(ctx context.Context, con *console, verb string) error {
	s, err := con.steer()
	if err != nil {
		return err
	}
	answer, err := s.ask(ctx, queue.Control{Verb: verb})
	s.keep(verb, "", "", answer, err)
	return s.finish()
}
