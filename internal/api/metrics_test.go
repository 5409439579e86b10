package api

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestMetrics reads the exposition as Prometheus does, and holds it to its rules: each family once, with help and type before its
// samples, counters that end in _total, buckets that grow up to the count.
func TestMetrics(t *testing.T) {
	s := newSite(t)
	for range 3 {
		s.call(t, "GET", "/api/workflow/status", readToken, "")
	}
	s.call(t, "BREW", "/coffee\"\\", readToken, "")
	resp := s.call(t, "GET", "/metrics", readToken, "")
	body := text(t, resp)
	sample := regexp.MustCompile(`^([a-z0-9_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$`)
	kinds, helped := map[string]string{}, map[string]bool{}
	series := map[string]bool{}
	family, last := "", 0.0
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		words := strings.SplitN(line, " ", 4)
		switch {
		case strings.HasPrefix(line, "# HELP "):
			if helped[words[2]] || len(words) != 4 || len(words[3]) < 10 {
				t.Errorf("help twice or empty: %s", line)
			}
			helped[words[2]] = true
			continue
		case strings.HasPrefix(line, "# TYPE "):
			family = words[2]
			kinds[family] = words[3]
			if (words[3] == "counter") != strings.HasSuffix(family, "_total") || !strings.HasPrefix(family, "hyper2kvm_") || !helped[family] {
				t.Errorf("the name or the help of %s, a %s", family, words[3])
			}
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || !strings.HasPrefix(m[1], family) || series[m[1]+m[2]] {
			t.Fatalf("not a sample of %s, or twice: %q", family, line)
		}
		series[m[1]+m[2]] = true
		v, err := strconv.ParseFloat(m[3], 64)
		must(t, err)
		switch rest := strings.TrimPrefix(m[1], family); {
		case kinds[family] != "histogram" && rest != "":
			t.Errorf("%q is not of %s", line, family)
		case rest == "_bucket" && strings.Contains(m[2], `le="0.1"`) || rest == "_bucket" && strings.Contains(m[2], `le="0.001"`):
			last = v
		case rest == "_bucket" && v < last || rest == "_count" && v != last:
			t.Errorf("%q after %v", line, last)
		case rest == "_bucket":
			last = v
		}
	}
	for _, want := range []string{
		"hyper2kvm_up 1", `hyper2kvm_jobs{state="running"} 1`, `hyper2kvm_jobs_finished_total{outcome="done",source_format="vmdk"} 1`,
		`hyper2kvm_job_duration_seconds_bucket{outcome="done",le="5"} 1`, `hyper2kvm_job_duration_seconds_sum{outcome="done"} 2`,
		`hyper2kvm_http_requests_total{route="/api/workflow/status",method="GET",code="200"} 3`, `hyper2kvm_http_requests_total{route="other",method="other",code="404"} 1`,
		"hyper2kvm_workers_limit 3", "hyper2kvm_event_streams 0",
	} {
		if !slices.Contains(strings.Split(body, "\n"), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
}
