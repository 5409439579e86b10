package bench_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What was promised of hyperctl serve.
const (
	pageLimit   = 50 * time.Millisecond // for a page of 10,000 jobs
	clientsCost = 100 << 20             // bytes, for 200 event streams
	clients     = 200
)

// startServe starts hyperctl serve on a free port and returns its address and process id.
func startServe(b *testing.B, w string) (url string, pid int) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), filepath.Join(programs(b), "hyperctl"), "--workflow-dir", w, "serve", "--auth=none", "--listen", "127.0.0.1:0", "--socket", "none")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(lines.Text()); at != "" {
			return at, cmd.Process.Pid
		}
	}
	b.Fatal("hyperctl serve did not say where it listens")
	return "", 0
}

// fillJobs puts 4,000 jobs into the queue, and the records of 3,000 done and 3,000 failed ones into ten days.
func fillJobs(b *testing.B, w string) {
	b.Helper()
	put := func(content string, elem ...string) {
		if err := os.WriteFile(filepath.Join(append([]string{w}, elem...)...), []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 4000 {
		put("", "to_be_processed", fmt.Sprintf("queued-%05d.vmdk", i))
	}
	for i := range 3000 {
		day := time.Now().AddDate(0, 0, -i%10)
		for _, end := range []struct{ dir, suffix, at, status string }{{"processed", ".meta.json", "completed_at", "success"}, {"failed", ".error.json", "failed_at", "failed"}} {
			if err := os.MkdirAll(filepath.Join(w, end.dir, day.Format(time.DateOnly)), 0o755); err != nil {
				b.Fatal(err)
			}
			name := fmt.Sprintf("%s-%05d.vmdk", end.status, i)
			rec, err := json.Marshal(map[string]any{
				"schema": 1, "id": fmt.Sprintf("01%s%019d", strings.ToUpper(end.status[:5]), i), "job_id": strings.TrimSuffix(name, ".vmdk"), "original_name": name, "kind": "disk",
				"status": end.status, end.at: day.Format(time.RFC3339Nano), "started_at": day.Format(time.RFC3339Nano), "code": "H2K-IMG-001", "error": "damaged",
			})
			if err != nil {
				b.Fatal(err)
			}
			put(string(rec), end.dir, day.Format(time.DateOnly), name+end.suffix)
		}
	}
}

// BenchmarkServe measures pages of 10,000 jobs, and what 200 event streams cost.
func BenchmarkServe(b *testing.B) {
	w := b.TempDir()
	startDaemon(b, w, "--once")
	fillJobs(b, w)
	url, pid := startServe(b, w)
	get := func(query string) (took time.Duration, next string) {
		start := time.Now()
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url+"/api/workflow/jobs?"+query, nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			b.Fatal(err)
		}
		defer resp.Body.Close()
		var page struct {
			Total int               `json:"total"`
			Jobs  []json.RawMessage `json:"jobs"`
			Next  string            `json:"next"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || len(page.Jobs) == 0 {
			b.Fatalf("%s: %d jobs of %d: %v", query, len(page.Jobs), page.Total, err)
		}
		return time.Since(start), page.Next
	}
	for range b.N {
		first, _ := get("limit=100")
		row(b, "%5.1f ms for the first page of all, nothing known yet", ms(first))
		for _, q := range []struct{ name, query string }{
			{"all, by state", "limit=100"}, {"all, by name, from the end", "limit=100&sort=-name"}, {"newest ends of all days", "limit=100&status=completed,failed&sort=-time"},
			{"failed of all days", "limit=100&status=failed"}, {"filtered by words", "limit=100&q=99+!queued"}, {"of one day", "limit=100&date=yesterday"},
		} {
			var took []time.Duration
			for range 20 {
				d, _ := get(q.query)
				took = append(took, d)
			}
			_, next := get(q.query)
			for next != "" && len(took) < 40 { // further pages, whose records were not read yet
				var d time.Duration
				d, next = get(q.query + "&cursor=" + next)
				took = append(took, d)
			}
			slices.Sort(took)
			row(b, "%5.1f ms median, %5.1f ms at worst: %s", ms(took[len(took)/2]), ms(took[len(took)-1]), q.name)
			if took[len(took)/2] > pageLimit {
				b.Errorf("%s: %s a page, promised are %s", q.name, took[len(took)/2], pageLimit)
			}
		}
		before := resident(b, pid)
		var streams []io.Closer
		for range clients {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url+"/api/workflow/events", nil)
			if err != nil {
				b.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(r) //nolint:bodyclose // it is closed with the other streams at the end
			if err != nil {
				b.Fatal(err)
			}
			if resp.StatusCode != http.StatusOK {
				b.Fatalf("stream %d: %s", len(streams), resp.Status)
			}
			streams = append(streams, resp.Body)
			go func() { _, _ = io.Copy(io.Discard, resp.Body) }()
		}
		for i := range 30 { // what they are told
			if err := os.WriteFile(filepath.Join(w, "to_be_processed", fmt.Sprintf("new-%d-%d.vmdk", b.N, i)), nil, 0o600); err != nil {
				b.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		after := resident(b, pid)
		row(b, "%d MiB resident with %d event streams, %d MiB before", after>>20, clients, before>>20)
		b.ReportMetric(float64(after-before)/(1<<20), "streams-MiB")
		if after-before > clientsCost {
			b.Errorf("%d streams cost %d MiB, promised are %d", clients, (after-before)>>20, clientsCost>>20)
		}
		for _, s := range streams {
			_ = s.Close()
		}
	}
}

// resident is the memory of a process.
func resident(b *testing.B, pid int) int64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	at := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if at == nil {
		b.Fatal("no VmRSS")
	}
	kb, err := strconv.ParseInt(string(at[1]), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return kb << 10
}
