package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// The modes of the tree. The drop zone and control/ are open to the group, and sticky, so that nobody moves another's files;
// everything else is read by the group and written by the daemon. All are setgid, so that the group of the workflow
// directory is inherited.
const (
	modeOpen = 0o770 | fs.ModeSetgid | fs.ModeSticky
	modeDir  = 0o750 | fs.ModeSetgid
	modeFile = fs.FileMode(0o640)
)

// stateDirs are the directories between which an entry is renamed.
var stateDirs = []string{DirQueued, DirRunning, DirDone, DirFailed}

// ownDirs are the directories below .hyper2kvm.
var ownDirs = []string{"jobs", "control", "replies", "tmp", "logs", "origins", "left", "priorities"}

func dirMode(name string) fs.FileMode {
	if name == DirQueued || name == "control" {
		return modeOpen
	}
	return modeDir
}

func (s *Spool) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}
func (s *Spool) own(elem ...string) string {
	return filepath.Join(append([]string{s.dir, DirOwn}, elem...)...)
}
func (s *Spool) jobPath(id string, elem ...string) string {
	return s.own(append([]string{"jobs", id}, elem...)...)
}

// createLayout makes the directories that are missing. What is there keeps its mode and its owner.
func (s *Spool) createLayout() error {
	if _, err := os.Stat(s.dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(s.dir), 0o755); err != nil {
			return layoutError(err)
		}
		if err := s.fs.Mkdir(s.dir, modeDir); err != nil {
			return layoutError(err)
		}
	}
	if err := s.fs.SyncDir(filepath.Dir(s.dir)); err != nil && !errors.Is(err, fs.ErrPermission) { // the name may be new even if it is there
		return layoutError(err)
	}
	paths := make([]string, 0, len(stateDirs)+1+len(ownDirs))
	for _, name := range append(slices.Clip(stateDirs), DirOwn) {
		paths = append(paths, s.path(name))
	}
	for _, name := range ownDirs {
		paths = append(paths, s.own(name))
	}
	for _, path := range paths {
		if err := s.fs.MkdirDurable(path, dirMode(filepath.Base(path))); err != nil {
			return layoutError(err)
		}
	}
	return nil
}

// missing is what a directory lacks to be a workflow directory.
func missing(dir string) error {
	for _, name := range append([]string{"."}, stateDirs...) {
		info, err := os.Stat(filepath.Join(dir, name))
		switch {
		case err != nil:
			return layoutError(err)
		case !info.IsDir():
			return fmt.Errorf("%w: %s is not a directory", ErrLayout, filepath.Join(dir, name))
		}
	}
	return nil
}

// layoutFile is .hyper2kvm/layout.json.
type layoutFile struct {
	Version int `json:"version"`
}

// checkLayoutVersion refuses a tree that a newer program wrote, and writes the version into a new one.
func (s *Spool) checkLayoutVersion(create bool) error {
	path := s.own("layout.json")
	var l layoutFile
	err := readJSON(path, &l)
	switch {
	case errors.Is(err, fs.ErrNotExist) && create:
		b, err := json.Marshal(layoutFile{Version: LayoutVersion})
		if err != nil {
			return err
		}
		return s.disk(s.fs.Write(path, b, modeFile))
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission):
		return nil // no daemon yet, or not of the group: the first access will say so
	case err != nil:
		return layoutError(err)
	case l.Version > LayoutVersion:
		return fmt.Errorf("%w: %s has layout version %d, this program knows up to %d; use the newer program", ErrLayout, s.dir, l.Version, LayoutVersion)
	}
	return nil
}

func layoutError(err error) error { return fmt.Errorf("%w: %w", ErrLayout, err) }

// nodeID is a directory as the daemon found it when it started.
type nodeID struct{ dev, ino uint64 }

func nodeOf(path string) (nodeID, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nodeID{}, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nodeID{}, &fs.PathError{Op: "lstat", Path: path, Err: unix.ENOTDIR}
	}
	return nodeID{st.Dev, st.Ino}, nil
}
