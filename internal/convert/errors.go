package convert

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

// CodedError is an error that knows its own code and what to do about it.
type CodedError struct {
	Code string // of manifest's table
	Hint string // the next command or edit; "" takes the table's
	Err  error  // what happened
}

// Error returns the message of Err.
func (e *CodedError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *CodedError) Unwrap() error { return e.Err }

// coded is a CodedError in one line.
func coded(code, hint string, err error) error { return &CodedError{Code: code, Hint: hint, Err: err} }

// outputError marks an error of the file that is being written, so that an I/O error is not blamed on the source.
type outputError struct{ err error }

func (e *outputError) Error() string { return e.err.Error() }
func (e *outputError) Unwrap() error { return e.err }

// errorKind is one row of the table from kinds of errors to codes.
type errorKind struct {
	is   error
	code string
	hint string
}

// outputKinds are looked at for errors of the output's file, before errorKinds.
var outputKinds = []errorKind{
	{syscall.ENOSPC, manifest.CodeSpaceOutput, ""},
	{syscall.EDQUOT, manifest.CodeSpaceOutput, "raise the quota of the service's user, then retry the job"},
	{fs.ErrExist, manifest.CodeOutputExists, ""},
}

// errorKinds is read from the top; the first kind that an error wraps decides.
var errorKinds = []errorKind{
	{context.Canceled, manifest.CodeJobCancelled, ""},
	{context.DeadlineExceeded, manifest.CodeJobStalled, ""},
	{machine.ErrChecksum, manifest.CodeMachineChecksum, ""},
	{machine.ErrMember, manifest.CodeMachineMember, ""},
	{machine.ErrMissing, manifest.CodeSourceMissing, ""},
	{machine.ErrTruncated, manifest.CodeSourceTruncated, ""},
	{machine.ErrDescriptor, manifest.CodeMachineDescriptor, ""},
	{machine.ErrUnsupported, manifest.CodeMachineDescriptor, ""},
	{machine.ErrLimit, manifest.CodeMachineDescriptor, ""},
	{disk.ErrTruncated, manifest.CodeSourceTruncated, ""},
	{disk.ErrEncrypted, manifest.CodeImageEncrypted, ""},
	{disk.ErrMissing, manifest.CodeImageMissing, ""},
	{disk.ErrOutside, manifest.CodeImageOutside, ""},
	{disk.ErrLimit, manifest.CodeImageLimit, ""},
	{disk.ErrUnsupported, manifest.CodeImageUnsupported, ""},
	{disk.ErrCorrupt, manifest.CodeImageCorrupt, ""},
	{disk.ErrFormat, manifest.CodeSourceUnknown, ""},
	{disk.ErrMismatch, manifest.CodeOutputProof, ""},
	{syscall.ENOSPC, manifest.CodeSpaceOutput, ""},
	{syscall.EDQUOT, manifest.CodeSpaceOutput, "raise the quota of the service's user, then retry the job"},
	{fs.ErrNotExist, manifest.CodeSourceMissing, ""},
	{fs.ErrPermission, manifest.CodeSourceUnreadable, ""},
	{syscall.EIO, manifest.CodeSourceRead, "check the storage that the source stands on, then retry the job"},
	{syscall.ESTALE, manifest.CodeSourceRead, "mount the file system again, then retry the job"},
	{fs.ErrExist, manifest.CodeOutputExists, ""},
}

// Failure says what an error of a stage means for a person: its code, the message in one line, the chain of errors, whether a
// later retry of the same job can succeed, and what to do next. A CodedError anywhere in the chain decides; else the kind of
// the error does; an unknown one is an internal error. What the error does not know comes from manifest's table of codes.
func Failure(stage string, err error) manifest.Failure {
	f := manifest.Failure{Stage: stage, Message: oneLine(err.Error()), Chain: errorChain(err)}
	f.Code, f.Hint = codeOf(err)
	if known, ok := manifest.LookupCode(f.Code); ok {
		f.Hint, f.Retryable = cmp.Or(f.Hint, known.Hint), known.Retryable
	}
	return f
}

func codeOf(err error) (code, hint string) {
	if c, ok := errors.AsType[*CodedError](err); ok {
		return c.Code, c.Hint
	}
	if _, ok := errors.AsType[*outputError](err); ok && !errors.Is(err, context.Canceled) {
		return outputCode(err)
	}
	for _, k := range errorKinds {
		if errors.Is(err, k.is) {
			return k.code, k.hint
		}
	}
	return manifest.CodeJobInternal, ""
}

func outputCode(err error) (code, hint string) {
	for _, k := range outputKinds {
		if errors.Is(err, k.is) {
			return k.code, k.hint
		}
	}
	return manifest.CodeOutputWrite, ""
}

// maxChain bounds the chain of errors in a report; a longer one is a bug, not news.
const maxChain = 24

// errorChain returns the messages of err and of what it wraps, outermost first, each different from the one before it.
func errorChain(err error) []string {
	var chain []string
	add := func(msg string) {
		if len(chain) < maxChain && (len(chain) == 0 || chain[len(chain)-1] != msg) {
			chain = append(chain, msg)
		}
	}
	var walk func(error, int)
	walk = func(err error, depth int) {
		if err == nil || depth > maxChain {
			return
		}
		add(oneLine(err.Error()))
		switch e := err.(type) { //nolint:errorlint // this walks the chain link by link
		case interface{ Unwrap() error }:
			walk(e.Unwrap(), depth+1)
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				walk(inner, depth+1)
			}
		}
	}
	walk(err, 0)
	return chain
}

// maxMessage is the longest message that a report keeps, in bytes.
const maxMessage = 2000

// oneLine makes a text fit for one line of a terminal: names out of images may hold anything.
func oneLine(s string) string {
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + " ..."
	}
	var b strings.Builder
	for _, c := range strings.ToValidUTF8(s, "\uFFFD") {
		if strconv.IsPrint(c) {
			b.WriteRune(c)
			continue
		}
		quoted := strconv.QuoteRune(c)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
