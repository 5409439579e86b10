package daemon

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

func find(all []queue.Tally, kind string, of ...string) queue.Tally {
	for _, t := range all {
		if t.Kind == kind && strings.Join(t.Of, " ") == strings.Join(of, " ") {
			return t
		}
	}
	return queue.Tally{}
}

func TestTalliesCountWhatRecordsSay(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	ts := newTallies(func() time.Time { return now })
	started := now.Add(-20 * time.Second)
	done, err := json.Marshal(map[string]any{"outputs": []manifest.DiskReport{
		{SourceFormat: "vmdk", AllocatedBytes: 100, VirtualSize: 1000, OutputFormat: "qcow2", OutputBytes: 70},
		{SourceFormat: "vmdk", AllocatedBytes: 10, VirtualSize: 10, OutputFormat: "qcow2", OutputBytes: 5},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ts.ended(queue.Record{Terminal: queue.DirDone, StartedAt: &started, QueuedAt: started.Add(-3 * time.Second), Final: done})
	ts.ended(queue.Record{Terminal: queue.DirFailed, StartedAt: &started, QueuedAt: started, Final: []byte(`{"code":"H2K-IMG-001","stage":"convert"}`)})
	ts.ended(queue.Record{Terminal: queue.DirFailed, QueuedAt: started, Final: []byte(`{"code":"H2K-MAN-002"}`)})
	ts.ended(queue.Record{Terminal: queue.DirFailed, QueuedAt: started, Final: []byte(`not JSON`)})
	ts.stages(&manifest.Report{Stages: []manifest.StageReport{{Name: "load", Status: "done", Seconds: 2}, {Name: "fix", Status: "not-run"}}})
	ts.stages(nil)
	ts.commands(&manifest.Report{Commands: []manifest.Command{{Name: "guestfish", Seconds: 9}, {Name: "guestfish", Seconds: 1, Failed: "no appliance"}}})
	ts.commands(nil)
	ts.reloaded(true)
	ts.reloaded(false)
	all := ts.snapshot()
	for _, tt := range []struct {
		sum float64
		of  string
	}{
		{1, "jobs_finished done vmdk"}, {3, "jobs_finished failed none"}, {20, "job_duration done"}, {20, "job_duration failed"},
		{3, "job_queue_wait"}, {110, "source_read vmdk"}, {75, "output_written qcow2"}, {900, "holes_skipped"},
		{1, "stage_failures convert H2K-IMG-001"}, {1, "entries_refused H2K-MAN-002"}, {1, "entries_refused unknown"}, {2, "stage_duration load done"},
		{0, "stage_duration fix not-run"}, {10, "command_duration guestfish"}, {1, "command_failures guestfish"}, {1, "reloads ok"}, {1, "reloads refused"}, {0, "last_reload_good"}, {float64(now.Unix()), "last_done_at"},
	} {
		words := strings.Fields(tt.of)
		if got := find(all, words[0], words[1:]...); got.Sum != tt.sum {
			t.Errorf("%s: %v, want %v", tt.of, got.Sum, tt.sum)
		}
	}
	if h := find(all, "job_duration", "done"); h.Count != 1 || h.Buckets[5] != 1 {
		t.Errorf("20 s are counted as %+v", h)
	}
}

func TestTalliesStayFewAndPlain(t *testing.T) {
	ts := newTallies(time.Now)
	for i := range 5 * maxTallies {
		ts.add(1, queue.TallyFinished, "done", fmt.Sprintf("format%d", i))
	}
	ts.add(1, queue.TallyFinished, "done\n\x1b[31m", strings.Repeat("x", 1000))
	all := ts.snapshot()
	if len(all) > maxTallies+2 {
		t.Errorf("%d tallies are kept, at most %d and a rest", len(all), maxTallies)
	}
	sum := 0.0
	for _, tally := range all {
		sum += tally.Sum
		for _, word := range tally.Of {
			if plainWord(word) != word {
				t.Errorf("the word %q is published", word)
			}
		}
	}
	if sum != 5*maxTallies+1 {
		t.Errorf("%v jobs are counted, want %d", sum, 5*maxTallies+1)
	}
}
