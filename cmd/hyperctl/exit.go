package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/queue"
)

// The exit codes. They are a contract with scripts: numbers are never given another meaning.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitManifest    = 3
	exitNotFound    = 4
	exitDaemon      = 5
	exitJobFailed   = 6
	exitTimeout     = 7
	exitConflict    = 8
	exitDenied      = 9
	exitInterrupted = 130
)

// exitCode is an exit code and what it means.
type exitCode struct {
	Code    int    `json:"code"`
	Meaning string `json:"meaning"`
}

var exitCodes = []exitCode{
	{exitOK, "done"},
	{exitError, "error"},
	{exitUsage, "wrong usage"},
	{exitManifest, "manifest is not valid"},
	{exitNotFound, "no such job or file"},
	{exitDaemon, "daemon does not run, or does not answer"},
	{exitJobFailed, "job failed"},
	{exitTimeout, "time ran out"},
	{exitConflict, "conflict: it exists already, or the job is in no state for that"},
	{exitDenied, "permission denied"},
	{exitInterrupted, "interrupted"},
}

// exitHelp is the table as help prints it.
func exitHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, c := range exitCodes {
		fmt.Fprintf(&b, "  %3d  %s\n", c.Code, c.Meaning)
	}
	return b.String()
}

// failure is an error as a person gets to see it: what happened, why, and the next command to type.
type failure struct {
	exit int
	code string // H2K-AREA-NNN, or ""
	what string
	why  string
	try  string
	err  error // the cause; may be nil
	mute bool  // everything was said already: only the exit code counts
}

// Error returns what happened and why, in one line.
func (f *failure) Error() string {
	if f.why == "" {
		return f.what
	}
	return f.what + ": " + f.why
}

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.err }

func usagef(format string, args ...any) *failure {
	return &failure{exit: exitUsage, what: fmt.Sprintf(format, args...)}
}

// kinds maps the kinds of errors of the packages below to exit codes and the next step; the first match wins.
var kinds = []struct {
	kind error
	exit int
	try  string
}{
	{context.DeadlineExceeded, exitTimeout, ""},
	{context.Canceled, exitInterrupted, ""},
	{queue.ErrNotFound, exitNotFound, "hyperctl workflow list --all"},
	{queue.ErrState, exitConflict, "hyperctl workflow list --all"},
	{queue.ErrExists, exitConflict, ""},
	{queue.ErrDenied, exitDenied, "join the group hyper2kvm, or ask the job's owner"},
	{queue.ErrName, exitUsage, "rename the file: letters, digits, dots, dashes and underscores always work"},
	{queue.ErrLayout, exitError, "hyperctl workflow status --workflow-dir DIR"},
	{fs.ErrPermission, exitDenied, "use sudo, or ask the owner for access"},
	{fs.ErrExist, exitConflict, "choose another name: nothing is ever overwritten"},
	{fs.ErrNotExist, exitNotFound, ""},
	{disk.ErrMissing, exitNotFound, "put the missing file beside the image, under the name that the image gives"},
	{disk.ErrTruncated, exitError, "copy the image again, and compare the sizes"},
	{machine.ErrTruncated, exitError, "copy the file again, and compare the sizes"},
	{syscall.ENOSPC, exitError, "free some space, or choose another file system"},
}

// explainError turns any error into a failure.
func explainError(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	f = &failure{exit: exitError, what: err.Error(), err: err}
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			f.exit, f.try = k.exit, k.try
			break
		}
	}
	return f
}

// failureDoc is a failure as JSON; fields are only ever added.
type failureDoc struct {
	Error struct {
		Exit  int      `json:"exit"`
		Code  string   `json:"code,omitempty"`
		What  string   `json:"what"`
		Why   string   `json:"why,omitempty"`
		Try   string   `json:"try,omitempty"`
		Chain []string `json:"chain,omitempty"`
	} `json:"error"`
}

// printFailure writes a failure to standard error: for people in up to four lines, for programs as one JSON object.
func (c *console) printFailure(f *failure) {
	if f.mute {
		return
	}
	if c.opts.output.machine() {
		var d failureDoc
		d.Error.Exit, d.Error.Code, d.Error.What, d.Error.Why, d.Error.Try = f.exit, f.code, f.what, f.why, f.try
		if f.err != nil {
			d.Error.Chain = chain(f.err)
		}
		b, err := json.Marshal(d)
		if err == nil {
			fmt.Fprintf(c.err, "%s\n", b)
		}
		return
	}
	head := cleanLine(f.what)
	if f.code != "" {
		head = f.code + " " + head
	}
	fmt.Fprintf(c.err, "%s %s\n", c.errStyle.paint(red, c.errStyle.icon("✖", "x")), head)
	if f.why != "" {
		fmt.Fprintf(c.err, "  why: %s\n", cleanLine(f.why))
	}
	switch {
	case f.try != "":
		fmt.Fprintf(c.err, "  try: %s\n", cleanLine(f.try))
	case f.code != "":
		fmt.Fprintf(c.err, "  try: hyperctl explain %s\n", f.code)
	}
	if c.opts.verbose && f.err != nil {
		for _, s := range chain(f.err) {
			fmt.Fprintf(c.err, "       %s\n", cleanLine(s))
		}
	}
}

// maxChain bounds how deep an error chain is told.
const maxChain = 32

// chain returns the messages of err and of what it wraps, outermost first, without repeating one.
func chain(err error) []string {
	var out []string
	next := []error{err}
	for len(next) > 0 && len(out) < maxChain {
		e := next[0]
		next = next[1:]
		if s := strings.TrimSpace(e.Error()); len(out) == 0 || out[len(out)-1] != s {
			out = append(out, s)
		}
		switch w := e.(type) { //nolint:errorlint // the chain is walked link by link here
		case interface{ Unwrap() error }:
			if u := w.Unwrap(); u != nil {
				next = append(next, u)
			}
		case interface{ Unwrap() []error }:
			next = append(next, w.Unwrap()...)
		}
	}
	return out
}
