// Package bench_test measures whole programs against their peers, as ratios of pairs that ran in turn.
package bench_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// programs is where both programs stand: bin/ of a build.
func programs(b *testing.B) string {
	b.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "bin"))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "hyperctl")); err != nil {
		b.Skipf("SKIPPED: %v; run make build first", err)
	}
	return dir
}

// run is one process that ended.
type run struct {
	wall, cpu time.Duration
	peak      int64 // bytes of memory at most resident
}

// timed runs a command and fails the benchmark when it fails.
func timed(b *testing.B, name string, args ...string) run {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), name, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = io.Discard, &out
	start := time.Now()
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out.String())
	}
	usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return run{time.Since(start), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), usage.Maxrss << 10}
}

// synced runs a command and then syncs the file that it wrote. Ours returns when an image is on the disk; for the same promise a peer
// that returns when the kernel has it needs the sync.
func synced(b *testing.B, path, name string, args ...string) run {
	b.Helper()
	return timed(b, "sh", append([]string{"-c", `out=$1; shift; "$@" && exec sync "$out"`, "synced", path, name}, args...)...)
}

// slowPair is how long a pair may take so that one is run unmeasured, to warm up, and three are measured. Of longer ones two are run, and both
// count: what is warmed up in them is little beside them.
const slowPair = 20 * time.Second

// pairs runs ours and theirs in turn and returns the median ratio theirs/ours of the wall time: how many times faster ours is.
func pairs(ours, theirs func() run) (ratio float64, ourRuns, theirRuns []run) {
	var ratios []float64
	measure := func() time.Duration {
		o, t := ours(), theirs()
		ourRuns, theirRuns = append(ourRuns, o), append(theirRuns, t)
		ratios = append(ratios, t.wall.Seconds()/o.wall.Seconds())
		return o.wall + t.wall
	}
	more := 1
	if measure() < slowPair {
		ratios, ourRuns, theirRuns, more = nil, nil, nil, 3
	}
	for range more {
		measure()
	}
	return median(ratios), ourRuns, theirRuns
}

// median returns the middle, or the mean of the two that are.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func wall(runs []run) float64 {
	var v []float64
	for _, r := range runs {
		v = append(v, r.wall.Seconds())
	}
	return median(v)
}

func peak(runs []run) int64 {
	var m int64
	for _, r := range runs {
		m = max(m, r.peak)
	}
	return m
}

// usrDisk makes a raw disk of virtual bytes holding data bytes of this machine's own /usr in three places, and holes between.
func usrDisk(b *testing.B, path string, virtual, data int64) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(virtual); err != nil {
		b.Fatal(err)
	}
	tar := exec.CommandContext(b.Context(), "tar", "-C", "/", "--sort=name", "-cf", "-", "usr")
	stream, err := tar.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := tar.Start(); err != nil {
		b.Fatal(err)
	}
	var written int64
	for i := range int64(3) {
		at := 1<<20 + i*(virtual/3)&^4095 // a disk, and no archive, at its head
		n, err := io.Copy(io.NewOffsetWriter(f, at), io.LimitReader(stream, data/3))
		if err != nil {
			b.Fatal(err)
		}
		written += n
	}
	stream.Close()
	_ = tar.Wait() // cut short on purpose
	if written < data/3*3 {
		b.Fatalf("/usr gave %d bytes, want %d", written, data/3*3)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
}

func size(b *testing.B, path string) int64 {
	b.Helper()
	st, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return st.Size()
}

// row prints one line of the table: what, the figure, how it was measured.
func row(b *testing.B, format string, args ...any) {
	b.Helper()
	fmt.Printf("%-44s "+format+"\n", append([]any{strings.TrimPrefix(b.Name(), "Benchmark")}, args...)...)
}
