package main

import (
	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newRelease(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "release NAME...",
		Short: "Let entries start that are held for a person to decide",
		Long: `Let entries start that are held for a person to decide, as x_1.vmdk beside x.vmdk is, which may be the second disk of a VM
or a VM of its own. hyperctl workflow queue lists them with the reason.`,
		Example:           `  hyperctl workflow release web01_1.vmdk`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: con.completeJobs(queue.Waiting),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runOnJobs(cmd.Context(), con, queue.Control{Verb: queue.VerbRelease}, args)
		},
	}
}
