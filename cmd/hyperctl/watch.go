package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

// watchOptions say when watching ends.
type watchOptions struct {
	untilIdle    bool
	failOnFailed bool
	timeout      time.Duration
	screen       screenOptions
}

func newWatch(con *console) *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Watch all jobs: full screen on a terminal, else a line whenever one changes",
		Long: screenHelp + `Print a line whenever a job changes its state or its stage, and how far each running job is every 10 seconds. Lines are
only ever added, so that the output may go to a file or a pipe; with -o jsonl each line is a JSON object.

--until-idle ends when nothing is queued, waiting or running any more. With --fail-on-failed the exit code is then 6 if a job
failed in the meantime.`,
		Example: `  hyperctl workflow watch
  hyperctl workflow watch --theme light
  hyperctl workflow watch --until-idle --fail-on-failed --timeout 2h`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runWatch(cmd.Context(), con, o) },
	}
	addScreenFlags(cmd, &o.screen)
	f := cmd.Flags()
	f.BoolVar(&o.untilIdle, "until-idle", false, "end when no job is queued, waiting or running")
	f.BoolVar(&o.failOnFailed, "fail-on-failed", false, "exit code 6 if a job failed while watching")
	timeoutFlag(f, &o.timeout, "end after this `time` with exit code 7; 0 is never")
	return cmd
}

// watchEvery is how often the directory is looked at.
const watchEvery = time.Second

// jobSource is what watching reads.
type jobSource interface {
	Jobs(context.Context, queue.Filter) iter.Seq2[queue.Job, error]
	Find(context.Context, string) (queue.Job, error)
	Status() (queue.Status, queue.Liveness, error)
}

func runWatch(ctx context.Context, con *console, o watchOptions) error {
	sp, err := con.openSpool()
	if err != nil {
		return err
	}
	if con.fullScreen(o) {
		return watchScreen(ctx, con, sp, o.screen)
	}
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	w := &watcher{con: con, src: sp, dir: sp.Dir(), jobs: map[string]seenJob{}}
	err = w.loop(ctx, o.untilIdle)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
		f := &failure{exit: exitTimeout, what: "watched for " + tookText(o.timeout) + ", as --timeout says", try: "hyperctl workflow queue", err: err}
		if o.untilIdle {
			f.what = "still not idle after " + tookText(o.timeout)
		}
		err = f
	case err == nil && o.failOnFailed && w.failed > 0:
		err = &failure{exit: exitJobFailed, what: count(w.failed, "job", "jobs") + " failed", try: "hyperctl workflow list --state failed -o wide"}
	}
	return err
}

// seenJob is what was said last about a job.
type seenJob struct {
	job   queue.Job
	stage string
	told  time.Time // when its progress was printed
	round int       // in which it was seen
}

// watcher turns looks at the directory into lines.
type watcher struct {
	con    *console
	src    jobSource
	dir    string
	jobs   map[string]seenJob // by path of the entry without its state: see watchKey
	live   queue.Liveness
	round  int
	failed int
}

func (w *watcher) loop(ctx context.Context, untilIdle bool) error {
	w.con.told = w.con.now()
	for {
		open, err := w.look(ctx)
		if err != nil {
			return err
		}
		w.con.heartbeat("nothing new: " + count(open, "job is", "jobs are") + " in the queue or running")
		if untilIdle {
			if open == 0 {
				return nil
			}
			if w.live == queue.LiveNotRunning || w.live == queue.LiveNeverStarted {
				st, _, err := daemonStatus(w.src)
				if err != nil {
					return err
				}
				return daemonFailure(w.live, st, w.dir, w.con.now())
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(watchEvery):
		}
	}
}

// watchKey names a job while it moves: its id, and before it has one its entry.
func watchKey(j queue.Job) string {
	if j.ID != "" {
		return "id:" + j.ID
	}
	return "name:" + j.Name
}

// recall returns what was said last about a job, and forgets the names that it had before it got its id.
func recall(jobs map[string]seenJob, j queue.Job) (seenJob, bool) {
	old, known := jobs[watchKey(j)]
	if j.ID == "" {
		return old, known
	}
	for _, name := range []string{"name:" + j.Name, "name:" + j.OriginalName} {
		if was, ok := jobs[name]; ok {
			delete(jobs, name)
			if !known {
				old, known = was, true
			}
		}
	}
	return old, known
}

// openStates are those that change by themselves.
var openStates = []queue.State{queue.Queued, queue.Waiting, queue.Running}

// arrivalsShown is how many new entries of one look are printed one by one; more are summed up.
const arrivalsShown = 20

// look reads the directory once, prints what changed, and returns how many jobs are not at an end.
func (w *watcher) look(ctx context.Context) (int, error) {
	w.round++
	if err := w.lookAtDaemon(); err != nil {
		return 0, err
	}
	now := w.con.now()
	open, arrived := 0, 0
	for j, err := range w.src.Jobs(ctx, queue.Filter{States: openStates}) {
		if err != nil {
			return 0, err
		}
		open++
		old, known := recall(w.jobs, j)
		seen := seenJob{job: j, stage: stageText(j), told: old.told, round: w.round}
		if j.State == queue.Running && old.job.State != queue.Running {
			seen.told = now
		}
		switch {
		case known && old.job.State == j.State && old.job.Reason == j.Reason && old.stage == seen.stage:
			if j.State == queue.Running && now.Sub(old.told) >= w.con.lineEvery() && j.Progress != nil && w.con.opts.progress != progressNone {
				seen.told = now
				w.say(now, "progress", j)
			}
		case !known && j.State != queue.Running && (w.round == 1 || arrived >= arrivalsShown):
			arrived++ // the first look, or too many at once: only their number is told
		default:
			if !known && j.State != queue.Running {
				arrived++
			}
			w.say(now, w.kind(known, old.job, j), j)
		}
		w.jobs[watchKey(j)] = seen
	}
	switch {
	case w.round == 1 && arrived > 0:
		w.tell(now, "queue", fmt.Sprintf("%s in the queue", count(arrived, "job", "jobs")))
	case arrived > arrivalsShown:
		w.tell(now, "queue", fmt.Sprintf("%d more jobs queued", arrived-arrivalsShown))
	}
	return open, w.lookAtGone(ctx, now)
}

// kind is the word for a change in JSON.
func (w *watcher) kind(known bool, old, now queue.Job) string {
	if known && old.State == now.State {
		return "stage"
	}
	return "state"
}

// lookAtDaemon tells when the daemon comes or goes.
func (w *watcher) lookAtDaemon() error {
	st, live, err := daemonStatus(w.src)
	if err != nil {
		return err
	}
	if live == w.live {
		return nil
	}
	w.live = live
	now := w.con.now()
	text := "the daemon runs: " + count(st.Workers, "worker", "workers") + ", " + clean(w.dir)
	if f := daemonFailure(live, st, w.dir, now); f != nil {
		text = cleanLine(f.Error())
	}
	w.tell(now, "daemon", text)
	return nil
}
