package main

import (
	"bytes"
	"context"
	"iter"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/queue"
)

// converting is a job that is seen again and again on its way.
type converting struct{ end queue.State }

func (c converting) Follow(context.Context, queue.Submitted) iter.Seq2[queue.Job, error] {
	return func(yield func(queue.Job, error) bool) {
		j := queue.Job{ID: "1", Name: "web\x1b[31m01.vmdk", State: queue.Running}
		for done := range int64(4) {
			j.Progress = &queue.Progress{Stage: "convert", StageIndex: 4, StageCount: 5, BytesDone: done << 30, BytesTotal: 4 << 30, ETASeconds: -1}
			if !yield(j, nil) {
				return
			}
		}
		j.State, j.Progress = c.end, nil
		yield(j, nil)
	}
}

// TestLiveLine: on a terminal, waiting shows one line that is rewritten, and takes it away before anything else is printed.
func TestLiveLine(t *testing.T) {
	now := time.Unix(0, 0)
	for name, tt := range map[string]struct {
		env  map[string]string
		live bool
	}{
		"terminal": {map[string]string{"TERM": "xterm"}, true},
		"dumb":     {map[string]string{"TERM": "dumb"}, false},
		"reader":   {map[string]string{"TERM": "xterm", "ACCESSIBLE": "1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			con := newConsole(strings.NewReader(""), &out, &out, func(k string) string { return tt.env[k] }, func() time.Time { now = now.Add(time.Second); return now })
			con.outTTY = true
			if err := con.waitFor(t.Context(), converting{queue.Done}, []queue.Submitted{{Name: "web01.vmdk"}}, 0); err != nil {
				t.Fatal(err)
			}
			got := out.String()
			if live := strings.Contains(got, "\r\x1b[Kweb"); live != tt.live {
				t.Errorf("rewritten: %t, want %t: %q", live, tt.live, got)
			}
			if !tt.live && strings.ContainsAny(got, "\r\x1b") {
				t.Errorf("escapes: %q", got)
			}
			lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
			last := lines[len(lines)-1]
			if tt.live {
				var shown string
				last, shown = last[strings.LastIndex(last, "\r\x1b[K")+len("\r\x1b[K"):], last
				for part := range strings.SplitSeq(shown, "\r\x1b[K") {
					if width(part) >= defaultColumns {
						t.Errorf("%q does not fit on a line", part)
					}
				}
			}
			if !strings.Contains(last, `web\x1b[31m01.vmdk done`) {
				t.Errorf("the last line is %q", last)
			}
		})
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{{"abc", 5, "abc"}, {"abc", 2, "ab"}, {"日本語", 5, "日本"}, {"日本語", 0, ""}} {
		if got := cut(c.text, c.n); got != c.want {
			t.Errorf("%q to %d columns: %q", c.text, c.n, got)
		}
	}
}

// startLimit is how long any command may take to begin: below what a person notices.
const startLimit = 30 * time.Millisecond

// TestStartsAtOnce takes the best of twenty, which a busy machine cannot spoil.
func TestStartsAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: the program is not built in short mode, so its start is not timed")
	}
	bin := filepath.Join(t.TempDir(), "hyperctl")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var took []time.Duration
	for range 20 {
		began := time.Now()
		if err := exec.CommandContext(t.Context(), bin, "version").Run(); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("best %s, median %s", took[0], took[len(took)/2])
	if took[0] > startLimit {
		t.Errorf("hyperctl version takes %s at best, not %s", took[0], startLimit)
	}
}
