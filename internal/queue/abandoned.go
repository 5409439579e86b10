package queue

import (
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// abandonedAfter is how long nothing in a submission may have changed before it can be taken for abandoned. A client that lives holds
// its lock; the time is for those on file systems without locks.
const abandonedAfter = time.Hour

// maxAbandoned is how many submissions are looked at in one go.
const maxAbandoned = 100

// holdSubmission locks what a client has begun to build under a hidden name, for as long as the client lives or until the file is
// closed. It is nil where the file system has no locks: nothing is ever taken for abandoned there.
func holdSubmission(path string) *os.File {
	f, err := lockSubmission(path)
	if err != nil {
		return nil
	}
	return f
}

// lockSubmission takes the lock of a submission that nobody else holds.
func lockSubmission(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // it was only to be locked
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, nil
}

// tidySubmissions removes what clients that were killed had begun to build in the drop zone.
func (s *Spool) tidySubmissions(names []string, now time.Time) {
	for _, name := range names {
		path := s.path(DirQueued, name)
		if !s.abandoned(path, now) {
			continue
		}
		f, err := lockSubmission(path)
		if err != nil {
			continue // its client lives, or nobody can tell
		}
		err = s.fs.RemoveAll(path)
		_ = f.Close() // the lock is of no use any more
		if err != nil {
			s.log.Warn("tidying", "file", path, "error", err)
			continue
		}
		s.log.Info("removed what a client had begun to submit that is gone", "name", name)
	}
}

// abandoned tells whether nothing in a submission has changed for long.
func (s *Spool) abandoned(path string, now time.Time) bool {
	old := true
	seen := 0
	err := filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := lstat(path)
		if err != nil {
			return err
		}
		seen++
		plain := d.IsDir() || d.Type().IsRegular()
		if !plain || seen > MaxFolderFiles || now.Sub(time.Unix(0, st.Ctim.Nano())) < abandonedAfter {
			old = false
			return fs.SkipAll
		}
		return nil
	})
	return err == nil && old
}
