package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hyper2kvm/internal/queue"
)

// testDaemon stands in for the daemon in scripts: it takes what is ready and converts nothing. What it does with a job is in
// the job's name: "bad" fails, "slow" runs until it is cancelled, everything else is done. A disk that begins with bad fails too.
type testDaemon struct {
	spool *queue.Spool
	inbox *queue.Inbox
	out   string
	stop  context.CancelFunc
	work  sync.WaitGroup

	mu      sync.Mutex
	running map[string]context.CancelFunc // by id
	state   string
}

// daemonCommand starts and stops it: daemon start W, daemon hang W, daemon stop.
func daemonCommand() func(*testscript.TestScript, bool, []string) {
	var mu sync.Mutex
	running := map[*testscript.TestScript]*testDaemon{}
	return func(ts *testscript.TestScript, _ bool, args []string) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case len(args) == 1 && args[0] == "stop":
			ts.Check(running[ts].end())
			delete(running, ts)
		case len(args) == 2:
			d, err := startTestDaemon(ts.MkAbs(args[1]), args[0] == "hang")
			ts.Check(err)
			running[ts] = d
			ts.Defer(func() {
				mu.Lock()
				defer mu.Unlock()
				if d := running[ts]; d != nil {
					ts.Check(d.end())
				}
			})
		default:
			ts.Fatalf("usage: daemon start W | hang W | stop")
		}
	}
}

type everythingIsADisk struct{}

func (everythingIsADisk) Examine(_ context.Context, e queue.Entry) (queue.Need, error) {
	switch {
	case strings.HasSuffix(e.Name, ".txt"):
		return queue.Need{Ignore: "not an image"}, nil
	case strings.HasPrefix(e.Name, "held"):
		return queue.Need{Kind: "disk", Hold: "it may be the second disk of another VM"}, nil
	case strings.HasPrefix(e.Name, "batch"):
		return queue.Need{Kind: "batch", Parts: []queue.Part{
			{Name: "part1.json", Content: []byte("{}")}, {Name: "part2-bad.json", Content: []byte("{}")},
		}}, nil
	}
	return queue.Need{Kind: "disk"}, nil
}

func startTestDaemon(dir string, hang bool) (*testDaemon, error) {
	sp, err := queue.Start(dir, queue.StartOptions{})
	if err != nil {
		return nil, err
	}
	d := &testDaemon{spool: sp, out: filepath.Join(filepath.Dir(dir), "out"), running: map[string]context.CancelFunc{}, state: "idle"}
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	if hang {
		return d, sp.WriteStatus(queue.Status{At: time.Now().Add(-time.Hour), StartedAt: time.Now().Add(-2 * time.Hour), PID: 4711})
	}
	if d.inbox, err = sp.NewInbox(everythingIsADisk{}, queue.InboxOptions{Settle: -1}); err != nil {
		return nil, err
	}
	d.work.Go(func() { d.inbox.Run(ctx) })
	d.work.Go(func() { d.beat(ctx) })
	for range 2 {
		d.work.Go(func() {
			for {
				c, err := d.inbox.Next(ctx)
				if err != nil {
					return
				}
				d.run(ctx, c)
			}
		})
	}
	return d, d.heartbeat()
}

func (d *testDaemon) end() error {
	d.stop()
	d.work.Wait()
	st, _, err := d.spool.Status()
	st.StoppedAt = time.Now()
	return errors.Join(err, d.spool.WriteStatus(st), d.spool.Close())
}

func (d *testDaemon) heartbeat() error {
	snap := d.inbox.Snapshot()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.spool.WriteStatus(queue.Status{
		At: time.Now(), StartedAt: time.Now().Add(-time.Minute), Version: "test", PID: os.Getpid(), Mode: "disk", State: d.state,
		Readiness: "lease", Watching: "inotify", Workers: 2, Busy: len(d.running), Counts: snap.Counts, Held: snap.Held,
		OutputDir: d.out, Space: []queue.Space{{Dir: d.out, Free: 400 << 30, Total: 1 << 40, Reserved: 10 << 30}},
	})
}

func (d *testDaemon) beat(ctx context.Context) {
	for ctx.Err() == nil {
		requests, err := d.spool.Requests(ctx)
		if err != nil {
			return
		}
		for _, r := range requests {
			text, err := d.answer(ctx, r)
			reply := queue.Reply{OK: true, Message: text}
			if err != nil {
				reply = queue.Refused(err)
			}
			if r.Answer(reply) != nil {
				return
			}
		}
		if d.heartbeat() != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (d *testDaemon) answer(ctx context.Context, r queue.Request) (string, error) {
	switch r.Verb {
	case queue.VerbDrain:
		d.inbox.Drain()
		d.mu.Lock()
		d.state = "draining"
		d.mu.Unlock()
		return "draining", nil
	case queue.VerbPause:
		return "paused", d.inbox.Pause("paused by a test")
	case queue.VerbResume:
		return "resumed", d.inbox.Resume()
	}
	if r.Verb == queue.VerbPriority && r.Ino != 0 {
		name, _, err := d.spool.EntryOf(r.Control)
		if err != nil {
			return "", err
		}
		return "priority " + queue.PriorityText(r.Priority), d.spool.SetPriority(name, r.Priority)
	}
	j, err := d.spool.Find(ctx, r.Job)
	if err != nil {
		return "", err
	}
	switch r.Verb {
	case queue.VerbRelease:
		return "released", d.inbox.Release(j.Name)
	case queue.VerbRetry:
		if strings.HasPrefix(j.Name, "theirs") {
			return "", fmt.Errorf("%w: it is another user's job", queue.ErrDenied)
		}
		name, err := d.spool.Retry(ctx, j)
		return "queued again as " + name, err
	case queue.VerbCancel:
		return d.cancel(ctx, j)
	case queue.VerbPriority:
		if j.State == queue.Queued || j.State == queue.Waiting {
			return "priority " + queue.PriorityText(r.Priority), d.spool.SetPriority(j.Name, r.Priority)
		}
	}
	return "", fmt.Errorf("%w: %s is %s", queue.ErrState, j.Name, j.State)
}

// cancel ends a job that runs, or withdraws one that is about to.
func (d *testDaemon) cancel(ctx context.Context, j queue.Job) (string, error) {
	for range 100 {
		d.mu.Lock()
		cancel := d.running[j.ID]
		d.mu.Unlock()
		switch {
		case cancel != nil:
			cancel()
			return "cancelling", nil
		case j.State == queue.Done || j.State == queue.Failed:
			return "", fmt.Errorf("%w: %s is %s", queue.ErrState, j.Name, j.State)
		case j.State != queue.Running && d.inbox.Withdraw(ctx, j.Name, map[string]any{"code": "H2K-JOB-003"}) == nil:
			return "cancelling", nil
		}
		var err error
		if j, err = d.spool.Find(ctx, j.JobID); err != nil { // it is between two states
			return "", err
		}
	}
	return "", fmt.Errorf("%w: %s is %s", queue.ErrState, j.Name, j.State)
}

// run takes a job through two stages to its end.
func (d *testDaemon) run(ctx context.Context, c *queue.Claim) {
	jctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rec := c.Record()
	d.mu.Lock()
	d.running[rec.ID] = cancel
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.running, rec.ID)
		d.mu.Unlock()
	}()
	err := d.convert(jctx, c)
	switch {
	case err == nil:
		err = c.Done(ctx, queue.Outcome{Fields: map[string]any{
			"name": rec.JobID, "outputs": []map[string]any{{"output": rec.JobID + ".qcow2", "output_bytes": 5}}, "report": "report.json",
		}})
	case ctx.Err() != nil:
		err = c.Requeue(context.WithoutCancel(ctx), "the daemon stops")
	case errors.Is(err, context.Canceled):
		err = c.Fail(ctx, queue.Outcome{Fields: map[string]any{"code": "H2K-JOB-003", "error": "cancelled by a test"}})
	default:
		err = c.Fail(ctx, queue.Outcome{Fields: map[string]any{"code": "H2K-SRC-004", "stage": "load", "error": err.Error(), "hint": "copy it again"}})
	}
	if err != nil {
		fmt.Fprintln(c.Log(), err)
	}
}

// beginsBad tells whether a file of a job begins so that the job is to fail.
func beginsBad(files map[string]string) bool {
	for _, path := range files {
		if b, err := os.ReadFile(path); err == nil && bytes.HasPrefix(b, []byte("bad")) {
			return true
		}
	}
	return false
}

func (d *testDaemon) convert(ctx context.Context, c *queue.Claim) error {
	rec := c.Record()
	if err := c.Running(ctx); err != nil {
		return err
	}
	fmt.Fprintf(c.Log(), "load \x1b[31mbegins\x1b[0m\nload of %s\n", rec.OriginalName)
	p := queue.Progress{At: time.Now(), Stage: "load", StageIndex: 1, StageCount: 5, BytesDone: 1 << 20, BytesTotal: 4 << 20, BytesPerSec: 1e6, ETASeconds: 3}
	if err := c.Progress(p); err != nil {
		return err
	}
	if strings.Contains(rec.OriginalName, "bad") || beginsBad(c.Files()) {
		return errors.New("image is truncated:\n\x1b[31mneeded 4, found 1")
	}
	if strings.Contains(rec.OriginalName, "slow") {
		<-ctx.Done()
		return ctx.Err()
	}
	dir, err := c.Partial(ctx, d.out)
	if err != nil {
		return err
	}
	for _, ext := range []string{".qcow2", ".xml"} {
		if err := os.WriteFile(filepath.Join(dir, rec.JobID+ext), []byte("image"), 0o640); err != nil {
			return err
		}
	}
	_, err = c.Place(ctx, d.out, rec.JobID)
	return err
}
