package disk

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// The kinds of errors of the engine. Every error that a reader or writer returns wraps exactly one of them, or the error of
// the operating system as it came. Test with errors.Is.
var (
	ErrFormat      = errors.New("not an image of this format")       // probing goes on to the next format
	ErrCorrupt     = errors.New("image is corrupt")                  // what it says contradicts itself or the specification
	ErrTruncated   = errors.New("image is truncated")                // a table or data lies beyond the end of the file
	ErrUnsupported = errors.New("image uses an unsupported feature") // well formed, but this program does not read it
	ErrEncrypted   = errors.New("image is encrypted")                //
	ErrMissing     = errors.New("file is missing")                   // an extent, a parent or a data file is not there
	ErrOutside     = errors.New("name is not allowed")               // a name inside an image leads outside the job
	ErrLimit       = errors.New("limit exceeded")                    // more than the named limits of this program allow
	ErrMismatch    = errors.New("contents differ")                   // Compare, or a digest, found a difference
)

// Error is an error at a place in an image.
type Error struct {
	Format string // qcow2, vmdk, ...; may be empty
	Op     string // what was being done: "read L2 table"
	File   string // the file's name, if known
	Off    int64  // byte offset in the file; negative if there is none
	Kind   error  // one of the kinds above; nil if Err is the operating system's
	Detail string // what exactly: needed and found values
	Err    error  // cause; may be nil
}

// Error returns "format: operation: file at 0xoffset: kind: detail: cause", leaving out what is not known. Names come from
// hostile images, so whatever would move a terminal's cursor or reverse its text is escaped.
func (e *Error) Error() string {
	var parts []string
	if e.Format != "" {
		parts = append(parts, e.Format)
	}
	if e.Op != "" {
		parts = append(parts, e.Op)
	}
	switch {
	case e.File != "" && e.Off >= 0:
		parts = append(parts, fmt.Sprintf("%s at %#x", shorten(e.File), e.Off))
	case e.File != "":
		parts = append(parts, shorten(e.File))
	case e.Off >= 0:
		parts = append(parts, fmt.Sprintf("at %#x", e.Off))
	}
	if e.Kind != nil {
		parts = append(parts, e.Kind.Error())
	}
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	if e.Err != nil && !errors.Is(e.Kind, e.Err) {
		parts = append(parts, e.Err.Error())
	}
	return Printable(strings.Join(parts, ": "))
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.Kind != nil {
		errs = append(errs, e.Kind)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// Printable returns s with control bytes, invalid UTF-8 and invisible characters escaped as Go writes them.
func Printable(s string) string {
	clean := true
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], string(unicode.ReplacementChar)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// shorten cuts a name that no file can have, so that a message stays a line.
func shorten(name string) string {
	if len(name) <= MaxNameLen {
		return name
	}
	return name[:MaxNameLen] + fmt.Sprintf("... (%d bytes)", len(name))
}
