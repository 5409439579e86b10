package api

import (
	"net/http"
	"strconv"
	"time"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
)

// liveStarting is a daemon that holds the directory and has not said anything yet.
const liveStarting queue.Liveness = "starting"

// statusDoc is the state of the workflow: the eight fields that existing clients read, and beside them what the daemon says.
type statusDoc struct {
	Mode           string `json:"mode"` // disk or manifest; "" = no daemon ever ran
	Running        bool   `json:"running"`
	QueueDepth     int    `json:"queue_depth"` // queued and waiting
	ActiveJobs     int    `json:"active_jobs"`
	ProcessedToday int    `json:"processed_today"`
	FailedToday    int    `json:"failed_today"`
	MaxWorkers     int    `json:"max_workers"`
	UptimeSeconds  int64  `json:"uptime_seconds"`

	Liveness     queue.Liveness `json:"liveness"`
	State        string         `json:"state"`
	Paused       bool           `json:"paused"`
	Reasons      []string       `json:"reasons"`
	Version      string         `json:"version"`
	HeartbeatAge *float64       `json:"heartbeat_age_seconds,omitempty"`
	StartedAt    *time.Time     `json:"started_at,omitempty"`
	StoppedAt    *time.Time     `json:"stopped_at,omitempty"`
	Readiness    string         `json:"readiness,omitempty"`
	Watching     string         `json:"watching,omitempty"`
	Acceleration string         `json:"acceleration,omitempty"`
	Busy         int            `json:"busy"`
	Counts       queue.Counts   `json:"counts"`
	Rate         float64        `json:"bytes_per_second"` // of all running jobs
	Space        []queue.Space  `json:"space"`
	Held         []queue.Held   `json:"held"`
	HeldMore     int            `json:"held_more"` // held entries beyond those listed
	WorkflowDir  string         `json:"workflow_dir"`
	OutputDir    string         `json:"output_dir,omitempty"`
	ImportRoots  []string       `json:"import_roots"`
	OutputRoots  []string       `json:"output_roots"`
}

// maxHeldShown bounds the held entries in a status; the list of jobs has them all.
const maxHeldShown = 50

func newStatusDoc(dir string, st queue.Status, live queue.Liveness, now time.Time) statusDoc {
	held := live == queue.LiveRunning || live == queue.LiveHung
	if held && (st.At.IsZero() || !st.StoppedAt.IsZero()) { // the heartbeat is that of the daemon before
		live, held = liveStarting, false
	}
	c := st.Counts
	d := statusDoc{
		Mode: st.Mode, Running: live == queue.LiveRunning, QueueDepth: c.Queued + c.Waiting, ActiveJobs: c.Running, ProcessedToday: c.DoneToday,
		FailedToday: c.FailedToday, MaxWorkers: st.Workers, Liveness: live, State: st.State, Paused: held && st.State == "paused",
		Reasons: st.Reasons, Version: st.Version, Readiness: st.Readiness, Watching: st.Watching, Acceleration: st.Acceleration, Counts: c, Space: st.Space,
		Held: st.Held, HeldMore: st.HeldMore, WorkflowDir: dir, OutputDir: st.OutputDir, ImportRoots: st.ImportRoots, OutputRoots: st.OutputRoots,
	}
	if !st.StartedAt.IsZero() {
		d.StartedAt = &st.StartedAt
	}
	if !st.StoppedAt.IsZero() {
		d.StoppedAt = &st.StoppedAt
	}
	if held {
		age := max(now.Sub(st.At), 0).Seconds()
		d.HeartbeatAge, d.UptimeSeconds, d.Busy = &age, int64(max(now.Sub(st.StartedAt), 0).Seconds()), st.Busy
	} else { // what it said last is no longer so
		d.Held, d.HeldMore, d.Reasons, d.State = nil, 0, nil, string(live)
	}
	if len(d.Held) > maxHeldShown {
		d.HeldMore += len(d.Held) - maxHeldShown
		d.Held = d.Held[:maxHeldShown]
	}
	// Clients are spared the difference between none and null.
	d.Reasons, d.Space, d.Held = list(d.Reasons), list(d.Space), list(d.Held)
	d.ImportRoots, d.OutputRoots = list(d.ImportRoots), list(d.OutputRoots)
	return d
}

// list is xs as JSON writes a list, empty or not.
func list[T any](xs []T) []T {
	if xs == nil {
		return []T{}
	}
	return xs
}

// status answers what the daemon does.
func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	if err := known(r.URL.Query()); err != nil {
		return err
	}
	ctx, cancel := within(r, readTime)
	defer cancel()
	st, live, err := s.o.Spool.Status()
	if err != nil {
		return err
	}
	if st.Counts, err = s.o.Spool.Count(ctx); err != nil {
		return err
	}
	d := newStatusDoc(s.o.Spool.Dir(), st, live, s.o.Now())
	for j, err := range s.o.Spool.Jobs(ctx, queue.Filter{States: []queue.State{queue.Running}}) {
		if err != nil {
			return err
		}
		if j.Progress != nil {
			d.Rate += max(j.Progress.BytesPerSec, 0)
		}
	}
	return reply(w, d)
}

// Limits of a history: up to a week of hours.
const (
	historyStep    = time.Hour
	defaultHistory = 24
	maxHistory     = 7 * 24
)

// historyDoc is how many jobs ended in each of the last hours, the oldest first.
type historyDoc struct {
	StepSeconds int         `json:"step_seconds"`
	Spans       []jobs.Span `json:"spans"`
}

func (s *Server) history(w http.ResponseWriter, r *http.Request) error {
	in := r.URL.Query()
	if err := known(in, "hours"); err != nil {
		return err
	}
	hours := defaultHistory
	if text := in.Get("hours"); text != "" {
		var err error
		if hours, err = strconv.Atoi(text); err != nil || hours < 1 || hours > maxHistory {
			return badRequest("hours is %q; it is a number from 1 to %d", short(text), maxHistory)
		}
	}
	ctx, cancel := within(r, readTime)
	defer cancel()
	spans, err := s.dir.History(ctx, s.o.Now(), historyStep, hours)
	if err != nil {
		return err
	}
	return reply(w, historyDoc{int(historyStep.Seconds()), spans})
}
