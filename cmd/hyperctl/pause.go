package main

import (
	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newPause(con *console) *cobra.Command {
	reason := ""
	cmd := &cobra.Command{
		Use:   "pause",
		Short: "Start no more jobs, until resume; running ones go on",
		Long: `Start no more jobs, until resume; running ones go on. A pause outlives restarts of the daemon. While the daemon does not run, the
request waits for it: it starts no job when it starts.`,
		Example: `  hyperctl workflow pause
  hyperctl workflow pause --reason 'the array is rebuilt, Ann'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runOnDaemon(cmd.Context(), con, queue.Control{Verb: queue.VerbPause, Reason: reason})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, a `text` of one line that stands in the status until resume")
	return cmd
}
