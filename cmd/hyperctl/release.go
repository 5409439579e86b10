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
or a VM of its own. hyperctl workflow queue lists them with the reason. It needs the daemon, which finds out anew at each start what it
holds.`,
		Example:           `  hyperctl workflow release web01_1.vmdk`,
		Args:              con.jobArgs(),
		ValidArgsFunction: con.completeJobs(queue.Waiting),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := con.pickJobs(cmd.Context(), args, queue.Waiting)
			if err != nil {
				return err
			}
			return runOnJobs(cmd.Context(), con, queue.Control{Verb: queue.VerbRelease}, keys, nil)
		},
	}
}
