package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
)

// event is one event as a client reads it.
type event struct{ id, kind, data string }

// listen reads events from a real connection until the context ends.
func listen(t *testing.T, url, last string) (<-chan event, context.CancelFunc) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, "GET", url+"/api/workflow/events", nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+readToken)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	resp, err := http.DefaultClient.Do(r) //nolint:bodyclose // who reads it closes it
	must(t, err)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("events: %d %v", resp.StatusCode, resp.Header)
	}
	out := make(chan event, 1000)
	go func() {
		defer resp.Body.Close()
		defer close(out)
		var e event
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.kind = value
			case "data":
				e.data = value
			case "":
				if e.kind != "" {
					out <- e
				}
				e = event{}
			}
		}
	}()
	return out, stop
}

// next waits for an event that is wanted.
func next(t *testing.T, events <-chan event, kind, part string) event {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatalf("the stream ended before %s with %q", kind, part)
			}
			if e.kind == kind && strings.Contains(e.data, part) {
				return e
			}
		case <-late:
			t.Fatalf("no %s with %q", kind, part)
		}
	}
}

func TestEvents(t *testing.T) {
	s := newSite(t)
	web := httptest.NewServer(s.server)
	t.Cleanup(web.Close)
	events, stop := listen(t, web.URL, "")
	e := next(t, events, "status", `"liveness":"running"`)
	var status statusDoc
	must(t, json.Unmarshal([]byte(e.data), &status))
	if status.MaxWorkers != 3 {
		t.Errorf("the status says %+v", status)
	}
	next(t, events, "job", `"name":"running.vmdk"`)
	c := s.daemon.Live()[0]
	progress := func(done int64) {
		must(t, c.Progress(queue.Progress{ID: c.Record().ID, At: time.Now(), Stage: "convert", BytesDone: done, BytesTotal: 1024}))
	}
	progress(600)
	e = next(t, events, "job", `"bytes_done":600`)
	stop()

	// What comes while nobody listens is told to who comes back.
	again, stopAgain := listen(t, web.URL, "")
	next(t, again, "status", "")
	progress(700)
	next(t, again, "job", `"bytes_done":700`)
	back, _ := listen(t, web.URL, e.id)
	next(t, back, "job", `"bytes_done":700`)
	stopAgain()

	// A job that ends is told, and that the list changed.
	must(t, c.Fail(t.Context(), queue.Outcome{Fields: map[string]any{"code": "H2K-JOB-003", "error": "cancelled"}}))
	next(t, back, "job", `"status":"failed"`)
	must(t, os.WriteFile(filepath.Join(s.daemon.Dir(), queue.DirQueued, "new.vmdk"), []byte("x"), 0o640))
	next(t, back, "jobs", "counts")

	// An id that is not known any more leads to a new beginning.
	for _, id := range []string{"older-12", "x", e.id + "000000"} {
		lost, stopLost := listen(t, web.URL, id)
		if first := <-lost; first.kind != "reset" {
			t.Errorf("after the id %q comes %+v, want reset", id, first)
		}
		stopLost()
	}
	s.server.Close()
	for range back { // ends with the server
		continue
	}
}

// TestSlowClientIsCutOff: who does not read costs no memory, and nobody waits for him.
func TestSlowClientIsCutOff(t *testing.T) {
	s := newSite(t)
	h := newHub(s.server.dir, time.Now)
	slow, _, ok := h.join("")
	fast, _, _ := h.join("")
	if !ok {
		t.Fatal("nobody may listen")
	}
	for i := range clientSize + 1 {
		h.mu.Lock()
		h.send("job", fmt.Sprint(i))
		h.mu.Unlock()
		<-fast.frames
	}
	n := 0
	for range slow.frames {
		n++
	}
	if n != clientSize || h.count() != 1 {
		t.Errorf("the slow client got %d events before the end, and %d clients are left", n, h.count())
	}
	for range ringSize {
		h.mu.Lock()
		h.send("job", "x")
		h.mu.Unlock()
		<-fast.frames
	}
	if len(h.ring) != ringSize {
		t.Errorf("%d events are kept, want %d", len(h.ring), ringSize)
	}
	for i := range maxClients {
		if _, _, ok := h.join(""); !ok {
			if i != maxClients-1 {
				t.Errorf("only %d clients may listen", i+1)
			}
			return
		}
	}
	t.Errorf("more than %d clients may listen", maxClients)
}

func TestLog(t *testing.T) {
	s := newSite(t)
	done := "/api/workflow/jobs/" + s.ids["done.vmdk"] + "/log"
	for query, want := range map[string]string{
		"": "line one\nline two\nline three\n", "?tail=1": "line three\n", "?tail=2": "line two\nline three\n", "?tail=99": "line one\nline two\nline three\n",
		"?offset=9": "line two\nline three\n", "?offset=9999": "", "?follow=1": "line one\nline two\nline three\n",
	} {
		if got := text(t, s.call(t, "GET", done+query, readToken, "")); got != want {
			t.Errorf("log%s: %q, want %q", query, got, want)
		}
	}
	web := httptest.NewServer(s.server)
	t.Cleanup(web.Close)
	r, err := http.NewRequestWithContext(t.Context(), "GET", web.URL+"/api/workflow/jobs/"+s.ids["running.vmdk"]+"/log?follow=1&tail=1", nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+readToken)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	read := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("the followed log says %q, want %q", lines.Text(), want)
		}
	}
	read("line three")
	c := s.daemon.Live()[0]
	fmt.Fprint(c.Log(), "line four\n")
	read("line four")
	fmt.Fprint(c.Log(), "the end\n")
	must(t, c.Fail(t.Context(), queue.Outcome{Fields: map[string]any{"code": "H2K-JOB-003", "error": "cancelled"}}))
	read("the end")
	if lines.Scan() {
		t.Errorf("after the end of the job comes %q", lines.Text())
	}
}

// TestPages: all pages together are the list, whatever comes meanwhile, in each order.
func TestPages(t *testing.T) {
	s := newSite(t)
	drop := filepath.Join(s.daemon.Dir(), queue.DirQueued)
	for i := range 25 {
		must(t, os.WriteFile(filepath.Join(drop, fmt.Sprintf("vm-%02d.vmdk", i)), make([]byte, i%5+1), 0o640))
	}
	s.server.dir = jobs.NewDir(s.server.o.Spool, "") // that has not listed anything yet
	for _, sort := range []string{"", "state", "-state", "name", "-name", "time", "-time", "size", "-size"} {
		seen := map[string]bool{}
		var names []string
		cursor := ""
		for range 20 {
			page := decode[listDoc](t, s.call(t, "GET", "/api/workflow/jobs?limit=4&sort="+sort+"&cursor="+cursor, readToken, ""))
			if page.Total != 31 || page.First != len(names) {
				t.Fatalf("sort %q: total %d, first %d after %d", sort, page.Total, page.First, len(names))
			}
			for _, j := range page.Jobs {
				if seen[j.ID] {
					t.Errorf("sort %q: %s comes twice", sort, j.Name)
				}
				seen[j.ID] = true
				names = append(names, j.Name)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if len(names) != 31 {
			t.Errorf("sort %q: %d jobs on all pages: %v", sort, len(names), names)
		}
		if sort == "name" && (names[0] != "copy.vmdk.part" || names[30] != "waiting.vmdk") || sort == "-name" && names[0] != "waiting.vmdk" {
			t.Errorf("sort %q: %v", sort, names)
		}
	}
	one := decode[listDoc](t, s.call(t, "GET", "/api/workflow/jobs?limit=4&sort=name", readToken, ""))
	if resp := s.call(t, "GET", "/api/workflow/jobs?sort=-name&cursor="+one.Next, readToken, ""); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("the cursor of another order: %d", resp.StatusCode)
	}
	for query, want := range map[string]int{
		"status=pending": 27, "status=processing": 1, "status=completed": 1, "status=failed": 1, "status=waiting": 1, "status=ignored": 1, "status=completed,failed": 2,
		"q=vm-1": 10, "q=vm-1+!5": 9, "date=today": 2, "date=yesterday": 0, "from=2020-01-01": 2, "to=2020-01-01": 0,
	} {
		if got := decode[listDoc](t, s.call(t, "GET", "/api/workflow/jobs?"+query, readToken, "")); got.Total != want || len(got.Jobs) != want {
			t.Errorf("%s: %d jobs, want %d", query, got.Total, want)
		}
	}
}

func TestSubmittingOnce(t *testing.T) {
	s := newSite(t)
	send := func(body, key string) (*got, submitDoc) {
		resp := s.call(t, "POST", "/api/workflow/manifest/submit?name=web01", fullToken, body, "Content-Type", "application/json", "Idempotency-Key", key)
		if resp.StatusCode != http.StatusOK {
			return resp, submitDoc{}
		}
		return resp, decode[submitDoc](t, resp)
	}
	_, first := send(goodManifest, "key-1")
	if b, err := os.ReadFile(first.ManifestPath); err != nil || string(b) != goodManifest || first.Replayed || !first.Success {
		t.Fatalf("the first: %+v %v", first, err)
	}
	if len(first.WaitsFor) != 1 || first.WaitsFor[0] != "web.vmdk" {
		t.Errorf("it waits for %v", first.WaitsFor)
	}
	if _, again := send(goodManifest, "key-1"); !again.Replayed || again.ID != first.ID {
		t.Errorf("the same key again: %+v", again)
	}
	if resp, _ := send(strings.Replace(goodManifest, "web", "db", 1), "key-1"); resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the same key for something else: %d", resp.StatusCode)
	}
	s.server.keys = newKeys(time.Now) // as after a new start
	if _, again := send(goodManifest, "key-1"); !again.Replayed || again.ID != first.ID {
		t.Errorf("the same key after a new start: %+v", again)
	}
	s.server.keys = newKeys(time.Now)
	if resp, _ := send(strings.Replace(goodManifest, "web", "db", 1), "key-1"); resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the same key for something else after a new start: %d", resp.StatusCode)
	}
	_, other := send(goodManifest, "key-2")
	_, plain := send(goodManifest, "")
	_, more := send(goodManifest, "")
	if names := map[string]bool{first.ID: true, other.ID: true, plain.ID: true, more.ID: true}; len(names) != 4 || plain.ID != "web01.json" || more.ID != "web01~2.json" {
		t.Errorf("the entries are %v", names)
	}
	resp := s.call(t, "GET", "/api/workflow/jobs/"+plain.ID, readToken, "")
	if d := decode[detailDoc](t, resp); d.Name != plain.ID || d.Status != "pending" || d.JobID != plain.JobID {
		t.Errorf("the submitted job is %+v", d)
	}
}

func TestJobsAsTheyStand(t *testing.T) {
	s := newSite(t)
	get := func(name string) detailDoc {
		return decode[detailDoc](t, s.call(t, "GET", "/api/workflow/jobs/"+name, readToken, ""))
	}
	if d := get("done"); d.Status != "completed" || d.Progress != 100 || !d.Report || !d.Log || d.Warnings != 1 || d.Ended.Warnings[0].Code != "H2K-VM-006" {
		t.Errorf("the done job is %+v", d)
	}
	if d := get("failed.vmdk"); d.Status != "failed" || d.Code != "H2K-IMG-001" || d.Stage != "load" || d.Ended.Stage != "load" || d.Ended.Exception != "a\nb" || !strings.HasSuffix(d.Hint, "retry "+s.ids["failed.vmdk"]) {
		t.Errorf("the failed job is %+v", d)
	}
	if d := get(s.ids["running.vmdk"]); d.Status != "processing" || d.Stage != "convert" || d.Progress != 50 || *d.ETASeconds != 5 || d.StartedAt == nil {
		t.Errorf("the running job is %+v", d)
	}
	if d := get("waiting.vmdk"); d.Status != "pending" || d.State != queue.Waiting || d.Reason != "waits for web.vmdk" || d.ID != "waiting.vmdk" {
		t.Errorf("the waiting job is %+v", d)
	}
	st := decode[statusDoc](t, s.call(t, "GET", "/api/workflow/status", readToken, ""))
	if st.Mode != "disk" || !st.Running || st.QueueDepth != 2 || st.ActiveJobs != 1 || st.ProcessedToday != 1 || st.FailedToday != 1 || st.MaxWorkers != 3 || st.UptimeSeconds < 3600 || st.Rate != 100 {
		t.Errorf("the status is %+v", st)
	}
	f := decode[failuresDoc](t, s.call(t, "GET", "/api/workflow/failures", readToken, ""))
	if len(f.Failures) != 1 || f.Failures[0].Code != "H2K-IMG-001" || f.Failures[0].IDs[0] != s.ids["failed.vmdk"] || f.Failures[0].Title == "" {
		t.Errorf("the failures are %+v", f)
	}
	h := decode[historyDoc](t, s.call(t, "GET", "/api/workflow/history", readToken, ""))
	done, failed := 0, 0
	for _, span := range h.Spans {
		done, failed = done+span.Done, failed+span.Failed
	}
	if len(h.Spans) != 24 || done != 1 || failed != 1 {
		t.Errorf("the history is %+v", h)
	}
}

// TestWithoutDaemon: what is read goes on, what needs the daemon says that it does not run.
func TestWithoutDaemon(t *testing.T) {
	dir := t.TempDir()
	sp, err := queue.Start(dir, queue.StartOptions{})
	must(t, err)
	must(t, sp.Close())
	spool, err := queue.Open(dir)
	must(t, err)
	s := &site{server: New(Options{Spool: spool, NoAuth: true})}
	t.Cleanup(s.server.Close)
	c := readContract(t)
	if st := decode[statusDoc](t, s.call(t, "GET", "/api/workflow/status", "", "")); st.Running || st.Liveness == queue.LiveRunning || st.Mode != "" {
		t.Errorf("the status is %+v", st)
	}
	for pattern, status := range map[string]int{
		"GET /readyz": 503, "POST /api/workflow/queue/pause": 503, "GET /api/workflow/jobs": 200, "GET /api/workflow/status": 200, "GET /metrics": 200,
		"GET /api/doctor": 501, "GET /web/dashboard/{path...}": 404,
	} {
		method, path := pathOf(pattern)
		resp := s.call(t, strings.ToUpper(method), strings.Replace(path, "{path}", "", 1), "", "")
		c.check(t, pattern, resp)
		if resp.StatusCode != status {
			t.Errorf("%s: %d, want %d", pattern, resp.StatusCode, status)
		}
	}
}

// TestChecksAreNotMadeForEveryClient: one of them starts a VM.
func TestChecksAreNotMadeForEveryClient(t *testing.T) {
	now := time.Now()
	s := newSite(t, func(o *Options) { o.Now = func() time.Time { return now } })
	for range 3 {
		if resp := s.call(t, "GET", "/api/doctor", readToken, ""); resp.StatusCode != http.StatusOK {
			t.Errorf("checks: %d", resp.StatusCode)
		}
	}
	if n := s.checked.Load(); n != 1 {
		t.Errorf("three clients had the checks made %d times", n)
	}
	now = now.Add(checksTime)
	s.call(t, "GET", "/api/doctor", readToken, "")
	if n := s.checked.Load(); n != 2 {
		t.Errorf("old checks were made anew %d times", n-1)
	}
}
