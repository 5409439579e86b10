package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"hyper2kvm/internal/queue"
)

// waitOptions say for what is waited.
type waitOptions struct {
	all, any bool
	timeout  time.Duration
}

func newWait(con *console) *cobra.Command {
	var o waitOptions
	cmd := &cobra.Command{
		Use:   "wait JOB...",
		Short: "Wait until jobs have ended",
		Long: `Wait until jobs have ended, and tell how: all of them, or with --any the first one. --all without names is everything that is in the
queue or runs now. The exit code is 0 when they are done, 6 when one failed, 7 when the time ran out and 130 after ^C; the jobs go on in
both of the last cases. A job that has ended already counts at once.`,
		Example: `  hyperctl workflow wait web01 --timeout 2h
  hyperctl workflow wait web01 db01 --any
  hyperctl workflow wait --all && hyperctl workflow list`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && !o.all {
				return usagef("name the jobs, or give --all for everything that is in the queue or runs")
			}
			return nil
		},
		ValidArgsFunction: con.completeJobs(queue.Running, queue.Queued, queue.Waiting),
		RunE:              func(cmd *cobra.Command, args []string) error { return runWait(cmd.Context(), con, args, o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.all, "all", false, "until all have ended; without names: all that are in the queue or run")
	f.BoolVar(&o.any, "any", false, "until the first has ended")
	timeoutFlag(f, &o.timeout, "wait for this `time` at most; 0 is for ever")
	cmd.MarkFlagsMutuallyExclusive("all", "any")
	return cmd
}

// maxFollowed is how many jobs are followed at the same time: each costs some looks at the disk a second.
const maxFollowed = 500

func runWait(ctx context.Context, con *console, keys []string, o waitOptions) error {
	sp, err := con.openSpool()
	if err != nil {
		return err
	}
	var found []queue.Job
	for _, key := range keys {
		j, err := findJob(ctx, sp, key)
		if err != nil {
			return jobFailure(key, err)
		}
		found = append(found, j)
	}
	if len(keys) == 0 {
		for j, err := range sp.Jobs(ctx, queue.Filter{States: openStates}) {
			if err != nil {
				return err
			}
			found = append(found, j)
		}
	}
	var open []queue.Submitted
	w := newWaiter(con, sp)
	w.first = o.any
	for _, j := range found {
		now, ref, err := locate(ctx, sp, j)
		switch {
		case len(keys) == 0 && errors.Is(err, queue.ErrNotFound): // it went into another job, or somebody took it away
		case err != nil:
			return jobFailure(jobKey(j), err)
		case ended(now):
			w.tell(ctx, now)
		default:
			open = append(open, ref)
		}
	}
	if len(open) > maxFollowed {
		return &failure{exit: exitError, what: fmt.Sprintf("%d jobs cannot be waited for one by one, at most %d", len(open), maxFollowed),
			try: "hyperctl workflow watch --until-idle --fail-on-failed"}
	}
	if len(open) > 0 && (!o.any || w.ended == 0) {
		st, live, err := daemonStatus(sp)
		if err != nil {
			return err
		}
		if f := daemonFailure(live, st, sp.Dir(), con.now()); f != nil && live != liveStarting {
			f.why += "; nothing will come of the jobs until it does"
			return f
		}
	}
	return w.wait(ctx, open, o.timeout)
}

// A job that moves is looked for so often, and so long between two looks: it goes through three directories, and a busy disk takes its time.
const (
	moves    = 50
	movePoll = 20 * time.Millisecond
)

// locate finds out where a job stands now, which may move at any moment. An ended one has no ref.
func locate(ctx context.Context, sp *queue.Spool, j queue.Job) (queue.Job, queue.Submitted, error) {
	for look := 1; ; look++ {
		if ended(j) {
			return j, queue.Submitted{}, nil
		}
		ref, err := refOf(j)
		if err == nil || look == moves {
			return j, ref, err
		}
		select {
		case <-time.After(movePoll):
		case <-ctx.Done():
			return j, ref, ctx.Err()
		}
		key := jobKey(j)
		if j, err = sp.Find(ctx, key); err != nil {
			return j, ref, err
		}
	}
}

// refOf knows an entry again by its inode, wherever it goes. A job of several files stands in a directory that the claim made: it is
// known by the file that it was named after.
func refOf(j queue.Job) (queue.Submitted, error) {
	for _, at := range []struct{ path, name string }{{filepath.Join(j.Path, j.OriginalName), j.OriginalName}, {j.Path, j.Name}} {
		var st unix.Stat_t
		if at.name == "" || !plainName(at.name) {
			continue
		}
		if err := unix.Lstat(at.path, &st); err == nil {
			return queue.Submitted{Name: at.name, Dev: st.Dev, Ino: st.Ino}, nil
		}
	}
	return queue.Submitted{}, &os.PathError{Op: "lstat", Path: j.Path, Err: unix.ENOENT}
}
