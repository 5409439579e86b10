// Package scratch holds directories for temporary files that do not outlive the program that made them: it locks each for as long as it
// lives, and removes those that a program which was killed has left.
package scratch

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// youngest is how old a directory must be to be taken for a leftover: one that is just being made has no lock yet.
const youngest = time.Minute

// New makes a directory among the host's temporary files, named by the prefix, and locks it. remove takes it away with all that is in it
// and must be called once.
func New(prefix string) (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp("", prefix)
	if err != nil {
		return "", nil, err
	}
	f, err := lock(dir)
	if err != nil {
		_ = os.Remove(dir) // nothing is in it
		return "", nil, err
	}
	return dir, func() error { return errors.Join(os.RemoveAll(dir), f.Close()) }, nil
}

// lock locks a directory that nobody else has locked. The lock ends with the program, and is not inherited by what it starts.
func lock(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = unix.Close(fd) // it was only to be locked
		return nil, &os.PathError{Op: "lock", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// Sweep removes the directories in temp that New made with a prefix for this user and that no living program has locked.
func Sweep(temp, prefix string, now time.Time) {
	for _, dir := range Leftovers(temp, prefix+"*", now) {
		if f, err := lock(dir); err == nil {
			_ = os.RemoveAll(dir) // what cannot be removed now is found again
			_ = f.Close()
		}
	}
}

// Leftovers lists the directories in temp that are this user's, match a pattern of filepath.Match and were not made just now.
func Leftovers(temp, pattern string, now time.Time) []string {
	dirs, _ := filepath.Glob(filepath.Join(temp, pattern)) // the patterns are right
	return slices.DeleteFunc(dirs, func(dir string) bool {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < youngest {
			return true
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		return !ok || int(st.Uid) != os.Geteuid()
	})
}
