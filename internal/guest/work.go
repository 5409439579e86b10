package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Work is what a list of fixers proposes, in the order in which it is done: the edits of a file by several fixers are one Change.
type Work struct {
	Changes  []Change
	Warnings []Warning
}

// maxChanges is how many changes are made to one guest. Real ones get dozens; a report of this many can still be read by a program.
const maxChanges = 2000

// NewWork asks every fixer in turn; each sees the tree as the ones before it will leave it. More than 2000 changes are an ErrLimit.
func NewWork(ctx context.Context, system System, tree FS, fixers []Fixer) (Work, error) {
	planned := NewPlanned(tree)
	var w Work
	for _, f := range fixers {
		p, err := f.Plan(ctx, system, planned)
		if err != nil {
			return Work{}, fmt.Errorf("%s: %w", f.Name(), err)
		}
		for i := range p.Changes {
			p.Changes[i].Fixer = f.Name()
		}
		for i := range p.Warnings {
			p.Warnings[i].Fixer = f.Name()
		}
		planned.Add(p.Changes)
		w.Warnings = append(w.Warnings, p.Warnings...)
		for _, c := range p.Changes {
			w.add(c)
		}
		if len(w.Changes) > maxChanges {
			return Work{}, fmt.Errorf("%s: %w: %d changes, at most %d are made to one guest", f.Name(), ErrLimit, len(w.Changes), maxChanges)
		}
	}
	return w, nil
}

// add appends a change, or makes it one with an earlier edit of the same file that no command stands behind.
func (w *Work) add(c Change) {
	if c.Run == nil {
		for i := len(w.Changes) - 1; i >= 0 && w.Changes[i].Run == nil; i-- {
			if had := &w.Changes[i]; had.Path == c.Path {
				had.After = c.After
				if had.Why != c.Why {
					had.Why += "; " + c.Why
				}
				if had.Fixer != c.Fixer {
					had.Fixer += ", " + c.Fixer
				}
				return
			}
		}
	}
	w.Changes = append(w.Changes, c)
}

// Edit proposes new content for a file that keeps its owner and mode; ok is false where nothing changes. A file that is reached over a
// symbolic link must be named by where it leads (see Resolve).
func Edit(ctx context.Context, tree FS, name, why string, content []byte) (c Change, ok bool, err error) {
	before, err := Read(ctx, tree, name)
	if err != nil {
		return Change{}, false, err
	}
	if before.Link == "" && bytes.Equal(before.Data, content) {
		return Change{}, false, nil
	}
	after := *before
	after.Data, after.Link = content, ""
	return Change{Path: name, Why: why, Before: before, After: &after}, true, nil
}

// Create proposes a file, new or in the place of what is there; ok is false where it is there as wanted.
func Create(ctx context.Context, tree FS, name, why string, content []byte, mode fs.FileMode) (c Change, ok bool, err error) {
	_, err = tree.Lstat(ctx, name)
	switch {
	case err == nil:
		return Edit(ctx, tree, name, why, content)
	case errors.Is(err, fs.ErrNotExist):
		return Change{Path: name, Why: why, After: &File{Data: content, Mode: mode}}, true, nil
	}
	return Change{}, false, err
}

// Remove proposes that a file goes; ok is false where it is not there.
func Remove(ctx context.Context, tree FS, name, why string) (c Change, ok bool, err error) {
	before, err := Read(ctx, tree, name)
	if errors.Is(err, fs.ErrNotExist) {
		return Change{}, false, nil
	}
	if err != nil {
		return Change{}, false, err
	}
	return Change{Path: name, Why: why, Before: before}, true, nil
}

// Read returns a file as it stands: a link as a link.
func Read(ctx context.Context, tree FS, name string) (*File, error) {
	info, err := tree.Lstat(ctx, name)
	if err != nil {
		return nil, err
	}
	f := &File{Mode: info.Mode, UID: info.UID, GID: info.GID}
	switch {
	case info.Mode&fs.ModeSymlink != 0:
		f.Link, err = tree.Readlink(ctx, name)
	case info.Mode.IsRegular():
		f.Data, err = tree.ReadFile(ctx, name)
	default:
		err = &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Resolve returns the name of the file that name leads to over symbolic links in its last element, and name itself where nothing is.
func Resolve(ctx context.Context, tree FS, name string) (string, error) {
	for range maxLinks {
		info, err := tree.Lstat(ctx, name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode&fs.ModeSymlink == 0 {
			return name, nil
		}
		if err != nil {
			return "", err
		}
		link, err := tree.Readlink(ctx, name)
		if err != nil {
			return "", err
		}
		name = follow(name, link)
	}
	return "", &fs.PathError{Op: "resolve", Path: name, Err: errLinks}
}
