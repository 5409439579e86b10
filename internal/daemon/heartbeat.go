package daemon

import (
	"context"
	"os"
	"sync"
	"time"

	"hyper2kvm/internal/queue"
)

// beat is how often status.json is replaced when nothing happens; a client calls a daemon hung after several missing beats.
const beat = 2 * time.Second

// lookEvery is how often the heartbeat looks whether something changed that is worth an early beat.
const lookEvery = 200 * time.Millisecond

// The states that status.json gives.
const (
	stateIdle     = "idle"
	stateBusy     = "busy"
	statePaused   = "paused"
	stateDraining = "draining"
	stateDegraded = "degraded"
)

// heartbeat publishes the status until ctx ends: every beat, and soon after a change.
func (d *Daemon) heartbeat(ctx context.Context) {
	var last time.Time
	type state struct {
		counts  queue.Counts
		paused  string
		drained bool
		held    int
	}
	var was state
	writing := repeated{log: d.log, clock: d.clock, what: "write the status"}
	for {
		snap := d.inbox.Snapshot()
		is := state{d.counts(ctx), snap.Paused, snap.Draining, len(snap.Held)}
		if now := d.clock(); now.Sub(last) >= beat || now.Before(last) || is != was {
			writing.result(d.writeStatus(ctx, ""))
			last, was = now, is
		}
		if !pause(ctx, lookEvery) {
			return
		}
	}
}

// finishedToday is how many jobs ended today, counted on the disk when one has ended and at least every recount: the directories
// are the truth, and people move things about in them.
type finishedToday struct {
	mu   sync.Mutex
	c    queue.Counts
	at   time.Time
	ends int
}

// recount bounds the age of finishedToday.
const recount = 30 * time.Second

// counts are the jobs by state: those in the drop zone as the inbox sees them, the finished ones as they stand on the disk.
func (d *Daemon) counts(ctx context.Context) queue.Counts {
	c := d.inbox.Snapshot().Counts
	f := &d.today
	f.mu.Lock()
	defer f.mu.Unlock()
	now, ends := d.clock(), int(d.ends.Load())
	if age := now.Sub(f.at); age > recount || age < 0 || (ends != f.ends && age > beat/4) {
		if on, err := d.spool.Count(ctx); err == nil {
			f.c, f.at, f.ends = on, now, ends
		}
	}
	c.DoneToday, c.FailedToday = f.c.DoneToday, f.c.FailedToday
	return c
}

// stateStopped is the state of a daemon that ended as it was told to.
const stateStopped = "stopped"

// writeStatus publishes one status; final, if not "", is the state at the end of the run.
func (d *Daemon) writeStatus(ctx context.Context, final string) error {
	s := d.Settings()
	snap := d.inbox.Snapshot()
	d.mu.Lock()
	busy, stop := len(d.running), d.stop
	d.mu.Unlock()
	st := queue.Status{
		Schema: 1, At: d.clock(), StartedAt: d.started, Version: d.version, PID: os.Getpid(), Mode: s.Mode,
		Readiness: snap.Readiness, Watching: snap.Watching, LastScan: snap.LastScan,
		Workers: s.Workers, Busy: busy, Counts: d.counts(ctx), Held: snap.Held, HeldMore: snap.HeldMore,
		Reasons: snap.Problems, Space: d.space.spaces(s.WorkflowDir, s.OutputDir),
		OutputDir: s.OutputDir, ImportRoots: s.ImportRoots, OutputRoots: s.OutputRoots, Tallies: append(d.tallies.snapshot(), d.spool.Tallies()...),
		Acceleration: d.accel.text(), TimedSettleSeconds: s.TimedSettle.Seconds(),
	}
	if err := d.spool.Trouble(); err != nil {
		st.Reasons = append(st.Reasons, err.Error())
	}
	st.Reasons = append(st.Reasons, d.unrecordedReasons()...)
	switch {
	case final != "":
		st.State, st.StoppedAt = final, d.clock()
	case stop, snap.Draining:
		st.State = stateDraining
	case len(st.Reasons) > 0:
		st.State = stateDegraded
	case snap.Paused != "":
		st.State = statePaused
		st.Reasons = append(st.Reasons, snap.Paused)
	case busy > 0:
		st.State = stateBusy
	default:
		st.State = stateIdle
	}
	d.watch.status(st)
	return d.spool.WriteStatus(st)
}
