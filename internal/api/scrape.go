package api

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
)

// scrape is the workflow directory as one scrape sees it. It collects metrics that it does not describe beforehand: which ones there are
// depends on what the daemon has counted.
type scrape struct {
	status queue.Status
	live   queue.Liveness
	oldest time.Time // zero = nothing is queued
}

// look reads what a scrape shows.
func (s *Server) look(ctx context.Context) (scrape, error) {
	st, live, err := s.o.Spool.Status()
	if err != nil {
		return scrape{}, err
	}
	if st.Counts, err = s.o.Spool.Count(ctx); err != nil {
		return scrape{}, err
	}
	now := scrape{status: st, live: live}
	page, err := s.dir.Page(ctx, jobs.PageQuery{States: []queue.State{queue.Queued, queue.Waiting}, Order: jobs.ByAge, Limit: 1})
	if err != nil {
		return scrape{}, err
	}
	if len(page.Rows) > 0 && page.Rows[0].QueuedAt != nil {
		now.oldest = *page.Rows[0].QueuedAt
	}
	return now, nil
}

// Describe names no metric, which makes the collector one that is not checked beforehand.
func (scrape) Describe(chan<- *prometheus.Desc) {}

// Collect sends every metric of the workflow.
func (c scrape) Collect(out chan<- prometheus.Metric) {
	st, up := c.status, c.live == queue.LiveRunning
	gauge(out, "hyper2kvm_up", "Whether the daemon holds the workflow directory and its heartbeat is fresh.", one(up))
	if !st.At.IsZero() {
		gauge(out, "hyper2kvm_heartbeat_timestamp_seconds", "When the daemon wrote its last heartbeat.", seconds(st.At))
	}
	if !st.StartedAt.IsZero() {
		gauge(out, "hyper2kvm_start_time_seconds", "When the daemon started.", seconds(st.StartedAt))
	}
	n := st.Counts
	for _, state := range []struct {
		name string
		n    int
	}{{"queued", n.Queued}, {"waiting", n.Waiting}, {"ignored", n.Ignored}, {"running", n.Running}, {"done", n.DoneToday}, {"failed", n.FailedToday}} {
		gauge(out, "hyper2kvm_jobs", "Jobs by state; done and failed are those of today.", float64(state.n), "state", state.name)
	}
	gauge(out, "hyper2kvm_queue_paused", "Whether a person paused the queue.", one(up && st.State == "paused"))
	busy := 0
	if up {
		busy = st.Busy
	}
	workers := "Workers of the daemon by what they do."
	gauge(out, "hyper2kvm_workers", workers, float64(busy), "state", "busy")
	gauge(out, "hyper2kvm_workers", workers, float64(max(st.Workers-busy, 0)), "state", "idle")
	gauge(out, "hyper2kvm_workers_limit", "Jobs that may run at once.", float64(st.Workers))
	for _, sp := range st.Space {
		gauge(out, "hyper2kvm_directory_free_bytes", "Free space of the file systems that jobs write to.", float64(sp.Free), "dir", sp.Dir)
		gauge(out, "hyper2kvm_directory_size_bytes", "Size of the file systems that jobs write to.", float64(sp.Total), "dir", sp.Dir)
		gauge(out, "hyper2kvm_directory_reserved_bytes", "Space that running jobs may still need.", float64(sp.Reserved), "dir", sp.Dir)
	}
	if !c.oldest.IsZero() {
		gauge(out, "hyper2kvm_oldest_queued_timestamp_seconds", "When the entry came that waits longest.", seconds(c.oldest))
	}
	if up || c.live == queue.LiveHung { // of a daemon that is gone the counts would stand still and look alive
		collectTallies(out, st.Tallies)
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func gauge(out chan<- prometheus.Metric, name, help string, v float64, labels ...string) {
	send(out, prometheus.GaugeValue, name, help, v, labels...)
}

// send sends one value; labels are names and values in turn.
func send(out chan<- prometheus.Metric, kind prometheus.ValueType, name, help string, v float64, labels ...string) {
	names, values := pairs(labels)
	desc := prometheus.NewDesc(name, help, names, nil)
	m, err := prometheus.NewConstMetric(desc, kind, v, values...)
	if err != nil {
		m = prometheus.NewInvalidMetric(desc, err)
	}
	out <- m
}

// pairs takes labels apart. Names of directories may be no text.
func pairs(labels []string) (names, values []string) {
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, strings.ToValidUTF8(labels[i+1], "\uFFFD"))
	}
	return names, values
}
