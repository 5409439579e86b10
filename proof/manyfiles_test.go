package proof_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a full drop zone may cost at the start of the daemon, and ten times as many files.
const (
	manyFiles        = 100_000
	manyFilesTime    = 5 * time.Second
	manyFilesMemory  = 200 << 20
	countlessTime    = 10 * time.Second
	countlessMemory  = 500 << 20
	manyFilesMinutes = 5 // until the test gives up
)

// TestManyFiles starts the daemon on a drop zone of PROOF_FILES files that wait for manifests, 100,000 of them for 1, and demands exact
// counts, soon and in little memory.
func TestManyFiles(t *testing.T) {
	if os.Getenv("PROOF_FILES") == "" {
		t.Skip("SKIPPED: 100,000 files take half a minute to make; scripts/proof and PROOF_FILES=1 run it")
	}
	files, limit, memory := setting(t, "PROOF_FILES", 1), manyFilesTime, int64(manyFilesMemory)
	if files == 1 {
		files = manyFiles
	}
	if files > manyFiles {
		limit, memory = countlessTime, countlessMemory
	}
	binDir(t)
	dir := t.TempDir()
	conf := filepath.Join(dir, "daemon.yaml")
	text := fmt.Sprintf("workflow_dir: %s/w\noutput_dir: %s/out\nmode: manifest\n", dir, dir) // lone disks wait for a manifest
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program("hyper2kvmd"), "--config", conf, "--once").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	old := time.Now().Add(-time.Hour)
	for i := range files {
		path := filepath.Join(dir, "w", "to_be_processed", fmt.Sprintf("vm-%07d.raw", i))
		if err := os.WriteFile(path, []byte("a disk"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	busy := isBusy()
	start := time.Now()
	d := exec.Command(program("hyper2kvmd"), "--config", conf)
	d.Stderr = os.Stderr
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	counted, counts := 0, ""
	for end := start.Add(manyFilesMinutes * time.Minute); counted != files && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		counted, counts = countsOf(dir, d.Process.Pid)
	}
	took := time.Since(start)
	_ = d.Process.Signal(syscall.SIGTERM)
	_ = d.Wait()
	var peak int64
	if u, ok := d.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peak = u.Maxrss << 10
	}
	cpu := d.ProcessState.UserTime() + d.ProcessState.SystemTime()
	slow := took > limit
	if busy { // it does not have the machine for itself, and what it does takes longer
		slow = slow && cpu > 2*limit
	}
	row := finding{Fault: fmt.Sprintf("%d files at the start", files), States: files, Note: fmt.Sprintf("%.2f s, %.2f s of CPU time, %d MiB, %s", took.Seconds(), cpu.Seconds(), peak>>20, counts)}
	if counted != files || slow || peak > memory {
		row.Violations = 1
		t.Errorf("%d files were counted after %s, %s of CPU time, in %d MiB: %s", counted, took, cpu, peak>>20, counts)
	}
	report(t, row)
}

// isBusy says whether the machine has more to do than its processors can.
func isBusy() bool {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return false
	}
	var load float64
	_, err = fmt.Sscan(string(b), &load)
	return err == nil && load > float64(runtime.NumCPU())
}

// countsOf are the entries that the status of a daemon counts in the drop zone.
func countsOf(dir string, pid int) (n int, text string) {
	b, err := os.ReadFile(filepath.Join(dir, "w", ".hyper2kvm", "status.json"))
	if err != nil || !strings.Contains(string(b), fmt.Sprint(pid)) {
		return 0, ""
	}
	var s struct {
		PID    int            `json:"pid"`
		Counts map[string]int `json:"counts"`
	}
	if json.Unmarshal(b, &s) != nil {
		return 0, ""
	}
	return s.Counts["queued"] + s.Counts["waiting"], fmt.Sprint(s.Counts)
}
