package config

import (
	"errors"
	"fmt"
	"io"

	sy "hyper2kvm/internal/strictyaml"
)

// ErrInvalid is the kind of every error about settings that cannot be.
var ErrInvalid = errors.New("configuration is not valid")

// Code is the code of every problem of a configuration.
const Code = "H2K-CFG-001"

// Problem is one thing that is wrong with the settings.
type Problem struct {
	File      string `json:"file"`   // "" where the setting is not known to come from a file
	Line      int    `json:"line"`   // 1-based; 0 = the file as a whole, or no file
	Column    int    `json:"column"` // 1-based, in characters
	EndColumn int    `json:"end_column"`
	Path      string `json:"path"` // dotted key
	Message   string `json:"message"`
	Hint      string `json:"hint,omitempty"`
}

// String returns the problem on one line.
func (p Problem) String() string {
	s := ""
	if p.File != "" {
		s = sy.Printable(p.File)
		if p.Line > 0 {
			s += fmt.Sprintf(":%d:%d", p.Line, p.Column)
		}
		s += ": "
	}
	s += "error " + Code + ": "
	if p.Path != "" {
		s += p.Path + ": "
	}
	s += p.Message
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Problems are all that is wrong with the settings, as an error that is an ErrInvalid. There is at least one.
type Problems []Problem

// Error returns the first problem and how many more there are.
func (ps Problems) Error() string {
	if len(ps) > 1 {
		return fmt.Sprintf("%s (and %d more)", ps[0], len(ps)-1)
	}
	return ps[0].String()
}

// Unwrap returns ErrInvalid.
func (ps Problems) Unwrap() error { return ErrInvalid }

// Write prints every problem with the line it stands in, taken from source, the text that Parse was given.
func (ps Problems) Write(w io.Writer, source []byte) error {
	for _, p := range ps {
		if _, err := fmt.Fprintln(w, p.String()); err != nil {
			return err
		}
		if err := sy.Excerpt(w, source, sy.Pos{Line: p.Line, Column: p.Column, EndColumn: p.EndColumn}); err != nil {
			return err
		}
	}
	return nil
}

// problems gives faults their file.
func problems(file string, faults []sy.Fault) error {
	if len(faults) == 0 {
		return nil
	}
	var ps Problems
	for _, f := range sy.Sort(faults) {
		ps = append(ps, Problem{File: file, Line: f.Pos.Line, Column: f.Pos.Column, EndColumn: f.Pos.EndColumn, Path: f.Path, Message: f.Message, Hint: f.Hint})
	}
	return ps
}
