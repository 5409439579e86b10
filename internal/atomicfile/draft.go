package atomicfile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Draft is a file that gets its name when it is whole. Where the file system can, it has none before, and nothing is left of it
// when the program is killed.
type Draft struct {
	*os.File        // for reading and writing
	path     string // by which it can be opened once more
	name     string // of a file that had to have one, until it is published
}

// NewDraft makes a draft in a directory, with these permissions less the umask. prefix is how its name begins where it must have one.
// Close ends it, and removes what was not published.
func NewDraft(dir, prefix string, perm fs.FileMode) (*Draft, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, uint32(perm.Perm()))
	switch {
	case err == nil:
		d := &Draft{File: os.NewFile(uintptr(fd), dir), path: "/proc/self/fd/" + strconv.Itoa(fd)}
		if _, err := os.Stat(d.path); err == nil { // else there is no /proc, and no way to name it
			return d, nil
		}
		_ = d.File.Close() // nothing is in it
	case !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EINVAL):
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return namedDraft(dir, prefix, perm)
}

// namedDraft makes one that has a name, for file systems that want one (NFS, some overlays).
func namedDraft(dir, prefix string, perm fs.FileMode) (*Draft, error) {
	name := filepath.Join(dir, prefix+rand.Text()+".partial")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	return &Draft{File: f, path: name, name: name}, nil
}

// Reopen opens the draft for reading, with a position of its own.
func (d *Draft) Reopen() (*os.File, error) { return os.Open(d.path) }

// Publish gives the draft a name on its file system, durably if its content was synced. A name that is taken is fs.ErrExist.
func (d *Draft) Publish(path string) error {
	if d.name != "" {
		if err := RenameNoReplace(d.name, path); err != nil {
			return err
		}
		d.name = ""
	} else if err := unix.Linkat(unix.AT_FDCWD, d.path, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW); err != nil {
		return &os.LinkError{Op: "link", Old: filepath.Dir(path), New: path, Err: err}
	}
	return SyncDir(filepath.Dir(path))
}

// Close closes the file. A draft that was not published is gone then; if its name stays behind the error says so.
func (d *Draft) Close() error {
	err := d.File.Close()
	if d.name != "" {
		err = errors.Join(err, os.Remove(d.name))
		d.name = ""
	}
	return err
}
