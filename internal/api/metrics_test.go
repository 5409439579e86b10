package api

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"hyper2kvm/internal/queue"
)

// promised are the metrics that people build on: docs/api.md lists them.
var promised = []string{
	"build_info", "config_last_reload_success_timestamp_seconds", "config_last_reload_successful", "config_reloads_total", "directory_free_bytes",
	"directory_reserved_bytes", "directory_size_bytes", "event_streams", "external_command_duration_seconds", "external_command_failures_total",
	"heartbeat_timestamp_seconds", "holes_skipped_bytes_total", "http_request_duration_seconds", "http_requests_total", "job_duration_seconds",
	"job_queue_wait_seconds", "job_retries_total", "jobs", "jobs_finished_total", "jobs_submitted_total", "last_success_timestamp_seconds",
	"manifests_rejected_total", "oldest_queued_timestamp_seconds", "output_written_bytes_total", "queue_paused", "rescans_total",
	"source_read_bytes_total", "stage_duration_seconds", "stage_failures_total", "start_time_seconds", "up", "watch_events_total",
	"watch_overflows_total", "workers", "workers_limit",
}

// gatherer is everything that a scrape shows.
func (s *site) gatherer(tb testing.TB) prometheus.Gatherer {
	tb.Helper()
	now, err := s.server.look(tb.Context())
	must(tb, err)
	workflow := prometheus.NewRegistry()
	must(tb, workflow.Register(now))
	return prometheus.Gatherers{s.server.metrics.registry, workflow}
}

func TestMetrics(t *testing.T) {
	s := newSite(t)
	for range 3 {
		s.call(t, "GET", "/api/workflow/status", readToken, "")
	}
	s.call(t, "BREW", "/coffee\"\\", readToken, "")
	resp := s.call(t, "GET", "/metrics", readToken, "")
	body := text(t, resp)
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain; version=0.0.4") || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the answer is %v", resp.Header)
	}
	lines := strings.Split(body, "\n")
	for _, want := range []string{
		"hyper2kvm_up 1", `hyper2kvm_jobs{state="running"} 1`, `hyper2kvm_jobs_finished_total{outcome="done",source_format="vmdk"} 1`,
		`hyper2kvm_job_duration_seconds_bucket{outcome="done",le="5"} 1`, `hyper2kvm_job_duration_seconds_bucket{outcome="done",le="1"} 0`,
		`hyper2kvm_job_duration_seconds_sum{outcome="done"} 2`, `hyper2kvm_http_requests_total{code="200",method="GET",route="/api/workflow/status"} 3`,
		`hyper2kvm_http_requests_total{code="404",method="other",route="other"} 1`, "hyper2kvm_workers_limit 3", "hyper2kvm_event_streams 0",
		`hyper2kvm_jobs_submitted_total{via="a"} 7`, "hyper2kvm_watch_overflows_total 7",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	docs, err := os.ReadFile("../../docs/api.md")
	must(t, err)
	for _, name := range promised {
		if !strings.Contains(string(docs), "`"+name+"`") {
			t.Errorf("docs/api.md does not tell of %s", name)
		}
		if !strings.Contains(body, "# TYPE hyper2kvm_"+name+" ") {
			t.Errorf("the metrics lack hyper2kvm_%s", name)
		}
	}
	if n := strings.Count(body, "# TYPE hyper2kvm_"); n != len(promised) {
		t.Errorf("%d metrics are served and %d promised", n, len(promised))
	}
	for _, other := range []string{"# TYPE go_goroutines gauge", "# TYPE process_open_fds gauge"} {
		if !slices.Contains(lines, other) {
			t.Errorf("the metrics lack %s", other)
		}
	}
	problems, err := testutil.GatherAndLint(s.gatherer(t))
	must(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if t.Failed() {
		t.Log(body)
	}
}

// TestMetricsOfAnotherVersion: what in the status file cannot be shown hides nothing else.
func TestMetricsOfAnotherVersion(t *testing.T) {
	s := newSite(t)
	twice := queue.Tally{Kind: queue.TallyRetries, Of: []string{"crash"}, Sum: 2}
	must(t, s.publish(queue.Status{
		At: time.Now(), StartedAt: time.Now(), Workers: 2, Space: []queue.Space{{Dir: "/a\xffb\"\n", Free: 1}},
		Tallies: []queue.Tally{
			twice, twice, {Kind: queue.TallyFinished, Of: []string{"one word"}}, {Kind: "unheard-of", Sum: 3}, {Kind: queue.TallyHoles, Sum: 5},
			{Kind: queue.TallyQueueWait, Buckets: []uint64{1, 2, 3}, Count: 6}, {Kind: queue.TallyStage, Of: []string{"load\xff", "done"}},
		},
	}))
	resp := s.call(t, "GET", "/metrics", readToken, "")
	body := text(t, resp)
	for _, want := range []string{"hyper2kvm_up 1\n", "hyper2kvm_holes_skipped_bytes_total 5\n", "hyper2kvm_workers_limit 2\n", "hyper2kvm_directory_free_bytes{dir=\"/a\uFFFDb\\\"\\n\"} 1\n"} {
		if !strings.Contains(body, want) {
			t.Errorf("the metrics lack %q", want)
		}
	}
	if resp.StatusCode != http.StatusOK || strings.Contains(body, "unheard") || strings.Contains(body, "one word") {
		t.Errorf("%d:\n%s", resp.StatusCode, body)
	}
}
