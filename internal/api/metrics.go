package api

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
	"hyper2kvm/internal/version"
)

// requestBounds are the upper bounds of the buckets of how long requests take, in seconds.
var requestBounds = []float64{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10}

// metrics counts the requests that this server answered; everything else comes from the workflow directory.
type metrics struct {
	mu       sync.Mutex
	requests map[requestKey]uint64
	took     map[string]*histogram // by route
}

type requestKey struct{ route, method, code string }

func newMetrics() *metrics {
	return &metrics{requests: map[requestKey]uint64{}, took: map[string]*histogram{}}
}

// methods are those that are counted by their name: any other is a client's own word.
var methods = map[string]bool{
	http.MethodGet: true, http.MethodHead: true, http.MethodPost: true, http.MethodPut: true, http.MethodPatch: true, http.MethodDelete: true,
	http.MethodOptions: true,
}

func (m *metrics) observe(route, method string, status int, d time.Duration) {
	if _, path, ok := strings.Cut(route, " "); ok {
		route = path
	} else {
		route = "other"
	}
	if !methods[method] {
		method = "other"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[requestKey{route, method, strconv.Itoa(status)}]++
	if m.took[route] == nil {
		m.took[route] = newHistogram(requestBounds)
	}
	m.took[route].add(d.Seconds())
}

// serveMetrics answers in the text format of Prometheus.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) error {
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
	var x exposition
	info := version.Get()
	x.family("hyper2kvm_build_info", "gauge", "Build of hyperctl serve; the value is always 1.")
	x.sample("", 1, "version", info.Version, "revision", info.Revision, "goversion", info.Go)
	s.exposeDaemon(&x, st, live)
	if live == queue.LiveRunning || live == queue.LiveHung {
		exposeTallies(&x, st.Tallies)
	}
	oldest, err := s.dir.Page(ctx, jobs.PageQuery{States: []queue.State{queue.Queued, queue.Waiting}, Order: jobs.ByAge, Limit: 1})
	if err != nil {
		return err
	}
	if len(oldest.Rows) > 0 && oldest.Rows[0].QueuedAt != nil {
		x.family("hyper2kvm_oldest_queued_timestamp_seconds", "gauge", "When the entry came that waits longest.")
		x.sample("", seconds(*oldest.Rows[0].QueuedAt))
	}
	s.exposeRequests(&x)
	h := w.Header()
	h.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(x.bytes()) // the client went away
	return nil
}

func (s *Server) exposeDaemon(x *exposition, st queue.Status, live queue.Liveness) {
	gauge := func(name, help string, v float64) {
		x.family(name, "gauge", help)
		x.sample("", v)
	}
	up := 0.0
	if live == queue.LiveRunning {
		up = 1
	}
	gauge("hyper2kvm_up", "Whether the daemon holds the workflow directory and its heartbeat is fresh.", up)
	if !st.At.IsZero() {
		gauge("hyper2kvm_heartbeat_timestamp_seconds", "When the daemon wrote its last heartbeat.", seconds(st.At))
	}
	if !st.StartedAt.IsZero() {
		gauge("hyper2kvm_start_time_seconds", "When the daemon started.", seconds(st.StartedAt))
	}
	x.family("hyper2kvm_jobs", "gauge", "Jobs by state; done and failed are those of today.")
	c := st.Counts
	for _, state := range []struct {
		name string
		n    int
	}{{"queued", c.Queued}, {"waiting", c.Waiting}, {"ignored", c.Ignored}, {"running", c.Running}, {"done", c.DoneToday}, {"failed", c.FailedToday}} {
		x.sample("", float64(state.n), "state", state.name)
	}
	paused := 0.0
	if up == 1 && st.State == "paused" {
		paused = 1
	}
	gauge("hyper2kvm_queue_paused", "Whether a person paused the queue.", paused)
	busy := 0
	if up == 1 {
		busy = st.Busy
	}
	x.family("hyper2kvm_workers", "gauge", "Workers of the daemon by what they do.")
	x.sample("", float64(busy), "state", "busy")
	x.sample("", float64(max(st.Workers-busy, 0)), "state", "idle")
	gauge("hyper2kvm_workers_limit", "Jobs that may run at once.", float64(st.Workers))
	if len(st.Space) > 0 {
		for _, f := range []struct {
			name, help string
			of         func(queue.Space) int64
		}{
			{"hyper2kvm_directory_free_bytes", "Free space of the file systems that jobs write to.", func(sp queue.Space) int64 { return sp.Free }},
			{"hyper2kvm_directory_size_bytes", "Size of the file systems that jobs write to.", func(sp queue.Space) int64 { return sp.Total }},
			{"hyper2kvm_directory_reserved_bytes", "Space that running jobs may still need.", func(sp queue.Space) int64 { return sp.Reserved }},
		} {
			x.family(f.name, "gauge", f.help)
			for _, sp := range st.Space {
				x.sample("", float64(f.of(sp)), "dir", sp.Dir)
			}
		}
	}
}

func (s *Server) exposeRequests(x *exposition) {
	m := s.metrics
	m.mu.Lock()
	defer m.mu.Unlock()
	x.family("hyper2kvm_http_requests_total", "counter", "Requests that were answered.")
	for _, key := range sortedKeys(m.requests, func(a, b requestKey) bool {
		return a.route+a.method+a.code < b.route+b.method+b.code
	}) {
		x.sample("", float64(m.requests[key]), "route", key.route, "method", key.method, "code", key.code)
	}
	x.family("hyper2kvm_http_request_duration_seconds", "histogram", "How long the answers took; of streams, how long they were open.")
	for _, route := range sortedKeys(m.took, func(a, b string) bool { return a < b }) {
		x.histogram(m.took[route], "route", route)
	}
	x.family("hyper2kvm_event_streams", "gauge", "Event streams that are open.")
	x.sample("", float64(s.hub.count()))
}

// seconds is a time as Prometheus counts it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
