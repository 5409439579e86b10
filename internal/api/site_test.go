package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/queue"
)

const (
	fullToken = "full-token-of-the-test-0123456789"
	readToken = "read-token-of-the-test-0123456789"
)

// site is a workflow directory with jobs in every state, a daemon that answers requests, and a server on it.
type site struct {
	daemon  *queue.Spool
	server  *Server
	out     string
	log     lockedText
	checked atomic.Int32
	ids     map[string]string // by name of the entry

	said   sync.Mutex
	status queue.Status
}

// lockedText is a text that several goroutines write.
type lockedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// intake takes every entry as a disk.
type intake struct{}

func (intake) Examine(context.Context, queue.Entry) (queue.Need, error) {
	return queue.Need{Kind: "disk"}, nil
}

// onePlan answers every question for a plan.
type onePlan struct{}

func (onePlan) plan() (any, error) {
	return []map[string]any{{"name": "web", "stages": []map[string]any{{"name": "load"}}, "disks": nil, "warnings": nil, "dry_run": true}}, nil
}

func (p onePlan) PlanManifest(_ context.Context, _ string, b []byte) (any, error) {
	if strings.Contains(string(b), "absent.vmdk") {
		return nil, &PlanError{"H2K-SRC-001", "absent.vmdk is not there", "put it there"}
	}
	return p.plan()
}

func (p onePlan) PlanEntry(context.Context, string) (any, error) { return p.plan() }

// oneCheck finds all well, and counts how often it was asked.
type oneCheck struct{ asked *atomic.Int32 }

func (o oneCheck) Checks(context.Context) (any, error) {
	o.asked.Add(1)
	return []map[string]string{{"check": "kvm", "verdict": "ok", "detail": "all well"}}, nil
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func newSite(tb testing.TB, change ...func(*Options)) *site {
	tb.Helper()
	dir := tb.TempDir()
	sp, err := queue.Start(filepath.Join(dir, "w"), queue.StartOptions{})
	must(tb, err)
	tb.Cleanup(func() { _ = sp.Close() })
	s := &site{daemon: sp, out: filepath.Join(dir, "out"), ids: map[string]string{}}
	must(tb, os.Mkdir(s.out, 0o755))
	s.fill(tb)
	s.beat(tb)
	ctx, stop := context.WithCancel(context.Background())
	var answering sync.WaitGroup
	answering.Go(func() { s.answer(ctx) })
	tb.Cleanup(func() { stop(); answering.Wait() })
	spool, err := queue.Open(sp.Dir())
	must(tb, err)
	tokens, err := ParseTokens(strings.NewReader("# those of the test\n\nfull " + fullToken + " operator\nread " + readToken + "\n"))
	must(tb, err)
	o := Options{
		Spool: spool, User: "tester", Tokens: tokens, Log: slog.New(slog.NewTextHandler(&s.log, nil)), Planner: onePlan{}, Doctor: oneCheck{&s.checked},
		Dashboard: fstest.MapFS{
			"index.html":            {Data: []byte(`<!doctype html><meta property="csp-nonce" nonce="` + nonceMark + `"><div id="root"></div>`)},
			"assets/app-abc.js":     {Data: []byte("let a = 1")},
			"assets/app-abc.js.gz":  {Data: []byte("packed")},
			"assets/style-abc.css":  {Data: []byte("body{}")},
			"assets/inner/deep.css": {Data: []byte("p{}")},
		},
	}
	for _, f := range change {
		f(&o)
	}
	s.server = New(o)
	tb.Cleanup(s.server.Close)
	return s
}

// fill makes a done, a failed and a running job with what a real daemon calls, and entries that wait.
func (s *site) fill(tb testing.TB) {
	tb.Helper()
	drop := filepath.Join(s.daemon.Dir(), queue.DirQueued)
	for _, name := range []string{"done.vmdk", "failed.vmdk", "running.vmdk"} {
		must(tb, os.WriteFile(filepath.Join(drop, name), []byte("a disk"), 0o640))
	}
	inbox, err := s.daemon.NewInbox(intake{}, queue.InboxOptions{Settle: -1})
	must(tb, err)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = inbox.Run(ctx) })
	for range 3 {
		c, err := inbox.Next(ctx)
		must(tb, err)
		must(tb, c.Running(ctx))
		s.ids[c.Record().Entry] = c.Record().ID
		_, err = fmt.Fprint(c.Log(), "line one\nline two\nline three\n")
		must(tb, err)
		switch c.Record().Entry {
		case "done.vmdk":
			partial, err := c.Partial(ctx, s.out)
			must(tb, err)
			report, err := json.Marshal(map[string]any{
				"schema": 1, "id": c.Record().ID, "job_id": "done", "name": "done", "status": "success", "stages": []map[string]any{{"name": "load", "status": "done", "seconds": 0.1}},
			})
			must(tb, err)
			for name, b := range map[string]string{"report.json": string(report), "done.xml": "<domain/>", "done.qcow2": "QFI", "boot.png": "\x89PNG"} {
				must(tb, os.WriteFile(filepath.Join(partial, name), []byte(b), 0o640))
			}
			boot := filepath.Join(partial, "boot-test")
			must(tb, os.Mkdir(boot, 0o750))
			must(tb, os.WriteFile(filepath.Join(boot, "screen.png"), []byte("\x89PNG"), 0o640))
			must(tb, os.WriteFile(filepath.Join(s.out, "secret.log"), []byte("secret"), 0o640))
			for name, to := range map[string]string{"out.log": "../secret.log", "in.xml": "done.xml", "boot-test/up.log": "../../secret.log", "dir": ".."} {
				must(tb, os.Symlink(to, filepath.Join(partial, name)))
			}
			must(tb, unix.Mkfifo(filepath.Join(partial, "pipe.log"), 0o640))
			_, err = c.Place(ctx, s.out, "done")
			must(tb, err)
			must(tb, c.Done(ctx, queue.Outcome{Fields: map[string]any{"name": "done", "report": "report.json", "warnings": []map[string]any{{"code": "H2K-VM-006", "message": "assumed"}}}}))
		case "failed.vmdk":
			must(tb, c.KeepEvidence(queue.EvidenceSerial, strings.NewReader("(initramfs)")))
			must(tb, c.Fail(ctx, queue.Outcome{Fields: map[string]any{
				"code": "H2K-IMG-001", "error": "the image is damaged", "stage": "load", "exception": "a\nb", "retryable": false, "hint": "copy it, then: hyperctl workflow retry JOB",
			}}))
		default:
			must(tb, c.Progress(queue.Progress{
				Schema: 1, ID: c.Record().ID, At: time.Now(), Stage: "convert", StageIndex: 4, StageCount: 5, BytesDone: 512, BytesTotal: 1024, BytesPerSec: 100, ETASeconds: 5,
			}))
		}
	}
	stop()
	running.Wait()
	for _, name := range []string{"queued.vmdk", "waiting.vmdk", "copy.vmdk.part"} {
		must(tb, os.WriteFile(filepath.Join(drop, name), []byte("a disk"), 0o640))
	}
}

// beat publishes a heartbeat.
func (s *site) beat(tb testing.TB) {
	tb.Helper()
	counts, err := s.daemon.Count(context.Background())
	must(tb, err)
	counts.Queued, counts.Waiting, counts.Ignored = 1, 1, 1
	now := time.Now()
	finished := queue.Tally{Kind: queue.TallyFinished, Of: []string{"done", "vmdk"}, Sum: 1}
	took := queue.Tally{Kind: queue.TallyDuration, Of: []string{"done"}}
	took.Observe(2)
	must(tb, s.publish(queue.Status{
		At: now, StartedAt: now.Add(-time.Hour), Version: "1.0", PID: os.Getpid(), Mode: "disk", State: "busy", Readiness: "lease", Watching: "inotify",
		LastScan: now, Workers: 3, Busy: 1, Counts: counts, OutputDir: s.out, Space: []queue.Space{{Dir: s.out, Free: 5 << 30, Total: 10 << 30}},
		Held:    []queue.Held{{Name: "waiting.vmdk", State: queue.Waiting, Reason: "waits for web.vmdk", Since: now}},
		Tallies: append([]queue.Tally{finished, took, {Kind: queue.TallyDuration, Of: []string{"x"}, Buckets: []uint64{1}}, {Kind: "of a newer version"}}, otherTallies()...),
	}))
}

// publish writes what the daemon says of itself from now on.
func (s *site) publish(st queue.Status) error {
	s.said.Lock()
	defer s.said.Unlock()
	s.status = st
	return s.daemon.WriteStatus(st)
}

// freshen writes the heartbeat again, as a daemon does every two seconds.
func (s *site) freshen() error {
	s.said.Lock()
	defer s.said.Unlock()
	if time.Since(s.status.At) < queue.HungAfter/5 {
		return nil
	}
	s.status.At = time.Now()
	return s.daemon.WriteStatus(s.status)
}

// otherTallies is one of each kind that a daemon may publish, beside those that a site has of its own.
func otherTallies() (all []queue.Tally) {
	for _, m := range tallyMetrics {
		if m.kind == queue.TallyFinished || m.kind == queue.TallyDuration {
			continue
		}
		t := queue.Tally{Kind: m.kind, Sum: 7}
		if m.form == distribution {
			t.Sum = 0
			t.Observe(7)
		}
		for range m.labels {
			t.Of = append(t.Of, "a")
		}
		all = append(all, t)
	}
	return all
}

// answer does what a daemon does with requests, and keeps its heartbeat fresh.
func (s *site) answer(ctx context.Context) {
	for ctx.Err() == nil {
		all, err := s.daemon.Requests(ctx)
		if err = errors.Join(err, s.freshen()); err != nil && ctx.Err() == nil {
			panic(err) // no test goes on without the daemon
		}
		for _, r := range all {
			reply := queue.Reply{OK: true, Message: r.Verb + " was done"}
			switch j, err := s.daemon.Find(ctx, r.Job); {
			case r.Job == "":
			case err != nil:
				reply = queue.Refused(err)
			case r.Verb == queue.VerbRetry:
				if _, err := s.daemon.Retry(ctx, j); err != nil {
					reply = queue.Refused(err)
				}
			case j.State == queue.Done || j.State == queue.Failed:
				reply = queue.Refused(fmt.Errorf("%w: %q has ended", queue.ErrState, j.Name))
			}
			if err := r.Answer(reply); err != nil && ctx.Err() == nil {
				panic(err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// got is an answer.
type got struct {
	StatusCode int
	Header     http.Header
	Body       io.Reader
}

func (g *got) Cookies() []*http.Cookie { return (&http.Response{Header: g.Header}).Cookies() }

// call sends a request to the server, as its handler gets it.
func (s *site) call(tb testing.TB, method, target, token, body string, headers ...string) *got {
	tb.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(tb.Context(), method, target, in)
	r.Host = "127.0.0.1:8080"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	return &got{w.Code, w.Header(), w.Body}
}

// text reads an answer.
func text(tb testing.TB, resp *got) string {
	tb.Helper()
	b, err := io.ReadAll(resp.Body)
	must(tb, err)
	return string(b)
}

// decode reads an answer of a kind.
func decode[T any](tb testing.TB, resp *got) T {
	tb.Helper()
	var v T
	b := text(tb, resp)
	if err := json.Unmarshal([]byte(b), &v); err != nil {
		tb.Fatalf("%v in %q", err, b)
	}
	return v
}

// tree is every file below the workflow directory and the output with its content, but for what the daemon itself keeps writing.
func (s *site) tree(tb testing.TB) map[string]string {
	tb.Helper()
	all := map[string]string{}
	for _, root := range []string{s.daemon.Dir(), s.out} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !d.Type().IsRegular() || strings.Contains(path, "/replies/") || filepath.Base(path) == "status.json" {
				return err
			}
			b, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			all[path] = string(b)
			return err
		})
		must(tb, err)
	}
	return all
}

const goodManifest = `{"version": "1.0", "pipeline": {"load": {"source_type": "vmdk", "source_path": "web.vmdk"}, "convert": {"output_format": "qcow2"}}}`
