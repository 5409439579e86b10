package queue

import (
	"cmp"
	"slices"
)

// The kinds of tallies, and what the words of Tally.Of are.
const (
	TallyFinished   = "jobs_finished"    // outcome (done or failed), source format; number of jobs
	TallyDuration   = "job_duration"     // outcome; seconds from start to end
	TallyQueueWait  = "job_queue_wait"   // none; seconds from arrival to start
	TallyStage      = "stage_duration"   // stage, outcome; seconds
	TallyStageFails = "stage_failures"   // stage, code; number of jobs
	TallyRetries    = "job_retries"      // reason (request, crash); number of jobs
	TallyRead       = "source_read"      // source format; bytes that conversions had to read
	TallyWritten    = "output_written"   // output format; bytes of finished images
	TallyHoles      = "holes_skipped"    // none; bytes of disks that were never read, because nothing is there
	TallyReloads    = "reloads"          // result (ok, refused); number of reloads
	TallyRefused    = "entries_refused"  // code; entries that failed before they started
	TallyLastDone   = "last_done_at"     // none; Unix time of the last job that was done
	TallyLastReload = "last_reload_at"   // none; Unix time of the last reload that was taken
	TallyReloadOK   = "last_reload_good" // none; 1 when the last reload was taken, 0 when not

	TallySubmitted    = "jobs_submitted"   // via (one of the Via constants); jobs claimed for the first time, or after a retry
	TallyWatchEvents  = "watch_events"     // op (create, write, remove, rename, chmod); events of the drop zone
	TallyOverflows    = "watch_overflows"  // none; times that the kernel threw events away
	TallyRescans      = "rescans"          // trigger; times that the whole drop zone was read
	TallyCommand      = "command_duration" // program; seconds that external programs ran
	TallyCommandFails = "command_failures" // program; number of them that failed
)

// TallyBounds are the upper bounds, in seconds, of the buckets of durations: from a blank disk to a day.
func TallyBounds() []float64 { return slices.Clone(tallyBounds) }

var tallyBounds = []float64{0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600}

// Tally is something that the daemon has counted since it started: a number, or a distribution.
type Tally struct {
	Kind    string   `json:"kind"`
	Of      []string `json:"of,omitempty"` // which part of the kind
	Sum     float64  `json:"sum"`          // the number; of a distribution the sum of its values
	Count   uint64   `json:"count,omitempty"`
	Buckets []uint64 `json:"buckets,omitempty"` // values up to each of TallyBounds and above the one before
}

// compareTallies orders tallies, so that two publications of the same numbers are the same.
func compareTallies(a, b Tally) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), slices.Compare(a.Of, b.Of))
}

// Observe adds a value to a distribution.
func (t *Tally) Observe(v float64) {
	if t.Buckets == nil {
		t.Buckets = make([]uint64, len(tallyBounds))
	}
	if i, _ := slices.BinarySearch(tallyBounds, v); i < len(t.Buckets) {
		t.Buckets[i]++
	}
	t.Count++
	t.Sum += v
}
