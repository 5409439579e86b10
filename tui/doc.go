// Package tui shows a workflow directory full screen: what hyperctl workflow watch is on a terminal.
//
// It is a Bubble Tea program. Update decides and never waits: whatever reads or asks is a command, which runs beside it and comes
// back as a message. View paints the model and nothing else. The rows of a list are asked for around the cursor only, so that the
// number of jobs does not matter.
package tui

import (
	"context"
	"io"
	"os"
	"time"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/tui/hush"
)

// terminalKnown gives TERM back that hush took away while Bubble Tea was initialised.
var terminalKnown = hush.Restore()

// Source is what the program reads and whom it asks.
type Source interface {
	// Look gives what a screen shows.
	Look(ctx context.Context, q jobs.Query) (jobs.Screen, error)
	// Detail reads one job in full.
	Detail(ctx context.Context, r jobs.Ref) (jobs.Detail, error)
	// Log reads the end of a log; the old one comes back when it did not grow.
	Log(ctx context.Context, path string, old jobs.Log) (jobs.Log, error)
	// Do sends a request about a job, or about the queue with the zero Ref, and gives the daemon's answer.
	Do(ctx context.Context, verb string, r jobs.Ref) (string, error)
	// Wake tells when a look is due, at least once a second, until the context ends.
	Wake(ctx context.Context) <-chan struct{}
}

// Options are what the command decides.
type Options struct {
	Source   Source
	In       io.Reader
	Out      *os.File // the terminal
	Now      func() time.Time
	Theme    string // one of look.Themes
	NoColor  bool   // no escapes for colours, whatever the theme
	UTF8     bool   // the terminal shows UTF-8
	ReadOnly bool   // nothing is asked of the daemon
	// Create leads through a new manifest and submits it; the screen is given to it meanwhile. It begins with the manifest of an
	// entry of the queue when one is named by its path, and gives what came of it in one line. nil = that cannot be done from here.
	Create func(ctx context.Context, entry string) (string, error)
	// User is what a user is called; it is asked once for each. nil = users are numbers.
	User func(uid uint32) string
	// Bundle writes a support archive about jobs and gives its path; it may take a minute. nil = that cannot be done from here.
	Bundle func(ctx context.Context, about []jobs.Ref) (string, error)
	Tmux   bool // the terminal is a tmux, which wants to be asked in its own way to copy
}
