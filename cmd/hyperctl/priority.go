package main

import (
	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

// priorityWords are what completion offers; numbers are priorities too.
var priorityWords = []string{"high", "normal", "low"}

func newPriority(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "priority JOB... PRIORITY",
		Short: "Let queued jobs start before the others, or after them",
		Long: `Let queued jobs start before the others, or after them. A priority is high, normal, low or a number from 1 (last) to 100 (first);
normal is 50, high 75 and low 25. Of jobs with the same priority the one that has waited longest starts first.

It holds until the job ends, through restarts of the daemon too, and a retry keeps it. What runs already goes on. While the daemon does
not run, the request waits for it, and it answers it before it starts any job.`,
		Example: `  hyperctl workflow priority web01.vmdk high
  hyperctl workflow priority $(hyperctl workflow list --state queued -o name) low`,
		Args: cobra.MinimumNArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
			names, directive := con.completeJobs(queue.Queued, queue.Waiting)(cmd, args, to)
			if len(args) > 0 {
				names = append(names, priorityWords...)
			}
			return names, directive
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			last := len(args) - 1
			p, err := readPriority(args[last])
			if err != nil {
				return err
			}
			return runOnJobs(cmd.Context(), con, queue.Control{Verb: queue.VerbPriority, Priority: p}, args[:last], nil)
		},
	}
}

// readPriority reads what stands on the command line.
func readPriority(text string) (int, error) {
	p, err := queue.ParsePriority(text)
	if err != nil {
		return 0, &failure{exit: exitUsage, what: clean(text) + " is no priority", why: "it is high, normal, low or a number from 1 (last) to 100 (first)", err: err}
	}
	return p, nil
}
