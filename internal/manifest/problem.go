package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"hyper2kvm/internal/strictyaml"
)

// ErrInvalid is the kind of every error about a document that cannot be a job.
var ErrInvalid = errors.New("manifest is not valid")

// The severities of a Problem. A manifest with warnings is a job all the same.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)

// Problem is one thing that is wrong, or strange, in a manifest.
type Problem struct {
	Code      string `json:"code"`
	Severity  string `json:"severity"` // one of the Severity constants
	File      string `json:"file"`     // as Load was told
	Line      int    `json:"line"`     // 1-based; 0 = the file as a whole
	Column    int    `json:"column"`   // 1-based, in characters
	EndColumn int    `json:"end_column"`
	Path      string `json:"path"` // dotted, as in vms[0].pipeline.fix.network; "" for the top
	Message   string `json:"message"`
	Hint      string `json:"hint,omitempty"` // what to write instead
}

// String returns the problem on one line: file:line:column: severity code: path: message (hint).
func (p Problem) String() string {
	s := strictyaml.Printable(p.File)
	if p.Line > 0 {
		s += fmt.Sprintf(":%d:%d", p.Line, p.Column)
	}
	s += ": " + p.Severity + " " + p.Code + ": "
	if p.Path != "" {
		s += p.Path + ": "
	}
	s += p.Message
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Problems are all the problems of one document, in its order.
type Problems []Problem

// Counts returns how many errors and how many warnings there are.
func (ps Problems) Counts() (failures, warnings int) {
	for _, p := range ps {
		if p.Severity == SeverityError {
			failures++
		} else {
			warnings++
		}
	}
	return failures, warnings
}

// Err returns nil when there are only warnings, else an *InvalidError, which is an ErrInvalid.
func (ps Problems) Err() error {
	if n, _ := ps.Counts(); n == 0 {
		return nil
	}
	return &InvalidError{Problems: ps}
}

// Write prints every problem with the line it stands in, taken from source, the document that Load was given.
func (ps Problems) Write(w io.Writer, source []byte) error {
	for _, p := range ps {
		if _, err := fmt.Fprintln(w, p.String()); err != nil {
			return err
		}
		at := strictyaml.Pos{Line: p.Line, Column: p.Column, EndColumn: p.EndColumn}
		if err := strictyaml.Excerpt(w, source, at); err != nil {
			return err
		}
	}
	return nil
}

// InvalidError is the error that stands for the problems of a document.
type InvalidError struct{ Problems Problems }

// Error returns the first error and how many more there are.
func (e *InvalidError) Error() string {
	n, _ := e.Problems.Counts()
	if n > 1 {
		return fmt.Sprintf("%s (and %d more)", e.First(), n-1)
	}
	return e.First().String()
}

// Unwrap returns ErrInvalid.
func (e *InvalidError) Unwrap() error { return ErrInvalid }

// First returns the first problem that is an error.
func (e *InvalidError) First() Problem {
	i := slices.IndexFunc(e.Problems, func(p Problem) bool { return p.Severity == SeverityError })
	if i < 0 {
		return Problem{}
	}
	return e.Problems[i]
}

// codeOf gives the faults of the strict reader their codes.
func codeOf(r strictyaml.Reason) string {
	switch r {
	case strictyaml.Key:
		return CodeManifestKey
	case strictyaml.Value:
		return CodeManifestValue
	case strictyaml.Required:
		return CodeManifestRequired
	case strictyaml.Duplicate:
		return CodeManifestDuplicate
	case strictyaml.Limit:
		return CodeManifestLimit
	case strictyaml.Conflict:
		return CodeManifestConflict
	case strictyaml.Encoding:
		return CodeManifestEncoding
	default:
		return CodeManifestSyntax
	}
}

// log collects the problems of one file.
type log struct {
	file     string
	problems Problems
}

func (l *log) add(severity, code string, pos strictyaml.Pos, path, hint, message string) {
	l.problems = append(l.problems, Problem{
		Code: code, Severity: severity, File: l.file, Line: pos.Line, Column: pos.Column, EndColumn: pos.EndColumn,
		Path: path, Message: message, Hint: hint,
	})
}

// fail reports an error at the place of a value, warn a warning.
func (l *log) fail(code string, n *strictyaml.Node, hint, format string, args ...any) {
	l.add(SeverityError, code, n.Place(), n.Path, hint, fmt.Sprintf(format, args...))
}

func (l *log) warn(code string, n *strictyaml.Node, hint, format string, args ...any) {
	l.add(SeverityWarning, code, n.Place(), n.Path, hint, fmt.Sprintf(format, args...))
}

func (l *log) faults(faults []strictyaml.Fault) {
	for _, f := range faults {
		l.add(SeverityError, codeOf(f.Reason), f.Pos, f.Path, f.Hint, f.Message)
	}
}

// sorted returns the problems in the order of the file, each once. Of more than MaxFaults the errors come first.
func (l *log) sorted() Problems {
	ps := l.problems
	if len(ps) > strictyaml.MaxFaults {
		slices.SortStableFunc(ps, func(a, b Problem) int { return cmp.Compare(a.Severity, b.Severity) })
	}
	same := map[Problem]bool{}
	ps = slices.DeleteFunc(ps, func(p Problem) bool {
		p.Path = "" // a key of the whole file is read once for each VM
		twice := same[p]
		same[p] = true
		return twice
	})
	if more := len(ps) - strictyaml.MaxFaults; more > 0 {
		cut := ps[strictyaml.MaxFaults]
		ps = ps[:strictyaml.MaxFaults]
		cut.Code, cut.Path, cut.Hint = CodeManifestLimit, "", ""
		cut.Message = fmt.Sprintf("%d more problems are not shown", more)
		ps = append(ps, cut)
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return ps
}
