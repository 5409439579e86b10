package api

import (
	"slices"

	"hyper2kvm/internal/queue"
)

// tallyMetric is what a kind of tally is called in the metrics.
type tallyMetric struct {
	kind, name, form, help string
	labels                 []string
}

// tallyMetrics are the metrics that come from the daemon's own counting. It begins anew with each start of the daemon.
var tallyMetrics = []tallyMetric{
	{queue.TallyFinished, "hyper2kvm_jobs_finished_total", "counter", "Jobs that ended, by how and from what.", []string{"outcome", "source_format"}},
	{queue.TallyDuration, "hyper2kvm_job_duration_seconds", "histogram", "How long jobs took from their start to their end.", []string{"outcome"}},
	{queue.TallyQueueWait, "hyper2kvm_job_queue_wait_seconds", "histogram", "How long jobs waited from their arrival to their start.", nil},
	{queue.TallyStage, "hyper2kvm_stage_duration_seconds", "histogram", "How long the stages of jobs took.", []string{"stage", "outcome"}},
	{queue.TallyStageFails, "hyper2kvm_stage_failures_total", "counter", "Jobs that failed, by stage and code.", []string{"stage", "code"}},
	{queue.TallyRefused, "hyper2kvm_manifests_rejected_total", "counter", "Entries of the drop zone that failed before they started, by code.", []string{"reason"}},
	{queue.TallyRetries, "hyper2kvm_job_retries_total", "counter", "Jobs that were put back into the queue: on request, or after a crash.", []string{"reason"}},
	{queue.TallyRead, "hyper2kvm_source_read_bytes_total", "counter", "Bytes of disks that conversions had to read.", []string{"format"}},
	{queue.TallyWritten, "hyper2kvm_output_written_bytes_total", "counter", "Bytes of finished images.", []string{"format"}},
	{queue.TallyHoles, "hyper2kvm_holes_skipped_bytes_total", "counter", "Bytes of disks that were never read, because nothing is there.", nil},
	{queue.TallyLastDone, "hyper2kvm_last_success_timestamp_seconds", "gauge", "When the last job was done.", nil},
	{queue.TallyReloads, "hyper2kvm_config_reloads_total", "counter", "Reloads of the configuration, by what became of them.", []string{"result"}},
	{queue.TallyReloadOK, "hyper2kvm_config_last_reload_successful", "gauge", "Whether the last reload of the configuration was taken.", nil},
	{queue.TallyLastReload, "hyper2kvm_config_last_reload_success_timestamp_seconds", "gauge", "When a reload of the configuration was taken last.", nil},
}

// exposeTallies writes what the daemon counted. What does not have the form of its kind is left out: the file may be of another
// version.
func exposeTallies(x *exposition, all []queue.Tally) {
	for _, m := range tallyMetrics {
		begun := false
		for _, t := range all {
			if t.Kind != m.kind || len(t.Of) != len(m.labels) || m.form == "histogram" && len(t.Buckets) != len(queue.TallyBounds()) {
				continue
			}
			if !begun {
				begun = true
				x.family(m.name, m.form, m.help)
			}
			var labels []string
			for i, name := range m.labels {
				labels = append(labels, name, t.Of[i])
			}
			if m.form == "histogram" {
				x.histogram(&histogram{bounds: queue.TallyBounds(), counts: slices.Clone(t.Buckets), count: t.Count, sum: t.Sum}, labels...)
			} else {
				x.sample("", t.Sum, labels...)
			}
		}
	}
}
