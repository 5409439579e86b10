//go:build !testseam

package main

import (
	"hyper2kvm/internal/atomicfile"
	"hyper2kvm/internal/daemon"
)

// childOptions returns what a job does for tests: nothing. Tests build a binary that can be stopped before each stage.
func childOptions() daemon.ChildOptions { return daemon.ChildOptions{} }

// stepHook returns what sees each step of the queue that changes the disk: nobody. Tests build a binary that makes mistakes there.
func stepHook(_ string) func(atomicfile.Step) error { return nil }
