package main

import (
	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newPause(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "pause",
		Short: "Start no more jobs, until resume; running ones go on",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runOnDaemon(cmd.Context(), con, queue.VerbPause) },
	}
}
