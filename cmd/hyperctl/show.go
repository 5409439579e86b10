package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newShow(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "show JOB",
		Short: "Show everything that is known of a job",
		Long: `Show everything that is known of a job: where it stands, what it made, its warnings, and what to type next. -o wide adds the
record that it ended with as it stands in its .meta.json or .error.json.

JOB is an id, the name of an entry (web01.vmdk) or its stem (web01), or the name of a file that a job took along; of several jobs
with one stem the newest is meant.`,
		Example: `  hyperctl workflow show web01
  hyperctl workflow show web01 -o json`,
		Args:              con.oneJobArg(),
		ValidArgsFunction: con.completeJobs(),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := con.pickJobs(cmd.Context(), args, queue.Running, queue.Queued, queue.Waiting, queue.Failed, queue.Done)
			if err != nil {
				return err
			}
			return runShow(cmd.Context(), con, keys[0])
		},
	}
}

func runShow(ctx context.Context, con *console, key string) error {
	sp, err := con.openSpool()
	if err != nil {
		return err
	}
	j, err := findJob(ctx, sp, key)
	if err != nil {
		return jobFailure(key, err)
	}
	now := con.now()
	return con.printOne(newJobDoc(j, now), jobKey(j), func(w io.Writer) { writeJob(w, con.style, j, now, con.opts.output == outWide) })
}

// findJob finds a job by what a person calls it: its id, a name, or the name of a file that went into it.
func findJob(ctx context.Context, sp *queue.Spool, key string) (queue.Job, error) {
	j, err := sp.Find(ctx, key)
	if !errors.Is(err, queue.ErrNotFound) || !plainName(key) {
		return j, err
	}
	for other, lerr := range sp.Jobs(ctx, queue.Filter{All: true, States: []queue.State{queue.Running, queue.Done, queue.Failed}, Limit: maxSearched}) {
		if lerr != nil {
			break
		}
		if _, serr := os.Lstat(filepath.Join(other.Path, key)); serr == nil && other.ID != "" {
			return sp.Find(ctx, other.ID)
		}
	}
	return j, err
}

// maxSearched is how many jobs are looked into for a file.
const maxSearched = 1000

// jobFailure says which job an error is about.
func jobFailure(key string, err error) error {
	f := explainError(err)
	if f.exit == exitNotFound && f.err != nil {
		return &failure{exit: exitNotFound, what: fmt.Sprintf("there is no job %q", key), try: "hyperctl workflow list --all", err: err}
	}
	return err
}

// writeJob writes what people ask about a job first; whole adds the record as it stands.
func writeJob(w io.Writer, s style, j queue.Job, now time.Time, whole bool) {
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-9s %s\n", name, value)
		}
	}
	at := func(t *time.Time) string {
		if t == nil || t.IsZero() {
			return ""
		}
		return fmt.Sprintf("%s (%s ago)", t.Local().Format(time.DateTime), spanText(now.Sub(*t)))
	}
	state, color := s.state(j.State)
	row("Job", s.paint(bold, clean(j.Name)))
	row("State", s.paint(color, state))
	row("Why", cleanLine(j.Reason))
	row("Code", clean(j.Code))
	row("Try", cleanLine(hintOf(j)))
	row("Id", clean(j.ID))
	row("Kind", clean(j.Kind))
	if j.Priority != 0 {
		row("Priority", queue.PriorityText(j.Priority))
	}
	if j.OriginalName != j.Name {
		row("Came as", clean(j.OriginalName))
	}
	row("Size", sizeText(j))
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
	r := readResult(j)
	for _, o := range r.Outputs {
		if plainName(o.Output) {
			row("Image", fmt.Sprintf("%s (%s)", clean(filepath.Join(j.OutputDir, o.Output)), bytesText(o.Bytes)))
		}
	}
	row("Next", nextText(j, r))
	row("Log", clean(j.LogPath))
	for _, name := range r.Evidence {
		row("Evidence", clean(filepath.Join(filepath.Dir(j.LogPath), filepath.Base(name))))
	}
	for _, w := range r.Warnings {
		row("Warning", cleanLine(strings.TrimSpace(w.Code+" "+w.Message)))
	}
	if j.Submitter != nil {
		row("By", userText(*j.Submitter))
	}
	if len(j.Record) > 0 && whole {
		var b bytes.Buffer
		if json.Indent(&b, j.Record, "  ", "  ") == nil {
			fmt.Fprintln(w, "Record")
			for line := range strings.SplitSeq(b.String(), "\n") {
				fmt.Fprintln(w, "  "+clean(strings.TrimPrefix(line, "  ")))
			}
		}
	}
}

// userText names a user of this machine.
func userText(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	u, err := user.LookupId(id)
	if err != nil {
		return "user " + id
	}
	return clean(u.Username) + " (" + id + ")"
}
