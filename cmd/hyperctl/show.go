package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newShow(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "show JOB",
		Short: "Show everything that is known of a job",
		Long: `Show everything that is known of a job: where it stands, its files, and the record that it ended with.

JOB is an id, the name of an entry (web01.vmdk) or its stem (web01); of several jobs with one stem the newest is meant.`,
		Example: `  hyperctl workflow show web01
  hyperctl workflow show web01 -o json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: con.completeJobs(),
		RunE:              func(cmd *cobra.Command, args []string) error { return runShow(cmd.Context(), con, args[0]) },
	}
}

func runShow(ctx context.Context, con *console, key string) error {
	sp, err := con.openSpool()
	if err != nil {
		return err
	}
	j, err := sp.Find(ctx, key)
	if err != nil {
		return jobFailure(key, err)
	}
	now := con.now()
	return con.printOne(newJobDoc(j, now), jobKey(j), func(w io.Writer) { writeJob(w, con.style, j, now) })
}

// jobFailure says which job an error is about.
func jobFailure(key string, err error) error {
	f := explainError(err)
	if f.exit == exitNotFound && f.err != nil {
		return &failure{exit: exitNotFound, what: fmt.Sprintf("there is no job %q", key), try: "hyperctl workflow list --all", err: err}
	}
	return err
}

func writeJob(w io.Writer, s style, j queue.Job, now time.Time) {
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-9s %s\n", name, value)
		}
	}
	at := func(t *time.Time) string {
		if t == nil || t.IsZero() {
			return ""
		}
		return fmt.Sprintf("%s (%s ago)", t.Format(time.DateTime), spanText(now.Sub(*t)))
	}
	state, color := s.state(j.State)
	row("Job", s.paint(bold, clean(j.Name)))
	row("State", s.paint(color, state))
	row("Why", cleanLine(j.Reason))
	row("Code", clean(j.Code))
	row("Try", cleanLine(j.Hint))
	row("Id", clean(j.ID))
	row("Kind", clean(j.Kind))
	if j.OriginalName != j.Name {
		row("Came as", clean(j.OriginalName))
	}
	if j.Size > 0 {
		row("Size", bytesText(j.Size))
	}
	if j.Progress != nil && j.State == queue.Running {
		row("Progress", progressLine(j.Progress))
	}
	row("Queued", at(j.QueuedAt))
	row("Started", at(j.StartedAt))
	row("Ended", at(j.FinishedAt))
	if j.StartedAt != nil && j.FinishedAt != nil {
		row("Took", tookText(j.FinishedAt.Sub(*j.StartedAt)))
	}
	row("Entry", clean(j.Path))
	row("Output", clean(j.OutputDir))
	row("Log", clean(j.LogPath))
	if j.Warnings > 0 {
		row("Warnings", fmt.Sprint(j.Warnings))
	}
	if j.Submitter != nil {
		row("By", fmt.Sprintf("user %d", *j.Submitter))
	}
	if len(j.Record) > 0 {
		var b bytes.Buffer
		if json.Indent(&b, j.Record, "  ", "  ") == nil {
			fmt.Fprintln(w, "Record")
			for line := range strings.SplitSeq(b.String(), "\n") {
				fmt.Fprintln(w, "  "+clean(strings.TrimPrefix(line, "  ")))
			}
		}
	}
}

// completeJobs offers the names of jobs to the shell.
func (c *console) completeJobs(states ...queue.State) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		if c.readSettings(cmd.Flags()) != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		sp, err := c.openSpool()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []string
		for j, err := range sp.Jobs(cmd.Context(), queue.Filter{States: states, Limit: maxCompletions}) {
			if err != nil {
				break
			}
			names = append(names, clean(j.Name)+"\t"+string(j.State))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// maxCompletions keeps a press of the tab key quick.
const maxCompletions = 200
