package bench_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// startDaemon starts hyper2kvmd on a workflow directory and waits until it runs, or, with --once, until it ended.
func startDaemon(b *testing.B, w string, args ...string) {
	b.Helper()
	bin := programs(b)
	var log strings.Builder
	cmd := exec.CommandContext(b.Context(), filepath.Join(bin, "hyper2kvmd"),
		append([]string{"--workflow-dir", w, "--output-dir", filepath.Join(w, "out")}, args...)...)
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if slices.Contains(args, "--once") {
		if err := cmd.Wait(); err != nil {
			b.Fatalf("hyper2kvmd: %v\n%s", err, log.String())
		}
		return
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := exec.CommandContext(b.Context(), filepath.Join(bin, "hyperctl"), "--workflow-dir", w, "workflow", "status").Run()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("the daemon does not run: %v", err)
		}
	}
}
