package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newLog(con *console) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:     "log JOB",
		Aliases: []string{"logs"},
		Short:   "Print the log of a job",
		Long:    "Print the log of a job. With -o json each line is a JSON object.",
		Example: `  hyperctl workflow log web01
  hyperctl workflow log web01 -f            until the job ends`,
		Args:              con.oneJobArg(),
		ValidArgsFunction: con.completeJobs(),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := con.pickJobs(cmd.Context(), args, queue.Running, queue.Failed, queue.Done)
			if err != nil {
				return err
			}
			return runLog(cmd.Context(), con, keys[0], follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the job ends")
	return cmd
}

// logEvery is how often a followed log is looked at.
const logEvery = 500 * time.Millisecond

func runLog(ctx context.Context, con *console, key string, follow bool) error {
	sp, err := con.openSpool()
	if err != nil {
		return err
	}
	j, err := findJob(ctx, sp, key)
	if err != nil {
		return jobFailure(key, err)
	}
	f, err := openLog(j)
	if err != nil {
		return err
	}
	defer f.Close()
	log := logPrinter{con: con, w: newLineWriter(con.out), r: bufio.NewReaderSize(f, outputBuffer)}
	for {
		// The state is read before the rest of the log, so that nothing written before the end is missed.
		ended := j.State != queue.Running
		if err := log.print(!follow || ended); err != nil || !follow || ended {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(logEvery):
		}
		if j, err = sp.Find(ctx, jobKey(j)); err != nil {
			return jobFailure(key, err)
		}
	}
}

// openLog opens the log of a job.
func openLog(j queue.Job) (*os.File, error) {
	none := &failure{exit: exitNotFound, what: "job " + j.Name + " has no log", try: "hyperctl workflow show " + quoteArg(jobKey(j))}
	switch {
	case j.State == queue.Queued || j.State == queue.Waiting:
		none.why = "it did not start yet"
	case j.Kind == "batch":
		none.why = "the jobs that it became have logs of their own"
	case ended(j) && j.StartedAt == nil && j.Stage == "":
		none.why = "it ended before it started"
	case ended(j):
		none.why = "logs of ended jobs are kept for a while only; the record is kept"
	}
	if j.LogPath == "" {
		return nil, none
	}
	f, err := os.Open(j.LogPath)
	if errors.Is(err, fs.ErrNotExist) {
		none.err = err
		return nil, none
	}
	return f, err
}

// logDoc is a line of a log in JSON and YAML.
type logDoc struct {
	Line string `json:"line"`
}

// logPrinter prints a growing file line by line.
type logPrinter struct {
	con  *console
	w    lineWriter
	r    *bufio.Reader
	part strings.Builder // of a line that is not complete yet
}

// print prints what is there. An incomplete last line waits for its end, unless this is all there will be.
func (l *logPrinter) print(all bool) error {
	for {
		s, err := l.r.ReadSlice('\n')
		l.part.Write(s)
		switch {
		case err == nil || errors.Is(err, bufio.ErrBufferFull):
			if err := l.line(); err != nil {
				return err
			}
		case errors.Is(err, io.EOF):
			if all && l.part.Len() > 0 {
				if err := l.line(); err != nil {
					return err
				}
			}
			return l.w.flush()
		default:
			return fmt.Errorf("read the log: %w", err)
		}
	}
}

func (l *logPrinter) line() error {
	s := strings.TrimRight(l.part.String(), "\r\n")
	l.part.Reset()
	if l.con.opts.output.documents() {
		b, err := l.con.encodeOne(logDoc{Line: s})
		if err != nil {
			return err
		}
		return l.w.put(string(b))
	}
	return l.w.put(clean(strings.ReplaceAll(s, "\t", "    ")), "\n")
}
