package bench_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// BenchmarkList lists 100,000 queued jobs.
func BenchmarkList(b *testing.B) {
	hyperctl := filepath.Join(programs(b), "hyperctl")
	w := b.TempDir()
	startDaemon(b, w, "--once")
	drop := filepath.Join(w, "to_be_processed")
	for i := range 100_000 {
		if err := os.WriteFile(filepath.Join(drop, fmt.Sprintf("vm-%06d.vmdk", i)), nil, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	list := func() run {
		return timed(b, hyperctl, "--workflow-dir", w, "workflow", "list", "--all")
	}
	list()
	for range b.N {
		var runs []run
		for range 5 {
			runs = append(runs, list())
		}
		row(b, "%5.2f s for 100,000 queued jobs, peak %d MB", wall(runs), peak(runs)>>20)
		b.ReportMetric(wall(runs), "s")
		b.ReportMetric(float64(peak(runs)>>20), "peak-MB")
	}
}

// BenchmarkDropToClaim measures from a rename into the drop zone to the entry's rename into processing/, by a running daemon.
func BenchmarkDropToClaim(b *testing.B) {
	const drops = 300
	w := b.TempDir()
	startDaemon(b, w)
	watch, err := fsnotify.NewWatcher()
	if err != nil {
		b.Fatal(err)
	}
	defer watch.Close()
	if err := watch.Add(filepath.Join(w, "processing")); err != nil {
		b.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	for range b.N {
		var took []time.Duration
		for i := range drops {
			name := fmt.Sprintf("vm-%03d.raw", i)
			staged := filepath.Join(w, name)
			if err := os.WriteFile(staged, make([]byte, 4096), 0o600); err != nil {
				b.Fatal(err)
			}
			if err := os.Chtimes(staged, old, old); err != nil {
				b.Fatal(err)
			}
			start := time.Now()
			if err := os.Rename(staged, filepath.Join(w, "to_be_processed", name)); err != nil {
				b.Fatal(err)
			}
			timeout := time.After(time.Minute)
			for seen := false; !seen; {
				select {
				case e := <-watch.Events:
					seen = e.Has(fsnotify.Create) && filepath.Base(e.Name) == name
				case <-timeout:
					b.Fatalf("%s was not claimed within a minute", name)
				}
			}
			took = append(took, time.Since(start))
			waitGone(b, filepath.Join(w, "processing", name), watch)
		}
		slices.Sort(took)
		p50, p99 := took[len(took)/2], took[len(took)*99/100]
		row(b, "p50 %.2f ms, p99 %.2f ms, %d renames into the drop zone", ms(p50), ms(p99), drops)
		b.ReportMetric(ms(p50), "p50-ms")
		b.ReportMetric(ms(p99), "p99-ms")
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// waitGone waits until the entry has left processing/, so that a drop never measures a busy worker.
func waitGone(b *testing.B, path string, watch *fsnotify.Watcher) {
	b.Helper()
	timeout := time.After(time.Minute)
	for {
		if _, err := os.Lstat(path); os.IsNotExist(err) {
			return
		}
		select {
		case <-watch.Events:
		case <-time.After(20 * time.Millisecond): // the event may have come before the look
		case <-timeout:
			b.Fatalf("%s stays in processing/", path)
		}
	}
}
