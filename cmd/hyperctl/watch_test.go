package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hyper2kvm/internal/queue"
)

// fakeSpool is a workflow directory that changes with the clock.
type fakeSpool struct {
	start time.Time
	at    func(since time.Duration) ([]queue.Job, queue.Liveness) // ended jobs too
}

func (f *fakeSpool) now() ([]queue.Job, queue.Liveness) { return f.at(time.Since(f.start)) }

func (f *fakeSpool) Jobs(_ context.Context, filter queue.Filter) iter.Seq2[queue.Job, error] {
	jobs, _ := f.now()
	return func(yield func(queue.Job, error) bool) {
		for _, j := range jobs {
			if slices.Contains(filter.States, j.State) && !yield(j, nil) {
				return
			}
		}
	}
}

func (f *fakeSpool) Find(_ context.Context, key string) (queue.Job, error) {
	jobs, _ := f.now()
	for _, j := range jobs {
		if j.ID == key || j.Name == key || j.OriginalName == key {
			return j, nil
		}
	}
	return queue.Job{}, queue.ErrNotFound
}

func (f *fakeSpool) Status() (queue.Status, queue.Liveness, error) {
	_, live := f.now()
	return queue.Status{At: time.Now(), Workers: 2}, live, nil
}

// watchFor runs a watcher over a fake directory and returns what it printed.
func watchFor(t *testing.T, d time.Duration, mode outputMode, untilIdle bool, at func(time.Duration) ([]queue.Job, queue.Liveness)) (string, *watcher, error) {
	t.Helper()
	var out bytes.Buffer
	con := newConsole(strings.NewReader(""), &out, io.Discard, func(string) string { return "" }, func() time.Time { return time.Now().UTC() })
	con.opts.output = mode
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	w := &watcher{con: con, src: &fakeSpool{start: time.Now(), at: at}, dir: "/w", jobs: map[string]seenJob{}}
	err := w.loop(ctx, untilIdle)
	return out.String(), w, err
}

// night is two jobs: web01 converts for 30 s and is done, web02 fails in inspect; something is taken away.
func night(since time.Duration) ([]queue.Job, queue.Liveness) {
	start := time.Date(2000, 1, 1, 0, 0, 2, 0, time.UTC)
	running := func(id, name, stage string, index int, done int64) queue.Job {
		return queue.Job{ID: id, Name: name, State: queue.Running, StartedAt: &start,
			Progress: &queue.Progress{Stage: stage, StageIndex: index, StageCount: 5, BytesDone: done, BytesTotal: 40 << 30, BytesPerSec: 1e9, ETASeconds: -1}}
	}
	web01 := queue.Job{Name: "web01.vmdk", State: queue.Queued}
	switch s := since.Seconds(); {
	case s >= 33:
		end := start.Add(31 * time.Second)
		web01 = queue.Job{ID: "01A", Name: "web01.vmdk", State: queue.Done, StartedAt: &start, FinishedAt: &end, OutputDir: "/out/web01", Warnings: 1}
	case s >= 3:
		web01 = running("01A", "web01.vmdk", "convert", 4, int64(s)<<30)
	case s >= 2:
		web01 = running("01A", "web01.vmdk", "load", 1, 0)
	}
	jobs := []queue.Job{web01}
	switch s := since.Seconds(); {
	case s >= 6:
		jobs = append(jobs, queue.Job{ID: "01B", Name: "web02.vmdk", State: queue.Failed, Code: "H2K-SRC-004", Reason: "image is\ntruncated"})
	case s >= 4:
		jobs = append(jobs, running("01B", "web02.vmdk", "inspect", 2, 0))
	case s >= 1:
		jobs = append(jobs, queue.Job{Name: "web02.vmdk", State: queue.Waiting, Reason: "being \x1b[2Jwritten"})
	}
	if since.Seconds() < 5 {
		jobs = append(jobs, queue.Job{Name: "gone.vmdk", State: queue.Queued})
	}
	return jobs, queue.LiveRunning
}

func TestWatchPrintsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, w, err := watchFor(t, time.Hour, outTable, true, night)
		if err != nil {
			t.Fatal(err)
		}
		const want = `00:00:00 the daemon runs: 2 workers, /w
00:00:00 2 jobs in the queue
00:00:01 web02.vmdk waits: being \x1b[2Jwritten
00:00:02 web01.vmdk load 1/5  0 %  0 B of 40.0 GiB  1.0 GB/s
00:00:03 web01.vmdk convert 4/5  7 %  3.00 GiB of 40.0 GiB  1.0 GB/s
00:00:04 web02.vmdk inspect 2/5  0 %  0 B of 40.0 GiB  1.0 GB/s
00:00:05 gone.vmdk was taken away
00:00:06 web02.vmdk failed H2K-SRC-004: image is truncated  try: hyperctl workflow show 01B
00:00:12 web01.vmdk convert 4/5  30 %  12.0 GiB of 40.0 GiB  1.0 GB/s
00:00:22 web01.vmdk convert 4/5  55 %  22.0 GiB of 40.0 GiB  1.0 GB/s
00:00:32 web01.vmdk convert 4/5  80 %  32.0 GiB of 40.0 GiB  1.0 GB/s
00:00:33 web01.vmdk done in 31s: /out/web01  1 warning
`
		if out != want {
			t.Errorf("got\n%s\nwant\n%s", out, want)
		}
		if w.failed != 1 {
			t.Errorf("%d jobs failed, want 1", w.failed)
		}
	})
}

func TestWatchAsJSONLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, _, err := watchFor(t, time.Hour, outJSONL, true, night)
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[string]int{}
		for line := range strings.Lines(out) {
			var e watchEvent
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			kinds[e.Type]++
		}
		want := map[string]int{"daemon": 1, "queue": 1, "state": 5, "stage": 1, "progress": 3, "gone": 1}
		if fmt.Sprint(kinds) != fmt.Sprint(want) {
			t.Errorf("lines %v, want %v", kinds, want)
		}
	})
}

func TestWatchUntilIdleNeedsADaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, err := watchFor(t, time.Hour, outTable, true, func(time.Duration) ([]queue.Job, queue.Liveness) {
			return []queue.Job{{Name: "a.vmdk", State: queue.Queued}}, queue.LiveNotRunning
		})
		if f := explainError(err); f.exit != exitDaemon {
			t.Errorf("exit code %d (%v), want %d", f.exit, err, exitDaemon)
		}
	})
}

func TestWatchEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, _, err := watchFor(t, 10*time.Second, outTable, false, func(since time.Duration) ([]queue.Job, queue.Liveness) {
			if since > 3*time.Second {
				return nil, queue.LiveHung
			}
			return nil, queue.LiveRunning
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if n := strings.Count(out, "\n"); n != 2 || !strings.Contains(out, "hangs") {
			t.Errorf("want one line when the daemon is there and one when it hangs, got\n%s", out)
		}
	})
}

func TestWatchSumsUpArrivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, _, _ := watchFor(t, 3*time.Second, outTable, false, func(since time.Duration) ([]queue.Job, queue.Liveness) {
			var jobs []queue.Job
			if since > time.Second/2 {
				for i := range 1000 {
					jobs = append(jobs, queue.Job{Name: fmt.Sprintf("vm%04d.vmdk", i), State: queue.Queued})
				}
			}
			return jobs, queue.LiveRunning
		})
		if n := strings.Count(out, "\n"); n != 1+arrivalsShown+1 || !strings.Contains(out, "980 more jobs queued") {
			t.Errorf("%d lines:\n%s", n, out)
		}
	})
}

// TestWatchFollowsWhatAJobTakesAlong has a config and its disk become one job of a third name, which is told once.
func TestWatchFollowsWhatAJobTakesAlong(t *testing.T) {
	entry := filepath.Join(t.TempDir(), "mail-job.job")
	if err := os.MkdirAll(entry, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(entry, "mail.vmdk"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	job := queue.Job{ID: "01A", Name: "mail-job.job", OriginalName: "mail-job.yaml", Path: entry, State: queue.Running,
		Progress: &queue.Progress{Stage: "convert", StageIndex: 4, StageCount: 5}}
	for _, slow := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			out, _, err := watchFor(t, time.Minute, outTable, true, func(since time.Duration) ([]queue.Job, queue.Liveness) {
				j := job
				switch s := since.Seconds(); {
				case s < 2:
					return []queue.Job{
						{Name: "mail-job.yaml", OriginalName: "mail-job.yaml", State: queue.Queued},
						{Name: "mail.vmdk", OriginalName: "mail.vmdk", State: queue.Queued},
					}, queue.LiveRunning
				case s > 4 || !slow:
					j.State = queue.Done
				}
				return []queue.Job{j}, queue.LiveRunning
			})
			if err != nil {
				t.Fatal(err)
			}
			want := "00:00:00 the daemon runs: 2 workers, /w\n00:00:00 2 jobs in the queue\n"
			if slow {
				want += "00:00:02 mail-job.job convert 4/5\n00:00:02 mail.vmdk went into mail-job.job\n00:00:05 mail-job.job done\n"
			} else {
				want += "00:00:02 mail-job.job done\n00:00:02 mail.vmdk went into mail-job.job\n"
			}
			if out != want {
				t.Errorf("got\n%s\nwant\n%s", out, want)
			}
		})
	}
}

func TestADaemonWithoutAHeartbeatIsStarting(t *testing.T) {
	long := time.Now().Add(-time.Hour)
	for _, c := range []struct {
		st         queue.Status
		live, want queue.Liveness
	}{
		{queue.Status{}, queue.LiveRunning, liveStarting},
		{queue.Status{At: long, StoppedAt: long}, queue.LiveHung, liveStarting},
		{queue.Status{At: long}, queue.LiveHung, queue.LiveHung},
		{queue.Status{At: time.Now()}, queue.LiveRunning, queue.LiveRunning},
		{queue.Status{At: long, StoppedAt: long}, queue.LiveNotRunning, queue.LiveNotRunning},
		{queue.Status{}, queue.LiveNeverStarted, queue.LiveNeverStarted},
	} {
		_, live, err := daemonStatus(fixedStatus{c.st, c.live})
		if err != nil || live != c.want {
			t.Errorf("%v with %+v is %v, %v, want %v", c.live, c.st, live, err, c.want)
		}
	}
	var b strings.Builder
	writeStatus(&b, style{}, statusDoc{Liveness: liveStarting, WorkflowDir: "/w"}, time.Now())
	if !strings.Contains(b.String(), "~ starting\n") || strings.Contains(b.String(), "process") {
		t.Errorf("status of a daemon that starts:\n%s", b.String())
	}
}

type fixedStatus struct {
	st   queue.Status
	live queue.Liveness
}

func (f fixedStatus) Status() (queue.Status, queue.Liveness, error) { return f.st, f.live, nil }
