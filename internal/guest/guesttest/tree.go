// Package guesttest holds what tests of guest repairs share: a tree in memory that stands for a guest, and cases that are directories.
package guesttest

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hyper2kvm/internal/guest"
)

// Tree is a guest's tree in memory. It implements guest.Target; commands are what OnRun says.
type Tree struct {
	files map[string]guest.File // by clean absolute name; directories too
	// OnRun is what a command does. The default fails: a test says what the guest's tools do.
	OnRun func(t *Tree, c guest.Command) (string, error)
	// Room is what Free returns; the default is plenty.
	Room int64
	Ran  [][]string // the commands that were run
}

// NewTree returns a tree that holds nothing but /.
func NewTree() *Tree {
	return &Tree{files: map[string]guest.File{"/": {Mode: fs.ModeDir | 0o755}}, Room: 1 << 40}
}

// LoadTree reads a directory of the host with its links. A file .keep only holds its directory and is left out.
func LoadTree(tb testing.TB, dir string) *Tree {
	tb.Helper()
	tree := NewTree()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		name := "/" + filepath.ToSlash(rel)
		switch {
		case d.IsDir():
			tree.Mkdir(name)
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(p)
			if err != nil {
				return err
			}
			tree.Put(name, guest.File{Link: link, Mode: fs.ModeSymlink | 0o777})
		case d.Name() != ".keep":
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			mode := fs.FileMode(0o644) // what git keeps of a mode is whether a file can be run
			if info.Mode()&0o100 != 0 {
				mode = 0o755
			}
			tree.Put(name, guest.File{Data: b, Mode: mode})
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return tree
}

// Put sets a file, making the directories above it.
func (t *Tree) Put(name string, f guest.File) {
	t.Mkdir(path.Dir(name))
	t.files[name] = f
}

// Text sets a plain file of mode 0644.
func (t *Tree) Text(name, content string) {
	t.Put(name, guest.File{Data: []byte(content), Mode: 0o644})
}

// Mkdir makes a directory and those above it.
func (t *Tree) Mkdir(name string) {
	for ; name != "/"; name = path.Dir(name) {
		if _, ok := t.files[name]; !ok {
			t.files[name] = guest.File{Mode: fs.ModeDir | 0o755}
		}
	}
}

// Files returns the names of everything that is no directory, sorted.
func (t *Tree) Files() []string {
	var names []string
	for name, f := range t.files {
		if !f.Mode.IsDir() {
			names = append(names, name)
		}
	}
	return slices.Sorted(slices.Values(names))
}

// Get returns what stands under that very name, links not followed.
func (t *Tree) Get(name string) (guest.File, bool) {
	f, ok := t.files[name]
	return f, ok
}

// Clone returns a copy on which changes leave t alone.
func (t *Tree) Clone() *Tree {
	c := *t
	c.files, c.Ran = maps.Clone(t.files), slices.Clone(t.Ran)
	return &c
}

// find walks name from the root, following links inside the tree, the last one only if last is set.
func (t *Tree) find(op, name string, last bool) (string, guest.File, error) {
	if !path.IsAbs(name) || path.Clean(name) != name {
		return "", guest.File{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at, rest := "/", strings.Split(strings.Trim(name, "/"), "/")
	for links := 0; len(rest) > 0 && rest[0] != ""; {
		next := path.Join(at, rest[0])
		f, ok := t.files[next]
		switch {
		case !ok:
			return "", guest.File{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		case f.Link != "" && (last || len(rest) > 1):
			if links++; links > 40 {
				return "", guest.File{}, &fs.PathError{Op: op, Path: name, Err: guest.ErrLimit}
			}
			if path.IsAbs(f.Link) {
				at = "/"
			}
			rest = append(strings.Split(strings.Trim(f.Link, "/"), "/"), rest[1:]...)
		default:
			at, rest = next, rest[1:]
		}
	}
	f := t.files[at]
	return at, f, nil
}

// Stat implements guest.FS.
func (t *Tree) Stat(_ context.Context, name string) (guest.Info, error) {
	return t.stat("stat", name, true)
}

// Lstat implements guest.FS.
func (t *Tree) Lstat(_ context.Context, name string) (guest.Info, error) {
	return t.stat("lstat", name, false)
}

func (t *Tree) stat(op, name string, last bool) (guest.Info, error) {
	at, f, err := t.find(op, name, last)
	if err != nil {
		return guest.Info{}, err
	}
	inode := uint64(slices.Index(slices.Sorted(maps.Keys(t.files)), at) + 2)
	return guest.Info{Mode: f.Mode, UID: f.UID, GID: f.GID, Size: int64(len(f.Data)), Inode: inode, Dev: 1}, nil
}

// Readlink implements guest.FS.
func (t *Tree) Readlink(_ context.Context, name string) (string, error) {
	_, f, err := t.find("readlink", name, false)
	if err == nil && f.Link == "" {
		err = &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return f.Link, err
}

// ReadDir implements guest.FS.
func (t *Tree) ReadDir(_ context.Context, name string) ([]string, error) {
	at, f, err := t.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	if !f.Mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	var names []string
	for n := range t.files {
		if n != "/" && path.Dir(n) == at {
			names = append(names, path.Base(n))
		}
	}
	return slices.Sorted(slices.Values(names)), nil
}

// ReadFile implements guest.FS.
func (t *Tree) ReadFile(_ context.Context, name string) ([]byte, error) {
	_, f, err := t.find("read", name, true)
	switch {
	case err != nil:
		return nil, err
	case !f.Mode.IsRegular():
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	case len(f.Data) > guest.MaxConfig:
		return nil, &fs.PathError{Op: "read", Path: name, Err: guest.ErrLimit}
	}
	return slices.Clone(f.Data), nil
}

// Open implements guest.FS.
func (t *Tree) Open(_ context.Context, name string) (guest.Content, error) {
	_, f, err := t.find("open", name, true)
	if err != nil {
		return nil, err
	}
	return guest.BytesContent(f.Data), nil
}

// Write implements guest.Target.
func (t *Tree) Write(_ context.Context, name string, f guest.File) error {
	f.Data = slices.Clone(f.Data)
	t.Put(name, f)
	return nil
}

// Remove implements guest.Target.
func (t *Tree) Remove(_ context.Context, name string) error {
	delete(t.files, name)
	return nil
}

// Replace implements guest.Target.
func (t *Tree) Replace(_ context.Context, name, made string) error {
	f, ok := t.files[made]
	if !ok {
		return &fs.PathError{Op: "replace", Path: made, Err: fs.ErrNotExist}
	}
	delete(t.files, made)
	if had, ok := t.files[name]; ok {
		f.Mode, f.UID, f.GID = had.Mode, had.UID, had.GID
	}
	t.Put(name, f)
	return nil
}

// Run implements guest.Target.
func (t *Tree) Run(_ context.Context, c guest.Command) (string, error) {
	t.Ran = append(t.Ran, c.Args)
	if t.OnRun == nil {
		return "", fmt.Errorf("%w: the test does not say what %q does", guest.ErrCommand, c.Args)
	}
	return t.OnRun(t, c)
}

// Free implements guest.Target.
func (t *Tree) Free(context.Context, string) (int64, error) { return t.Room, nil }
