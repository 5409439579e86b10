package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

// maxCompletions keeps a press of the tab key quick.
const maxCompletions = 200

// completeJobs offers the names of jobs to the shell, those in these states or all; and their ids to whoever begins to type one. What
// stands on the line already is not offered again.
func (c *console) completeJobs(states ...queue.State) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
		if c.readSettings(cmd.Flags()) != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		sp, err := c.openSpool()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names, offered []string
		offer := func(key string, j queue.Job) {
			if strings.HasPrefix(key, to) && !slices.Contains(args, key) && !slices.Contains(offered, key) {
				offered = append(offered, key)
				names = append(names, clean(key)+"\t"+string(j.State))
			}
		}
		for j, err := range sp.Jobs(cmd.Context(), queue.Filter{States: states, All: true, Name: to, Limit: maxCompletions}) {
			if err != nil {
				break
			}
			offer(j.Name, j)
			if to != "" && j.ID != "" {
				offer(j.ID, j)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFilesAndJobs offers the names of jobs, and lets the shell offer files too.
func (c *console) completeFilesAndJobs(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
	names, _ := c.completeJobs(queue.Queued, queue.Waiting, queue.Done, queue.Failed)(cmd, args, to)
	return names, cobra.ShellCompDirectiveDefault
}
