package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"hyper2kvm/internal/atomicfile"
	"hyper2kvm/internal/queue"
	"hyper2kvm/internal/sandbox"
)

// Options are what a Daemon is built from.
type Options struct {
	Settings Settings
	Spawner  Spawner // starts the process of a job
	Version  string
	Clock    func() time.Time
	Log      *slog.Logger
	LockWait time.Duration // for orphans of a killed daemon to end
	Accel    Accelerator   // nil = nothing is accelerated

	Webhooks http.RoundTripper // how webhooks are called; nil = http.DefaultTransport
	Watch    Watch

	// Before sees each step of the queue that changes the disk, and may stop it: tests rehearse mistakes by it; nil = nobody.
	Before func(atomicfile.Step) error

	// Of simulations:
	listen  func(dir string) (*queue.Notifier, error) // nil = the kernel tells of changes
	unswept bool                                      // the host's temporary files are left alone, whose times are by another clock
}

// Daemon runs one workflow directory.
type Daemon struct {
	settings atomic.Pointer[Settings]
	spool    *queue.Spool
	inbox    *queue.Inbox
	space    *reservations
	memory   *memoryBudget
	accel    *acceleration
	trust    trust
	spawn    Spawner
	version  string
	clock    func() time.Time
	log      *slog.Logger
	started  time.Time
	ends     atomic.Int64 // jobs that ended since the start, refused entries and batches among them
	failed   atomic.Int64 // those of them that failed
	today    finishedToday
	tallies  *tallies
	webhook  *webhook
	watch    Watch

	unswept bool

	stopping chan struct{} // closed when the daemon begins to stop

	mu         sync.Mutex
	running    map[string]*job   // by id
	early      map[string]early  // by id, of jobs that are not in running yet
	unrecorded map[string]string // by id: why the end of a job cannot be recorded
	stop       bool              // no claim any more
	returning  bool              // what still runs goes back to the queue
}

// New takes the workflow directory, recovers what an earlier run left and gets ready. Close gives the directory back.
func New(ctx context.Context, o Options) (*Daemon, error) {
	s := o.Settings.clone()
	d := &Daemon{
		space: newReservations(), accel: &acceleration{probe: o.Accel}, trust: trust{self: uint32(os.Getuid())}, spawn: o.Spawner, version: o.Version,
		clock: o.Clock, log: o.Log, started: o.Clock(), running: map[string]*job{},
		early: map[string]early{}, unrecorded: map[string]string{}, stopping: make(chan struct{}), tallies: newTallies(o.Clock),
	}
	d.settings.Store(&s)
	d.tallies.began()
	d.webhook = newWebhook(func() Webhook { return d.Settings().Webhook }, o.Version, o.Webhooks, o.Log)
	d.watch, d.unswept = o.Watch, o.unswept
	d.memory = newMemoryBudget(max(s.GuestMemory, 1))
	spool, err := queue.Start(s.WorkflowDir, queue.StartOptions{
		LockWait: o.LockWait, Clock: o.Clock, Log: o.Log, MaxCrashes: MaxCrashes, Location: time.Local, Ended: d.jobEnded,
		Before: o.Before,
	})
	if err != nil {
		return nil, err
	}
	d.spool = spool
	d.sweep()
	if err := makeOutputDir(s.OutputDir); err != nil {
		return nil, errors.Join(err, spool.Close())
	}
	if s.Sandbox {
		for _, part := range sandbox.Missing() {
			o.Log.Warn("the processes of jobs are confined only in part", "missing", part)
		}
	}
	for _, r := range spool.Recovered() {
		o.Log.Info("recovered", "job", r.ID, "entry", r.Entry, "action", r.Action, "reason", r.Reason)
	}
	d.earlyPauses(ctx)
	in := &intake{settings: d.Settings, trust: d.trust, clock: o.Clock, log: o.Log}
	d.inbox, err = spool.NewInbox(in, queue.InboxOptions{
		Settle: orNone(s.Settle), TimedSettle: s.TimedSettle, Rescan: s.Rescan, MissingTimeout: s.MissingTimeout,
		Names: mayName, Recall: d.recall, Clock: o.Clock, Log: o.Log, Listen: o.listen,
	})
	if err != nil {
		return nil, errors.Join(err, spool.Close())
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, spool.Close())
	}
	return d, nil
}

// orNone is how the inbox is told that there is no settle time.
func orNone(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// modeOutputDir lets the group read results, and makes what is in it the group's.
const modeOutputDir = 0o750 | os.ModeSetgid

// makeOutputDir makes the directory for results if it is not there. What is there keeps its mode.
func makeOutputDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(dir, modeOutputDir.Perm()); err != nil {
		return fmt.Errorf("output directory: %w", err)
	}
	if err := os.Chmod(dir, modeOutputDir); err != nil {
		return fmt.Errorf("output directory: %w", err)
	}
	return nil
}

// Settings returns what holds now.
func (d *Daemon) Settings() Settings { return *d.settings.Load() }

// Reload takes new settings for jobs that start from now on. It refuses all of them when one of them only a restart can change, or
// when there is no such output directory and none can be made. The keys that it returns are valid, and hold from the next start on.
func (d *Daemon) Reload(s Settings) (later []string, err error) {
	defer func() { d.tallies.reloaded(err == nil) }()
	now := d.Settings()
	if blocked := now.Reloadable(s); len(blocked) > 0 {
		return nil, fmt.Errorf("%v cannot change while the daemon runs: restart it; the old configuration stays", blocked)
	}
	if err := makeOutputDir(s.OutputDir); err != nil {
		return nil, err
	}
	next := s.clone()
	d.settings.Store(&next)
	return now.later(s), nil
}

// Run works until ctx ends, then stops claiming and gives running jobs stop_timeout before they go back to the queue. A second
// cancellation, of hurry, returns them at once.
func (d *Daemon) Run(ctx, hurry context.Context) error {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	d.earlyPriorities(ctx)
	var roles sync.WaitGroup
	roles.Go(func() { d.heartbeat(background) })
	roles.Go(func() { d.serveRequests(background) })
	roles.Go(func() { d.retain(background) })
	roles.Go(func() { d.webhook.run(background) })
	roles.Go(func() {
		if err := d.inbox.Run(background); err != nil && background.Err() == nil {
			d.log.Error("the drop zone cannot be watched", "error", err)
		}
	})
	var jobs sync.WaitGroup
	d.schedule(ctx, &jobs)
	d.drain(&jobs, hurry)
	cancel()
	roles.Wait()
	return d.writeStatus(context.WithoutCancel(ctx), stateStopped)
}

// Close gives the workflow directory back.
func (d *Daemon) Close() error { return d.spool.Close() }

// Failed returns how many jobs failed since the start.
func (d *Daemon) Failed() int { return int(d.failed.Load()) }

// jobEnded hears from the queue of every job that ended.
func (d *Daemon) jobEnded(r queue.Record) {
	d.ends.Add(1)
	d.tallies.ended(r)
	d.webhook.ended(r)
	if r.Terminal == queue.DirFailed {
		d.failed.Add(1)
	}
}
