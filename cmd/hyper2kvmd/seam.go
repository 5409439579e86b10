//go:build !testseam

package main

// stageHook returns what a job calls before each stage: nothing. Tests build a binary that can be stopped there.
func stageHook() func(stage string) { return nil }
