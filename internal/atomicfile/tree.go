package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// SyncDir makes the names in a directory durable. File systems that have no such call (some network and user-space ones answer
// EINVAL) are taken at their word that a rename is durable.
func SyncDir(path string) error { return FS{}.SyncDir(path) }

// RenameNoReplace renames a file or directory and never replaces anything; a taken name is ErrExist. It is not synced.
func RenameNoReplace(old, new string) error { return FS{}.RenameNoReplace(old, new) }

// SyncDir is the function SyncDir.
func (f FS) SyncDir(path string) error {
	taken, err := f.step("syncdir", path, "")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSync, err)
	}
	if taken {
		return nil
	}
	return syncPath(path, unix.O_DIRECTORY)
}

// SyncFile makes the content and the inode of an existing file or directory durable.
func (f FS) SyncFile(path string) error {
	taken, err := f.step("sync", path, "")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSync, err)
	}
	if taken {
		return nil
	}
	return syncPath(path, 0)
}

func syncPath(path string, flag int) error {
	d, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|flag, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return fmt.Errorf("%w: %w", ErrSync, err)
	}
	return nil
}

// Mkdir makes one directory with exactly this mode; setgid and sticky are given as fs.ModeSetgid and fs.ModeSticky.
func (f FS) Mkdir(path string, perm fs.FileMode) error {
	if taken, err := f.step("mkdir", path, ""); taken || err != nil {
		return err
	}
	if err := os.Mkdir(path, perm.Perm()); err != nil {
		return err
	}
	taken, err := f.step("chmod", path, "")
	if err == nil && !taken {
		err = os.Chmod(path, perm)
	}
	if err != nil {
		_ = f.Remove(path) // else the next call would take it as it is
	}
	return err
}

// Chtimes sets when a file was read and written last.
func (f FS) Chtimes(path string, atime, mtime time.Time) error {
	if taken, err := f.step("chtimes", path, ""); taken || err != nil {
		return err
	}
	return os.Chtimes(path, atime, mtime)
}

// Rename renames a file and replaces what has the new name. It is not synced.
func (f FS) Rename(old, new string) error {
	if taken, err := f.step("rename", old, new); taken || err != nil {
		return err
	}
	return os.Rename(old, new)
}

// Link gives a file a second name.
func (f FS) Link(old, new string) error {
	if taken, err := f.step("link", old, new); taken || err != nil {
		return err
	}
	return os.Link(old, new)
}

// MkdirDurable makes a directory if it is not there and syncs its parent. A name that is not a directory is an error. One that is there
// may be of a process that was killed before it synced: its name is not durable because it can be seen.
func (f FS) MkdirDurable(path string, perm fs.FileMode) error {
	if info, err := os.Lstat(path); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: path, Err: unix.ENOTDIR}
		}
		if err := f.SyncDir(filepath.Dir(path)); !errors.Is(err, fs.ErrPermission) { // a parent that cannot be read is not ours to make durable
			return err
		}
		return nil
	}
	if err := f.Mkdir(path, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return f.SyncDir(filepath.Dir(path))
}

// Remove removes one file or empty directory.
func (f FS) Remove(path string) error {
	if taken, err := f.step("remove", path, ""); taken || err != nil {
		return err
	}
	return os.Remove(path)
}

// RemoveAll removes a tree. It is not atomic.
func (f FS) RemoveAll(path string) error {
	if taken, err := f.step("removeall", path, ""); taken || err != nil {
		return err
	}
	return os.RemoveAll(path)
}

// RenameNoReplace is the function RenameNoReplace.
//
// After an error both names are looked at before it is believed: over a network a rename may have happened although its answer
// was lost.
func (f FS) RenameNoReplace(old, new string) error {
	if taken, err := f.step("rename", old, new); taken || err != nil {
		return err
	}
	was, err := os.Lstat(old)
	if err != nil {
		return err
	}
	err = unix.Renameat2(unix.AT_FDCWD, old, unix.AT_FDCWD, new, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = f.renameByLink(old, new, was.IsDir()) // NFS, and some user-space file systems
	}
	if err == nil || renamed(was, old, new) {
		return nil
	}
	if _, ok := errors.AsType[*os.LinkError](err); ok {
		return err
	}
	return &os.LinkError{Op: "rename", Old: old, New: new, Err: err}
}

// renamed says whether new is what old was, and old is gone.
func renamed(was fs.FileInfo, old, new string) bool {
	if _, err := os.Lstat(old); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	is, err := os.Lstat(new)
	return err == nil && os.SameFile(was, is)
}

// renameByLink takes the new name exclusively by other means: a link for a file, an empty directory for a directory, which a
// rename may replace.
func (f FS) renameByLink(old, new string, dir bool) error {
	if !dir {
		if err := f.Link(old, new); err != nil {
			return err
		}
		return f.Remove(old)
	}
	if err := f.Mkdir(new, 0o700); err != nil {
		return err
	}
	if err := unix.Rename(old, new); err != nil {
		_ = f.Remove(new) // only while it is empty
		return &os.LinkError{Op: "rename", Old: old, New: new, Err: err}
	}
	return nil
}
