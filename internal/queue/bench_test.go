package queue

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkRenameToClaim measures from a rename into the drop zone to the claim in the caller's hands.
func BenchmarkRenameToClaim(b *testing.B) {
	s := start(b, b.TempDir(), StartOptions{})
	in, err := s.NewInbox(examine(nil), InboxOptions{})
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = in.Run(b.Context()) }()
	var took []time.Duration
	for n := range b.N {
		path := filepath.Join(s.Dir(), "file")
		dropAt(b, path, "x")
		begin := time.Now()
		if err := os.Rename(path, s.path(DirQueued, fmt.Sprint("vm", n))); err != nil {
			b.Fatal(err)
		}
		c, err := in.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
		b.StopTimer()
		if err := c.Fail(b.Context(), Outcome{}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
}

func fill(b *testing.B, s *Spool, n int) {
	b.Helper()
	for k := range n {
		if err := os.WriteFile(s.path(DirQueued, fmt.Sprintf("vm%06d.vmdk", k)), []byte("x"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList100k(b *testing.B) {
	b.Setenv("TMPDIR", "/dev/shm")
	s := start(b, b.TempDir(), StartOptions{})
	fill(b, s, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range s.Jobs(b.Context(), Filter{}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 100_000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkCount100k(b *testing.B) {
	b.Setenv("TMPDIR", "/dev/shm")
	s := start(b, b.TempDir(), StartOptions{})
	fill(b, s, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		if c, err := s.Count(b.Context()); err != nil || c.Queued != 100_000 {
			b.Fatal(c, err)
		}
	}
}

// BenchmarkExamine100k measures how long 100,000 entries that are all there at a start take until the first is claimed, and
// until all are known.
func BenchmarkExamine100k(b *testing.B) {
	b.Setenv("TMPDIR", "/dev/shm")
	for b.Loop() {
		b.StopTimer()
		s := start(b, b.TempDir(), StartOptions{})
		fill(b, s, 100_000)
		in, err := s.NewInbox(examine(nil), InboxOptions{Settle: -1})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		begin := time.Now()
		go func() { _ = in.Run(b.Context()) }()
		if _, err := in.Next(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(begin).Milliseconds()), "first-ms")
		for in.Snapshot().Counts.Queued < 99_999 {
			time.Sleep(time.Millisecond)
		}
		b.ReportMetric(float64(time.Since(begin).Milliseconds()), "all-ms")
	}
}
