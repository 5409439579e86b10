package guest

import (
	"context"
	"io/fs"
)

// File is a file's content and what belongs to it. A symbolic link has a Link and no Data.
type File struct {
	Data []byte      `json:"data,omitempty"`
	Link string      `json:"link,omitempty"`
	Mode fs.FileMode `json:"mode"` // type and permissions
	UID  int         `json:"uid"`
	GID  int         `json:"gid"`
}

// Change is one step of a repair. It edits one file (Before and After), or runs one command of the guest's own (Run).
//
// Before nil: the file is new. After nil: it is removed. In a change with Run both are nil.
type Change struct {
	Fixer  string   `json:"fixer"`          // name of the fixer; Plan fills it in
	Path   string   `json:"path,omitempty"` // file in the guest, absolute
	Why    string   `json:"why"`            // one line: what is wrong as it is, or what the change is good for
	Before *File    `json:"-"`
	After  *File    `json:"-"`
	Run    *Command `json:"run,omitempty"`
}

// Command is a program of the guest that runs inside the guest's tree, without a network and without a shell.
type Command struct {
	// Args is the program by its absolute path and its arguments. Alternatives are not written as shell: the fixer has looked what is
	// there.
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"` // NAME=value, added to a minimal environment
	// Makes is a file that the command must leave, outside of what boots. When it is proved, it takes the place of Change.Path, keeping
	// its owner and mode. "" for a command that works in place.
	Makes string `json:"makes,omitempty"`
	// NeedBytes is how large what the command makes may be. There must be room for it in the file system of Makes, and in that of
	// Change.Path besides what it replaces, before anything is touched.
	NeedBytes int64 `json:"need_bytes,omitempty"`
	// Proof says in a line what Prove looks for, for plan and report.
	Proof string `json:"proof,omitempty"`
	// Prove looks whether the command did what it was run for: an exit status of 0 proves nothing. It reads the file that Makes names
	// before that takes its place. An error fails the repair, or is a warning where Optional.
	Prove func(ctx context.Context, tree FS) error `json:"-"`
	// Optional: a failure is a warning and the old state stays.
	Optional bool `json:"optional,omitempty"`
}

// Warning is what a person should know though the repair goes on: something was left out, with its reason.
type Warning struct {
	Fixer   string `json:"fixer,omitempty"` // Plan fills it in
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what to do
}

// Proposal is what one fixer wants.
type Proposal struct {
	Changes  []Change
	Warnings []Warning
}

// Fixer looks at a guest and proposes what repairs one thing in it. It changes nothing itself, and on a guest that is repaired it
// proposes nothing. An error means that the guest could not be read; what a fixer does not understand it leaves alone, with a Warning.
type Fixer interface {
	Name() string // short, as the report shows it: fstab, grub2, initramfs
	Plan(ctx context.Context, system System, tree FS) (Proposal, error)
}
