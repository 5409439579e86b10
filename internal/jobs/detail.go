package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// Limits of what is read about one job.
const (
	maxReport = 4 << 20   // a report of hundreds of disks is far smaller
	maxLog    = 256 << 10 // the end of a log: some thousand lines
)

// Detail is everything about one job.
type Detail struct {
	Job    queue.Job
	Report *manifest.Report // of a done job; nil when there is none
	Ended  Ended            // of a finished job
}

// Ended is what the record of a finished job says beyond a queue.Job.
type Ended struct {
	Stage     string    `json:"stage"`
	Exception string    `json:"exception"` // the error chain, a line each
	Retryable bool      `json:"retryable"`
	Warnings  []Warning `json:"warnings"`
}

// Warning is something a person should know of a job that succeeded.
type Warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Detail reads one job in full. queue.ErrNotFound when it moved on meanwhile.
func (d *Dir) Detail(ctx context.Context, r Ref) (Detail, error) {
	j, err := d.spool.Find(ctx, r.Path) // by path only: to find it elsewhere, every record of a day would be read
	if err != nil {
		return Detail{}, err
	}
	out := Detail{Job: j}
	if len(j.Record) > 0 {
		var e Ended
		if json.Unmarshal(j.Record, &e) == nil {
			out.Ended = e
		}
	}
	if j.State == queue.Done && j.OutputDir != "" {
		out.Report = readReport(filepath.Join(j.OutputDir, "report.json"))
	}
	return out, nil
}

func readReport(path string) *manifest.Report {
	b, err := readEnd(path, maxReport)
	if err != nil {
		return nil
	}
	var r manifest.Report
	if json.Unmarshal(b, &r) != nil {
		return nil
	}
	return &r
}

// Log is the end of a job's log.
type Log struct {
	Lines []string // may hold anything that the log holds
	Cut   bool     // the log is longer
	Size  int64    // of the whole file
}

// Log reads the end of a log. The old one comes back when it did not grow. A log that is not there yet is empty.
func (d *Dir) Log(_ context.Context, path string, old Log) (Log, error) {
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || path == "" {
		return Log{}, nil
	}
	if err != nil {
		return Log{}, err
	}
	if st.Size() == old.Size {
		return old, nil
	}
	b, err := readEnd(path, maxLog)
	if err != nil {
		return Log{}, err
	}
	l := Log{Size: st.Size(), Cut: st.Size() > maxLog}
	if l.Cut {
		_, b, _ = bytes.Cut(b, []byte("\n"))
	}
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		return l, nil
	}
	l.Lines = strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return l, nil
}

// readEnd reads the last limit bytes of a regular file.
func readEnd(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s", queue.ErrNotRegular, path)
	}
	if st.Size() > limit {
		if _, err := f.Seek(-limit, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// Do asks the daemon for something about a job, or about the queue when r is the zero Ref, and gives its answer. The verb for a
// priority has it behind a space: priority high.
func (d *Dir) Do(ctx context.Context, verb string, r Ref) (string, error) {
	c := queue.Control{Verb: verb, Job: r.Key(), By: d.user}
	if verb, value, ok := strings.Cut(verb, " "); ok && verb == queue.VerbPriority {
		var err error
		if c.Priority, err = queue.ParsePriority(value); err != nil {
			return "", err
		}
		c.Verb = verb
	}
	reply, err := d.spool.Request(ctx, c)
	switch {
	case err == nil:
		return reply.Message, nil
	case reply.Message != "":
		return "", errors.New(reply.Message)
	case errors.Is(err, context.DeadlineExceeded):
		return "", errors.New("the daemon does not answer")
	}
	return "", err
}
