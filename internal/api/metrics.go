package api

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hyper2kvm/internal/version"
)

// requestBounds are the upper bounds of the buckets of how long requests take, in seconds.
var requestBounds = []float64{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10}

// metrics are those of this server itself; what the daemon counts is read from the workflow directory for each scrape.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
}

// newMetrics makes the metrics of a server that has so many event streams open.
func newMetrics(streams func() int) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hyper2kvm_http_requests_total", Help: "Requests that were answered.",
		}, []string{"route", "method", "code"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hyper2kvm_http_request_duration_seconds", Help: "How long the answers took; of streams, how long they were open.", Buckets: requestBounds,
		}, []string{"route"}),
	}
	build := version.Get()
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.requests, m.took,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hyper2kvm_event_streams", Help: "Event streams that are open.",
		}, func() float64 { return float64(streams()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "hyper2kvm_build_info", Help: "Build of hyperctl serve; the value is always 1.",
			ConstLabels: prometheus.Labels{"version": build.Version, "revision": build.Revision, "goversion": build.Go},
		}, func() float64 { return 1 }),
	)
	return m
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
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.took.WithLabelValues(route).Observe(d.Seconds())
}

// serveMetrics answers in the formats of Prometheus.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) error {
	if err := known(r.URL.Query()); err != nil {
		return err
	}
	ctx, cancel := within(r, readTime)
	defer cancel()
	now, err := s.look(ctx)
	if err != nil {
		return err
	}
	workflow := prometheus.NewRegistry()
	if err := workflow.Register(now); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	promhttp.HandlerFor(prometheus.Gatherers{s.metrics.registry, workflow}, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, // one value that cannot be shown hides no other
		ErrorLog:      slog.NewLogLogger(s.o.Log.Handler(), slog.LevelWarn),
	}).ServeHTTP(w, r)
	return nil
}

// seconds is a time as Prometheus counts it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
