//go:build !testseam

package main

import "hyper2kvm/internal/atomicfile"

// stageHook returns what a job calls before each stage: nothing. Tests build a binary that can be stopped there.
func stageHook() func(stage string) { return nil }

// stepHook returns what sees each step of the queue that changes the disk: nobody. Tests build a binary that makes mistakes there.
func stepHook(_ string) func(atomicfile.Step) error { return nil }
