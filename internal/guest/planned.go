package guest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// Planned is a tree as it will be when the changes that were added are made. Commands are not run, so what they would change looks as
// it did.
type Planned struct {
	base  FS
	edits map[string]*File // by resolved name; nil = removed
}

// NewPlanned returns base without changes.
func NewPlanned(base FS) *Planned {
	return &Planned{base: base, edits: map[string]*File{}}
}

// Add makes the edits of changes visible.
func (p *Planned) Add(changes []Change) {
	for _, c := range changes {
		if c.Run == nil {
			p.edits[c.Path] = c.After
		}
	}
}

// Stat implements FS.
func (p *Planned) Stat(ctx context.Context, name string) (Info, error) {
	for range maxLinks {
		f, ok := p.edits[name]
		switch {
		case !ok:
			return p.base.Stat(ctx, name)
		case f == nil:
			return Info{}, missing("stat", name)
		case f.Link == "":
			return f.info(), nil
		}
		name = follow(name, f.Link)
	}
	return Info{}, &fs.PathError{Op: "stat", Path: name, Err: errLinks}
}

// Lstat implements FS.
func (p *Planned) Lstat(ctx context.Context, name string) (Info, error) {
	f, ok := p.edits[name]
	switch {
	case !ok:
		return p.base.Lstat(ctx, name)
	case f == nil:
		return Info{}, missing("lstat", name)
	}
	return f.info(), nil
}

// Readlink implements FS.
func (p *Planned) Readlink(ctx context.Context, name string) (string, error) {
	f, ok := p.edits[name]
	switch {
	case !ok:
		return p.base.Readlink(ctx, name)
	case f == nil:
		return "", missing("readlink", name)
	case f.Link == "":
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return f.Link, nil
}

// ReadDir implements FS.
func (p *Planned) ReadDir(ctx context.Context, name string) ([]string, error) {
	names, err := p.base.ReadDir(ctx, name)
	set := map[string]bool{}
	for _, n := range names {
		set[n] = true
	}
	prefix := strings.TrimSuffix(name, "/") + "/"
	for edited, f := range p.edits {
		rest, ok := strings.CutPrefix(edited, prefix)
		if !ok {
			continue
		}
		first, _, deeper := strings.Cut(rest, "/")
		switch {
		case f != nil:
			set[first] = true
			err = nil // the directory comes into being with its file
		case !deeper:
			delete(set, first)
		}
	}
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(set)), nil
}

// ReadFile implements FS.
func (p *Planned) ReadFile(ctx context.Context, name string) ([]byte, error) {
	for range maxLinks {
		f, ok := p.edits[name]
		switch {
		case !ok:
			return p.base.ReadFile(ctx, name)
		case f == nil:
			return nil, missing("read", name)
		case f.Link == "":
			return slices.Clone(f.Data), nil
		}
		name = follow(name, f.Link)
	}
	return nil, &fs.PathError{Op: "read", Path: name, Err: errLinks}
}

// Open implements FS.
func (p *Planned) Open(ctx context.Context, name string) (Content, error) {
	if _, ok := p.edits[name]; !ok {
		return p.base.Open(ctx, name)
	}
	b, err := p.ReadFile(ctx, name)
	if err != nil {
		return nil, err
	}
	return BytesContent(b), nil
}

// maxLinks is how many symbolic links one name may go through, as in the kernel.
const maxLinks = 40

var errLinks = fmt.Errorf("%w: more than %d symbolic links", ErrLimit, maxLinks)

func missing(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// follow returns where a link leads.
func follow(name, link string) string {
	if path.IsAbs(link) {
		return path.Clean(link)
	}
	return path.Join(path.Dir(name), link)
}

func (f *File) info() Info {
	return Info{Mode: f.Mode, UID: f.UID, GID: f.GID, Size: int64(len(f.Data))}
}

// BytesContent is content in memory.
func BytesContent(b []byte) Content { return bytesContent{bytes.NewReader(b)} }

type bytesContent struct{ *bytes.Reader }

func (c bytesContent) Close() error { return nil }
func (c bytesContent) Size() int64  { return c.Reader.Size() }
