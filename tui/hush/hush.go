// Package hush keeps Bubble Tea from questioning the terminal while the program starts.
//
// Bubble Tea 1.3 asks the terminal for its background colour in an init function (tea_init.go). Every command of a program that
// links it would pay for that: where nothing answers (script, expect, a serial line) the wait is 5 s, and the question stays
// on the screen. The question is not asked when TERM is dumb, so TERM is dumb until Bubble Tea has been initialised.
//
// That this happens in the right order is not luck. The Go specification ("Program initialization") initialises packages in the
// order of their import paths, each as soon as what it imports is ready. This package needs syscall only, Bubble Tea needs os,
// and "hyper2kvm/tui/hush" sorts before "os": this package comes first. It must not import anything else.
package hush

import "syscall"

const term = "TERM"

// before is what TERM was when the program started; taken is whether it was set.
var before, taken = take()

func take() (string, bool) {
	old, ok := syscall.Getenv(term)
	if err := syscall.Setenv(term, "dumb"); err != nil {
		return old, false // the question will be asked, which is a delay and no harm
	}
	return old, ok
}

// Restore gives TERM back. A package that imports Bubble Tea calls it from a variable, which is after Bubble Tea's init and
// before main. It reports whether TERM is set.
func Restore() bool {
	if !taken {
		_ = syscall.Unsetenv(term)
		return false
	}
	return syscall.Setenv(term, before) == nil
}
