//go:build testseam

package main

import (
	"os"
	"path/filepath"
	"time"

	"hyper2kvm/internal/daemon"
)

// childOptions stops a job before the stage that $H2K_TEST_HOLD/<stage> names: it says so by creating <stage>.held and goes on when
// <stage> is gone.
func childOptions() daemon.ChildOptions {
	dir := os.Getenv("H2K_TEST_HOLD")
	if dir == "" {
		return daemon.ChildOptions{}
	}
	parent := os.Getppid()
	return daemon.ChildOptions{Write: []string{dir}, OnStage: func(stage string) {
		gate := filepath.Join(dir, stage)
		if _, err := os.Stat(gate); err != nil {
			return
		}
		_ = os.WriteFile(gate+".held", nil, 0o600)
		for {
			if _, err := os.Stat(gate); err != nil {
				_ = os.Remove(gate + ".held")
				return
			}
			if os.Getppid() != parent {
				os.Exit(exitError) // killed daemons leave no one behind, not even here
			}
			time.Sleep(5 * time.Millisecond)
		}
	}}
}
