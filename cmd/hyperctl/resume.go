package main

import (
	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newResume(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "resume",
		Short: "Start jobs again after pause or drain",
		Long:  "Start jobs again after pause or drain. While the daemon does not run, the request waits for it.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runOnDaemon(cmd.Context(), con, queue.Control{Verb: queue.VerbResume})
		},
	}
}
