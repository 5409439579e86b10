package main

import (
	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newResume(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "resume",
		Short: "Start jobs again after pause or drain",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runOnDaemon(cmd.Context(), con, queue.VerbResume) },
	}
}
