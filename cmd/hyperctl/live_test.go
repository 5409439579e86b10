package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
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

// TestTitle: on request a terminal's title and its own display of progress say how far it is, and are given back.
func TestTitle(t *testing.T) {
	var out bytes.Buffer
	con := steppingConsole(&out, time.Second)
	con.opts.progress = progressTitle
	if err := con.waitFor(t.Context(), converting{queue.Done}, []queue.Submitted{{Name: "web01.vmdk"}}, 0); err != nil {
		t.Fatal(err)
	}
	got := out.String()
	for _, want := range []string{keepTitle, "\x1b]0;web\\x1b[31m01.vmdk convert 4/5  25 %", "\x1b]9;4;1;25\x1b\\", "\x1b]9;4;1;75\x1b\\"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is not there once: %q", want, got)
		}
	}
	if !strings.HasSuffix(got, clearProgress+giveTitleBack) {
		t.Errorf("the title is not given back: %q", got)
	}
}

// steppingConsole is a terminal whose clock goes on by a step whenever it is read.
func steppingConsole(out *bytes.Buffer, step time.Duration) *console {
	now := time.Unix(0, 0)
	env := map[string]string{"TERM": "xterm"}
	con := newConsole(strings.NewReader(""), out, out, func(k string) string { return env[k] }, func() time.Time { now = now.Add(step); return now })
	con.outTTY = true
	return con
}

// TestProgressModes: what is told of a job that converts, beside its beginning and its end.
func TestProgressModes(t *testing.T) {
	for mode, want := range map[progressMode]int{progressAuto: 0, progressPlain: 3, progressNone: 0} {
		var out bytes.Buffer
		con := steppingConsole(&out, meterLines)
		con.opts.progress = mode
		if err := con.waitFor(t.Context(), converting{queue.Done}, []queue.Submitted{{Name: "web01.vmdk"}}, 0); err != nil {
			t.Fatal(err)
		}
		lines := 0
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, "GiB of") && !strings.Contains(line, "\r") {
				lines++
			}
		}
		if lines != want || strings.Contains(out.String(), "\x1b]") || mode != progressAuto && strings.Contains(out.String(), "\r") {
			t.Errorf("--progress %s: %d lines, want %d: %q", mode, lines, want, out.String())
		}
	}
}

// silent converts for two minutes, and says nothing new meanwhile.
type silent struct{}

func (silent) Follow(ctx context.Context, _ queue.Submitted) iter.Seq2[queue.Job, error] {
	return func(yield func(queue.Job, error) bool) {
		j := queue.Job{ID: "1", Name: "web01.vmdk", State: queue.Running, Progress: &queue.Progress{Stage: "fix", StageIndex: 3, StageCount: 5}}
		if !yield(j, nil) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(125 * time.Second):
		}
		j.State = queue.Done
		yield(j, nil)
	}
}

// TestHeartbeat: to somebody to whom the screen is read, a line every 30 seconds says that it goes on; others are not bothered.
func TestHeartbeat(t *testing.T) {
	for name, tt := range map[string]struct {
		env   map[string]string
		flag  bool
		quiet bool
		want  int
	}{
		"nobody":   {nil, false, false, 0},
		"variable": {map[string]string{"ACCESSIBLE": "1"}, false, false, 4},
		"flag":     {nil, true, false, 4},
		"quiet":    {nil, true, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				con := newConsole(strings.NewReader(""), &out, &out, func(k string) string { return tt.env[k] }, time.Now)
				con.opts.accessible, con.opts.quiet = tt.flag, tt.quiet
				if err := con.waitFor(t.Context(), silent{}, []queue.Submitted{{Name: "web01.vmdk"}}, 0); err != nil {
					t.Fatal(err)
				}
				if got := strings.Count(out.String(), "still waiting: 0 of 1 job has ended"); got != tt.want {
					t.Errorf("%d heartbeats, want %d: %q", got, tt.want, out.String())
				}
			})
		})
	}
}

// TestAfterInterrupt: what an interrupt broke off is interrupted, whatever went wrong because of it; what a command says itself stays.
func TestAfterInterrupt(t *testing.T) {
	for _, tt := range []struct {
		err  error
		exit int
		what string
	}{
		{errors.New("guestfish: signal: killed"), exitInterrupted, "interrupted"},
		{&failure{exit: exitError, what: "the job for web01 would fail"}, exitInterrupted, "interrupted"},
		{fmt.Errorf("read: %w", context.Canceled), exitInterrupted, "interrupted"},
		{&failure{exit: exitInterrupted, what: "interrupted", why: "1 job goes on"}, exitInterrupted, "interrupted"},
		{&failure{exit: exitInterrupted, what: "interrupted: a.vmdk was not submitted", err: context.Canceled}, exitInterrupted, "interrupted: a.vmdk was not submitted"},
		{&failure{exit: exitJobFailed, what: "job failed"}, exitJobFailed, "job failed"},
	} {
		if f := explainError(afterInterrupt(tt.err)); f.exit != tt.exit || f.what != tt.what {
			t.Errorf("%v became %d %q, want %d %q", tt.err, f.exit, f.what, tt.exit, tt.what)
		}
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
