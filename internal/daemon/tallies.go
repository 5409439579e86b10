package daemon

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// maxTallies bounds what is published with each heartbeat: stages, formats and codes are few, and words beyond it count as other.
const maxTallies = 300

// tallies counts what jobs came to, for the metrics of clients. Nothing is kept over a restart: that is what Prometheus expects.
type tallies struct {
	clock func() time.Time

	mu  sync.Mutex
	all map[string]*queue.Tally // by kind and words
}

func newTallies(clock func() time.Time) *tallies {
	return &tallies{clock: clock, all: map[string]*queue.Tally{}}
}

// at is the tally of a kind and its words. The caller holds mu.
func (t *tallies) at(kind string, of []string) *queue.Tally {
	for i, word := range of {
		of[i] = plainWord(word)
	}
	key := kind + "\x00" + strings.Join(of, "\x00")
	if len(t.all) >= maxTallies && t.all[key] == nil {
		for i := range of {
			of[i] = "other"
		}
		key = kind + "\x00" + strings.Join(of, "\x00")
	}
	if t.all[key] == nil {
		t.all[key] = &queue.Tally{Kind: kind, Of: of}
	}
	return t.all[key]
}

// plainWord keeps words short and harmless that come from a child, which has read a hostile image.
func plainWord(word string) string {
	const most = 40
	if word == "" || len(word) > most || strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}) {
		return "unknown"
	}
	return word
}

func (t *tallies) add(n float64, kind string, of ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at(kind, of).Sum += n
}

func (t *tallies) set(n float64, kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at(kind, nil).Sum = n
}

func (t *tallies) observe(seconds float64, kind string, of ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at(kind, of).Observe(max(seconds, 0))
}

// snapshot is what was counted, in an order that does not change.
func (t *tallies) snapshot() []queue.Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]queue.Tally, 0, len(t.all))
	for _, tally := range t.all {
		c := *tally
		c.Buckets = slices.Clone(c.Buckets)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b queue.Tally) int {
		if a.Kind != b.Kind {
			return strings.Compare(a.Kind, b.Kind)
		}
		return slices.Compare(a.Of, b.Of)
	})
	return out
}

// stages counts the stages of one attempt.
func (t *tallies) stages(r *manifest.Report) {
	if r == nil {
		return
	}
	for _, st := range r.Stages {
		if st.Status != manifest.StageNotRun {
			t.observe(st.Seconds, queue.TallyStage, st.Name, st.Status)
		}
	}
}

// commands counts the external programs of one attempt.
func (t *tallies) commands(r *manifest.Report) {
	if r == nil {
		return
	}
	for _, c := range r.Commands {
		t.observe(c.Seconds, queue.TallyCommand, c.Name)
		failed := 0.0
		if c.Failed != "" {
			failed = 1
		}
		t.add(failed, queue.TallyCommandFails, c.Name)
	}
}

// finalTally is what is counted of a meta.json or error.json.
type finalTally struct {
	Code    string                `json:"code"`
	Stage   string                `json:"stage"`
	Outputs []manifest.DiskReport `json:"outputs"`
}

// ended counts a job that ended, as its record says.
func (t *tallies) ended(r queue.Record) {
	var f finalTally
	if len(r.Final) > 0 && json.Unmarshal(r.Final, &f) != nil {
		f = finalTally{}
	}
	outcome, format := "done", "none"
	if r.Terminal == queue.DirFailed {
		outcome = "failed"
	}
	if len(f.Outputs) > 0 {
		format = f.Outputs[0].SourceFormat
	}
	now := t.clock()
	t.add(1, queue.TallyFinished, outcome, format)
	if r.StartedAt != nil {
		t.observe(now.Sub(*r.StartedAt).Seconds(), queue.TallyDuration, outcome)
		t.observe(r.StartedAt.Sub(r.QueuedAt).Seconds(), queue.TallyQueueWait)
	}
	switch {
	case outcome == "done":
		t.set(float64(now.Unix()), queue.TallyLastDone)
	case r.StartedAt == nil:
		t.add(1, queue.TallyRefused, f.Code)
	default:
		t.add(1, queue.TallyStageFails, f.Stage, f.Code)
	}
	for _, d := range f.Outputs {
		t.add(float64(max(d.AllocatedBytes, 0)), queue.TallyRead, d.SourceFormat)
		t.add(float64(max(d.OutputBytes, 0)), queue.TallyWritten, d.OutputFormat)
		t.add(float64(max(d.VirtualSize-d.AllocatedBytes, 0)), queue.TallyHoles)
	}
}

// began notes that a configuration was taken, by starting with it.
func (t *tallies) began() {
	t.set(1, queue.TallyReloadOK)
	t.set(float64(t.clock().Unix()), queue.TallyLastReload)
}

// ReloadRefused counts a reload whose configuration could not be read.
func (d *Daemon) ReloadRefused() { d.tallies.reloaded(false) }

// reloaded counts a reload and what became of it.
func (t *tallies) reloaded(taken bool) {
	result, ok := "refused", 0.0
	if taken {
		result, ok = "ok", 1
		t.set(float64(t.clock().Unix()), queue.TallyLastReload)
	}
	t.add(1, queue.TallyReloads, result)
	t.set(ok, queue.TallyReloadOK)
}
