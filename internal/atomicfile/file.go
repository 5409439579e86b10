// Package atomicfile writes files that are there whole or not at all: write, sync, rename, sync, once for all.
//
// Durable means that the bytes and the name outlive a power cut when the call has returned nil. A sync that fails is never
// tried again, because the kernel has dropped the data by then and the next sync reports success: the temporary file is
// removed and the caller decides.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrExist says that the name is taken by somebody else. errors.Is(err, fs.ErrExist) holds too.
var ErrExist = fs.ErrExist

// ErrSync says that data could not be made durable; the cause is wrapped too.
var ErrSync = errors.New("data could not be synced")

// ErrTaken is what FS.Before answers to take a step itself: the step is left out and counts as done. Tests seed mistakes by it.
var ErrTaken = errors.New("step taken elsewhere")

// Step is one thing that is about to change the disk.
type Step struct {
	Op   string // create, write, sync, rename, link, remove, removeall, mkdir, chmod, chtimes, syncdir
	Path string // what is changed
	To   string // the new name of a rename or link
}

// FS does the operations of this package. The zero value is ready to use.
type FS struct {
	// Before, when set, sees every step first and stops it by an error, or by ErrTaken leaves it out. It is how a crash, a full disk or
	// a forgotten sync is rehearsed at each point of a protocol.
	Before func(Step) error
}

// step asks Before about a step, and says whether the step has been taken already.
func (f FS) step(op, path, to string) (taken bool, err error) {
	if f.Before == nil {
		return false, nil
	}
	err = f.Before(Step{Op: op, Path: path, To: to})
	if errors.Is(err, ErrTaken) {
		return true, nil
	}
	return false, err
}

// Write replaces path by b durably: a temporary file beside it, synced, renamed over it, the directory synced.
func Write(path string, b []byte, perm fs.FileMode) error { return FS{}.Write(path, b, perm) }

// WriteFast replaces path by b so that a reader sees the old or the new content, never a part. It does not sync: after a power
// cut the file may be old, empty or missing.
func WriteFast(path string, b []byte, perm fs.FileMode) error { return FS{}.WriteFast(path, b, perm) }

// Publish makes dir/name with the content b durably, and only if the name is free; a taken name is ErrExist. The temporary
// file is made in tmpdir, which must be on the same file system.
func Publish(dir, name string, b []byte, tmpdir string, perm fs.FileMode) error {
	return FS{}.Publish(dir, name, b, tmpdir, perm)
}

// Write is the function Write.
func (f FS) Write(path string, b []byte, perm fs.FileMode) error {
	tmp, err := f.temp(filepath.Dir(path), b, perm, true)
	if err != nil {
		return err
	}
	if err := f.replace(tmp, path); err != nil {
		return err
	}
	return f.SyncDir(filepath.Dir(path))
}

// WriteFast is the function WriteFast.
func (f FS) WriteFast(path string, b []byte, perm fs.FileMode) error {
	tmp, err := f.temp(filepath.Dir(path), b, perm, false)
	if err != nil {
		return err
	}
	return f.replace(tmp, path)
}

// Publish is the function Publish.
func (f FS) Publish(dir, name string, b []byte, tmpdir string, perm fs.FileMode) error {
	tmp, err := f.temp(tmpdir, b, perm, true)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	if err := f.RenameNoReplace(tmp, path); err != nil {
		f.discard(tmp)
		return err
	}
	return f.SyncDir(dir)
}

func (f FS) replace(tmp, path string) error {
	err := f.Rename(tmp, path)
	if err != nil {
		f.discard(tmp)
	}
	return err
}

// temp writes b to a new hidden file in dir and says its name.
func (f FS) temp(dir string, b []byte, perm fs.FileMode, durable bool) (name string, err error) {
	name = filepath.Join(dir, ".tmp-"+rand.Text())
	file, err := f.Create(name, perm)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			f.discard(name)
		}
	}()
	err = f.fill(file, b, durable)
	return name, errors.Join(err, file.Close())
}

// Create makes a new file with exactly this mode, whatever the umask says, and opens it for writing. A taken name is ErrExist.
func (f FS) Create(path string, perm fs.FileMode) (*os.File, error) {
	if _, err := f.step("create", path, ""); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	taken, err := f.step("chmod", path, "")
	if err == nil && !taken {
		err = file.Chmod(perm)
	}
	if err != nil {
		_ = file.Close() // nothing was written
		f.discard(path)
		return nil, err
	}
	return file, nil
}

func (f FS) fill(file *os.File, b []byte, durable bool) error {
	if taken, err := f.step("write", file.Name(), ""); taken || err != nil {
		return err
	}
	if _, err := file.Write(b); err != nil {
		return err
	}
	if !durable {
		return nil
	}
	return f.sync(file)
}

func (f FS) sync(file *os.File) error {
	taken, err := f.step("sync", file.Name(), "")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSync, err)
	}
	if taken {
		return nil
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("%w: %w", ErrSync, err)
	}
	return nil
}

// discard removes what was not published. Its own failure leaves a hidden file behind and nothing worse.
func (f FS) discard(name string) {
	if taken, err := f.step("remove", name, ""); !taken && err == nil {
		_ = os.Remove(name)
	}
}
