// Package wizard leads a person through a new manifest on a full screen: Source, Stages, Output, Review.
//
// It is a Bubble Tea program as package tui is: Update decides and never waits, whatever reads or checks is a command beside it, and
// View paints the model and nothing else. What can be answered comes from package answers, and so from the manifest's own table of
// keys. The wizard reads no file itself: what a directory holds and what an image is arrives through Files.
package wizard

import (
	"context"
	"io"
	"os"
	"time"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/hush"
	"hyper2kvm/tui/wizard/answers"
)

// terminalKnown gives TERM back that hush took away while Bubble Tea was initialised.
var terminalKnown = hush.Restore()

// MaxEntries is how many entries of a directory are listed. More are not for choosing by hand, and hold up the screen.
const MaxEntries = 5000

// Files is what the wizard knows of the files of this host.
type Files interface {
	// List lists a directory, at most MaxEntries entries of it, folders first; more tells that there are others.
	List(ctx context.Context, dir string) (entries []Entry, more bool, err error)
	// Probe finds out by its content what a file is. It reads headers and tables only.
	Probe(ctx context.Context, path string) (Facts, error)
}

// Entry is a file or folder in a directory.
type Entry struct {
	Name  string
	Dir   bool
	Bytes int64
	Odd   bool // neither a folder nor a regular file: it is never opened
}

// Facts are what a file is.
type Facts struct {
	Kind      string   // format of an image, or ova, ovf, vmx
	Detail    string   // its variant
	Virtual   int64    // bytes of the disks that it holds or describes
	Allocated int64    // bytes of them that a conversion reads
	Disks     int      // how many
	Chain     []string // files of the chain of snapshots, top first, when there is more than one
	Parts     []string // names of the files beside it that belong to it
	Notes     []string
	Described bool // it describes a VM
	Name      string
	Machine   manifest.Machine
}

// Draft is what an earlier run left behind.
type Draft struct {
	Form answers.Form
	At   time.Time
}

// Options are what the command decides.
type Options struct {
	In      io.Reader
	Out     *os.File // the terminal
	Now     func() time.Time
	Theme   string // one of look.Themes
	NoColor bool   // no escapes for colours, whatever the theme
	UTF8    bool   // the terminal shows UTF-8

	Form  answers.Form // to begin with
	Notes []string     // to be said of it
	Draft *Draft       // to be offered; nil = there is none
	Dir   string       // absolute directory where choosing a file begins
	File  string       // where to save, as a proposal; "" = after the VM's name
	Copy  bool         // hand in the files too

	Files    Files
	Defaults answers.Defaults // the daemon's; what is not among them is the product's
	Preview  PreviewFunc      // nil = nothing can be told beforehand
	Changes  ChangesFunc      // nil = guests cannot be looked into from here
	// Keep keeps the answers across a crash. It is called after changes, never twice at the same time.
	Keep func(answers.Form) error
	// Save writes the manifest. A file that is there is fs.ErrExist unless it may be replaced.
	Save func(path string, content []byte, replace bool) error
}

// Action is how the wizard ended.
type Action int

// The actions. After Left the draft is kept, after Discarded it is not wanted any more.
const (
	Left Action = iota
	Discarded
	SaveAndSubmit
	Save
	Submit
	Print
)

// Result is what the wizard came to.
type Result struct {
	Action Action
	Form   answers.Form
	File   string // where the manifest was saved; "" = nowhere
	JSON   bool   // print JSON
	Copy   bool   // hand in the files too
}
