package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// probePrefix begins the name of the file that probe moves about.
const probePrefix = ".hyper2kvm-probe-"

// isProbe says whether a name is of such a file, left by a crash. One with something in it is a person's.
func isProbe(dir, name string) bool {
	id, ok := strings.CutPrefix(name, probePrefix)
	if !ok || !isID(id) {
		return false
	}
	st, err := lstat(filepath.Join(dir, name))
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size == 0
}

// probe proves that entries can move: one file is renamed through all state directories and .hyper2kvm, and linked from the
// last to the first. Comparing device numbers would not do: two bind mounts of one file system have the same.
func (s *Spool) probe() error {
	name := probePrefix + newID(s.clock())
	dirs := append([]string{DirOwn}, stateDirs...)
	at := s.path(DirOwn, name)
	if err := s.fs.WriteFast(at, nil, modeFile); err != nil {
		return s.disk(err)
	}
	defer func() { _ = s.fs.Remove(at) }()
	for _, dir := range append(dirs[1:], DirOwn) {
		next := s.path(dir, name)
		if err := s.fs.Rename(at, next); err != nil {
			return moveError(filepath.Dir(at), filepath.Dir(next), err)
		}
		at = next
	}
	for _, dir := range stateDirs {
		link := s.path(dir, name)
		err := s.fs.Link(at, link)
		switch {
		case err == nil:
			_ = s.fs.Remove(link)
		case errors.Is(err, unix.EXDEV):
			return moveError(s.path(DirOwn), s.path(dir), err)
		case errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP):
			// a file system without hard links; records are then published by a rename that does not replace
		default:
			return layoutError(err)
		}
	}
	return nil
}

func moveError(from, to string, err error) error {
	if errors.Is(err, unix.EXDEV) {
		return fmt.Errorf("%w: %s and %s are not on one file system or not under one mount, so that jobs cannot move between them (EXDEV); "+
			"put the whole workflow directory on one file system and mount it once", ErrLayout, from, to)
	}
	return layoutError(err)
}

// rememberTree notes which directories the queue was started on.
func (s *Spool) rememberTree() error {
	s.tree = map[string]nodeID{}
	for _, path := range append([]string{"", DirOwn}, stateDirs...) {
		id, err := nodeOf(s.path(path))
		if path == "" {
			id, err = rootOf(s.dir)
		}
		if err != nil {
			return layoutError(err)
		}
		s.tree[path] = id
	}
	return nil
}

// rootOf follows a symbolic link, which the workflow directory itself may be.
func rootOf(dir string) (nodeID, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return nodeID{}, &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	return nodeID{st.Dev, st.Ino}, nil
}

// checkTree says whether the names still lead to the directories that the queue was started on. If the tree was renamed,
// unmounted or mounted over, nothing may be written: it would land in another tree. A state directory that was made anew in
// the right tree is taken when entries can move through it.
func (s *Spool) checkTree() error {
	s.treeMu.Lock()
	defer s.treeMu.Unlock()
	for _, path := range []string{"", DirOwn} {
		id, err := nodeOf(s.path(path))
		if path == "" {
			id, err = rootOf(s.dir)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrAway, err)
		}
		if id != s.tree[path] {
			return fmt.Errorf("%w: %s is another directory", ErrAway, s.path(path))
		}
	}
	for _, name := range stateDirs {
		id, err := nodeOf(s.path(name))
		if err != nil {
			return layoutError(err)
		}
		if id == s.tree[name] {
			continue
		}
		if err := s.probe(); err != nil {
			return err
		}
		s.log.Warn("a directory was made anew and is used from now on", "dir", s.path(name))
		s.tree[name] = id
	}
	return nil
}
