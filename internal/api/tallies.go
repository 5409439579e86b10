package api

import (
	"github.com/prometheus/client_golang/prometheus"

	"hyper2kvm/internal/queue"
)

// form is how a tally is shown.
type form int

const (
	counter form = iota
	level        // a gauge
	distribution
)

// tallyMetric is what a kind of tally is called in the metrics.
type tallyMetric struct {
	kind, name string
	form       form
	help       string
	labels     []string
}

// tallyMetrics are the metrics that come from the daemon's own counting. It begins anew with each start of the daemon.
var tallyMetrics = []tallyMetric{
	{queue.TallySubmitted, "hyper2kvm_jobs_submitted_total", counter, "Jobs that were claimed for the first time or after a retry, by how they came into the drop zone.", []string{"via"}},
	{queue.TallyFinished, "hyper2kvm_jobs_finished_total", counter, "Jobs that ended, by how and from what.", []string{"outcome", "source_format"}},
	{queue.TallyDuration, "hyper2kvm_job_duration_seconds", distribution, "How long jobs took from their start to their end.", []string{"outcome"}},
	{queue.TallyQueueWait, "hyper2kvm_job_queue_wait_seconds", distribution, "How long jobs waited from their arrival to their start.", nil},
	{queue.TallyStage, "hyper2kvm_stage_duration_seconds", distribution, "How long the stages of jobs took.", []string{"stage", "outcome"}},
	{queue.TallyStageFails, "hyper2kvm_stage_failures_total", counter, "Jobs that failed, by stage and code.", []string{"stage", "code"}},
	{queue.TallyRefused, "hyper2kvm_manifests_rejected_total", counter, "Entries of the drop zone that failed before they started, by code.", []string{"reason"}},
	{queue.TallyRetries, "hyper2kvm_job_retries_total", counter, "Jobs that were put back into the queue: on request, or after a crash.", []string{"reason"}},
	{queue.TallyRead, "hyper2kvm_source_read_bytes_total", counter, "Bytes of disks that conversions had to read.", []string{"format"}},
	{queue.TallyWritten, "hyper2kvm_output_written_bytes_total", counter, "Bytes of finished images.", []string{"format"}},
	{queue.TallyHoles, "hyper2kvm_holes_skipped_bytes_total", counter, "Bytes of disks that were never read, because nothing is there.", nil},
	{queue.TallyLastDone, "hyper2kvm_last_success_timestamp_seconds", level, "When the last job was done.", nil},
	{queue.TallyReloads, "hyper2kvm_config_reloads_total", counter, "Reloads of the configuration, by what became of them.", []string{"result"}},
	{queue.TallyReloadOK, "hyper2kvm_config_last_reload_successful", level, "Whether the configuration was taken when it was read last.", nil},
	{queue.TallyLastReload, "hyper2kvm_config_last_reload_success_timestamp_seconds", level, "When a configuration was taken last.", nil},
	{queue.TallyWatchEvents, "hyper2kvm_watch_events_total", counter, "Events of the drop zone that the kernel told of.", []string{"op"}},
	{queue.TallyOverflows, "hyper2kvm_watch_overflows_total", counter, "Times that the kernel threw events of the drop zone away.", nil},
	{queue.TallyRescans, "hyper2kvm_rescans_total", counter, "Times that the whole drop zone was read, by what made it necessary.", []string{"trigger"}},
	{queue.TallyCommand, "hyper2kvm_external_command_duration_seconds", distribution, "How long the external programs of jobs ran.", []string{"command"}},
	{queue.TallyCommandFails, "hyper2kvm_external_command_failures_total", counter, "External programs of jobs that could not do their work.", []string{"command"}},
}

// collectTallies sends what the daemon counted. What does not have the form of its kind, or comes twice, is left out: the file may be
// of another version.
func collectTallies(out chan<- prometheus.Metric, all []queue.Tally) {
	byKind := map[string]tallyMetric{}
	for _, m := range tallyMetrics {
		byKind[m.kind] = m
	}
	bounds := queue.TallyBounds()
	for _, t := range all {
		m, ok := byKind[t.Kind]
		if !ok || len(t.Of) != len(m.labels) {
			continue
		}
		labels := make([]string, 0, 2*len(m.labels))
		for i, name := range m.labels {
			labels = append(labels, name, t.Of[i])
		}
		switch m.form {
		case counter:
			send(out, prometheus.CounterValue, m.name, m.help, t.Sum, labels...)
		case level:
			gauge(out, m.name, m.help, t.Sum, labels...)
		case distribution:
			if len(t.Buckets) == len(bounds) {
				sendDistribution(out, m, t, bounds, labels)
			}
		}
	}
}

// sendDistribution sends a histogram, whose buckets hold what is below their bound, with those before them.
func sendDistribution(out chan<- prometheus.Metric, m tallyMetric, t queue.Tally, bounds []float64, labels []string) {
	buckets, total := make(map[float64]uint64, len(bounds)), uint64(0)
	for i, bound := range bounds {
		total += t.Buckets[i]
		buckets[bound] = total
	}
	names, values := pairs(labels)
	desc := prometheus.NewDesc(m.name, m.help, names, nil)
	h, err := prometheus.NewConstHistogram(desc, max(t.Count, total), t.Sum, buckets, values...)
	if err != nil {
		h = prometheus.NewInvalidMetric(desc, err)
	}
	out <- h
}
