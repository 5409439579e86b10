package main

import (
	"context"
	"iter"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

// listOptions say which jobs to show.
type listOptions struct {
	states []string
	date   string
	all    bool
	limit  int
	watch  bool
}

// stateWords are the values of --state: the queue's own words, and those that people and older programs use for them.
var stateWords = map[string][]queue.State{
	"queued":     {queue.Queued},
	"waiting":    {queue.Waiting},
	"ignored":    {queue.Ignored},
	"running":    {queue.Running},
	"done":       {queue.Done},
	"failed":     {queue.Failed},
	"pending":    {queue.Queued, queue.Waiting},
	"active":     {queue.Running},
	"processing": {queue.Running},
	"completed":  {queue.Done},
	"processed":  {queue.Done},
}

var stateList = []string{"queued", "waiting", "ignored", "running", "done", "failed"}

func newList(con *console) *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List jobs: what is in the queue, what runs, and what ended today",
		Long: `List jobs: what is in the queue, what runs, and what ended today.

--date lists what ended on another day, --all what ended on any day, and the entries of the drop zone that are no jobs too.
In JSON every job has the documented fields of the queue and, beside them, stage, percent, bytes_per_second, eta_seconds and
age_seconds; fields are only ever added.`,
		Example: `  hyperctl workflow list
  hyperctl workflow list --state failed --date 2026-01-24
  hyperctl workflow list --all -o name
  hyperctl workflow list --json name,state,percent,eta_seconds
  hyperctl workflow list -o template='{{.name}} {{.state}} {{.code}}'
  hyperctl workflow list --state running --watch`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runList(cmd.Context(), con, o) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.states, "state", nil, "only these `states`, separated by commas: "+strings.Join(stateList, ", "))
	f.StringSliceVar(&o.states, "status", nil, "the same `states` as --state")
	f.StringVar(&o.date, "date", "", "jobs that ended on this `day`: 2026-01-24, today or yesterday")
	f.BoolVar(&o.all, "all", false, "jobs of every day, and entries that are no jobs")
	f.BoolVar(&o.watch, "watch", false, "go on: print each job again that changes, until ^C")
	f.IntVar(&o.limit, "limit", 0, "at most this many `jobs`; 0 is no limit")
	cmd.MarkFlagsMutuallyExclusive("date", "all")
	complete(cmd, "state", stateList)
	complete(cmd, "date", []string{"today", "yesterday"})
	complete(cmd, "status", stateList)
	return cmd
}

func runList(ctx context.Context, con *console, o listOptions) error {
	filter, err := o.filter(con.now())
	if err != nil {
		return err
	}
	sp, err := con.openSpool()
	if err != nil {
		return err
	}
	if o.watch {
		return watchList(ctx, con, sp, filter)
	}
	seen := 0
	defer debug.SetGCPercent(debug.SetGCPercent(listGarbage))
	filter.NamesOnly = con.opts.output == outName
	err = printAll(con, jobsView(con), counted(sp.Jobs(ctx, filter), &seen))
	if err == nil && seen == 0 {
		con.note("%s", o.nothing(sp.Dir()))
	}
	return err
}

// nothing says that a list is empty, and what would show more.
func (o listOptions) nothing(dir string) string {
	switch {
	case o.all && len(o.states) == 0:
		return "there are no jobs in " + dir
	case len(o.states) == 0 && o.date == "":
		return "nothing is in the queue of " + dir + ", and nothing ended today; --all lists other days too"
	case !o.all && o.date == "":
		return "there are no such jobs in " + dir + " today; --all lists other days too"
	}
	return "there are no such jobs in " + dir
}

// listGarbage is how much garbage may lie beside what is in use, in percent. A list holds little and makes much: collecting it less
// often takes a quarter off the time of a long one.
const listGarbage = 400

// counted passes rows on, one at a time in the same place, and counts them.
func counted[T any](rows iter.Seq2[T, error], n *int) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		var at T
		for row, err := range rows {
			if err == nil {
				*n++
			}
			at = row
			if !yield(&at, err) {
				return
			}
		}
	}
}

// day reads a day as people write it.
func day(s string, now time.Time) (string, error) {
	switch s {
	case "", "today":
		return now.Format(time.DateOnly), nil
	case "yesterday":
		return now.AddDate(0, 0, -1).Format(time.DateOnly), nil
	}
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return "", usagef("--date %q: write a day as %s, today or yesterday", s, now.Format(time.DateOnly))
	}
	return s, nil
}

// wanted turns the words of --state into states.
func (o listOptions) wanted() ([]queue.State, error) {
	var out []queue.State
	for _, w := range o.states {
		s, ok := stateWords[strings.ToLower(strings.TrimSpace(w))]
		if !ok {
			return nil, usagef("--state %q: must be one of %s", w, strings.Join(stateList, ", "))
		}
		out = append(out, s...)
	}
	return out, nil
}

func (o listOptions) filter(now time.Time) (queue.Filter, error) {
	states, err := o.wanted()
	if err != nil {
		return queue.Filter{}, err
	}
	if o.limit < 0 {
		return queue.Filter{}, usagef("--limit %d: must not be negative", o.limit)
	}
	f := queue.Filter{States: states, All: o.all, Limit: o.limit}
	if o.date != "" {
		if f.Date, err = day(o.date, now); err != nil {
			return f, err
		}
	}
	switch {
	case len(states) > 0 || o.all:
	case o.date != "":
		f.States = []queue.State{queue.Done, queue.Failed}
	default:
		f.States = []queue.State{queue.Running, queue.Queued, queue.Waiting, queue.Done, queue.Failed}
	}
	return f, nil
}
