package daemon

import (
	"testing"
	"time"

	"hyper2kvm/internal/queue"
)

func TestProgressIsMeasuredAndRare(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var got []queue.Progress
	p := &progressMeter{id: "x", clock: func() time.Time { return now }, publish: func(q queue.Progress) error { got = append(got, q); return nil }}
	p.stage(message{Type: msgStage, Stage: "convert", Index: 4, Count: 5, Status: stageStart})
	for i := range 100 { // ten messages a second for ten seconds, 1 MB each
		now = now.Add(100 * time.Millisecond)
		p.progress(message{Stage: "convert", Done: int64(i+1) * 1e6, Total: 200e6})
	}
	if len(got) > 22 {
		t.Errorf("%d publications in 10 s, want at most two a second", len(got))
	}
	last := got[len(got)-1]
	if last.BytesPerSec < 9.9e6 || last.BytesPerSec > 10.1e6 {
		t.Errorf("rate %.0f, want 10 MB/s", last.BytesPerSec)
	}
	if last.ETASeconds < 9.9 || last.ETASeconds > 10.6 {
		t.Errorf("time left %.1f s, want about 10", last.ETASeconds)
	}
	before := len(got)
	now = now.Add(time.Second)
	p.progress(message{Stage: "convert", Done: 1, Total: 200e6})
	p.progress(message{Stage: "load", Done: 300e6, Total: 300e6})
	if len(got) != before {
		t.Error("progress went backwards, or to a stage that is over")
	}
	p.stage(message{Stage: "validate", Index: 5, Count: 5, Status: stageStart})
	if last := got[len(got)-1]; last.Stage != "validate" || last.BytesDone != 0 || last.ETASeconds != -1 {
		t.Errorf("a new stage begins with %+v", last)
	}
}
