//go:build testseam

package main

import (
	"os"

	"hyper2kvm/internal/atomicfile"
)

// stepHook returns the mistake that $H2K_MISTAKE names, nil for none. It works on the steps of the queue in the workflow directory.
func stepHook(_ string) func(atomicfile.Step) error {
	name := os.Getenv("H2K_MISTAKE")
	if name == "" {
		return nil
	}
	panic("no mistake is named " + name)
}
