package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockRetry is how often a lock that others hold is tried again.
const lockRetry = 50 * time.Millisecond

// lockHolder is what the daemon writes into the lock file, for people only; the lock itself is the truth.
type lockHolder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

func (s *Spool) lockPath() string { return s.own("lock") }

// The lock file has two locks, each on a byte of its own and each held by an open file. The daemon's is never inherited: it is
// free as soon as the daemon is dead, which is what clients ask. The other is inherited by every child: a new daemon waits until
// the last child of a killed one has ended.
const (
	daemonByte   = 0
	childrenByte = 1
)

// dyingWait is for a daemon that was killed a moment ago and is not quite gone.
const dyingWait = time.Second

// takeLock takes both locks of .hyper2kvm/lock. Another daemon is refused soon; children that outlived a killed one are waited
// for.
func (s *Spool) takeLock(wait time.Duration) error {
	own, err := s.lockByte(daemonByte, min(wait, dyingWait))
	if err != nil {
		return err
	}
	f, err := s.lockByte(childrenByte, wait)
	if err != nil {
		own.Close()
		return err
	}
	s.daemonLock = own
	host, _ := os.Hostname()
	b, err := json.Marshal(lockHolder{PID: os.Getpid(), Host: host, Since: s.clock()})
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(b, 0)
	}
	if err != nil && s.disk(err) != nil { // a full disk does not stop a daemon that may have to make room
		s.log.Warn("the lock file does not say who holds it", "error", err)
	}
	s.lock = f
	return nil
}

// lockByte opens the lock file and write-locks one byte of it.
func (s *Spool) lockByte(at int64, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(s.lockPath(), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, modeFile)
	if err != nil {
		return nil, layoutError(err)
	}
	deadline := time.Now().Add(wait)
	for {
		err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1})
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
			_ = f.Close()
			return nil, fmt.Errorf("%w: locks do not work on %s: %w", ErrLayout, s.lockPath(), err)
		}
		if !time.Now().Before(deadline) {
			err := lockedError(s.lockPath())
			_ = f.Close()
			return nil, err
		}
		time.Sleep(lockRetry)
	}
}

func lockedError(path string) error {
	var h lockHolder
	if err := readJSON(path, &h); err != nil || h.PID == 0 {
		return fmt.Errorf("%w (%s)", ErrLocked, path)
	}
	return fmt.Errorf("%w: process %d on %q since %s, or a job that it started (%s)", ErrLocked, h.PID, h.Host, h.Since.Format(time.RFC3339), path)
}

// locked says whether a daemon holds its lock, without taking anything.
func (s *Spool) locked() (bool, error) {
	f, err := os.OpenFile(s.lockPath(), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	lk := unix.Flock_t{Type: unix.F_WRLCK, Start: daemonByte, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lk); err != nil {
		return false, fmt.Errorf("%s: %w", s.lockPath(), err)
	}
	return lk.Type != unix.F_UNLCK, nil
}

// sleep waits, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
