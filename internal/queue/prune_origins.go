package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// originKeep is how long an origin stands whatever is there: it is written before what it is about comes into the drop zone.
const originKeep = time.Hour

// PruneOrigins removes the notes on for whom parts of batches and retried folders were made, once these are nowhere in the tree any
// more. While an entry is in failed/ or processed/ it may come back, and its note stays. It says how many went.
func (s *Spool) PruneOrigins(ctx context.Context) (int, error) {
	if s.lock == nil {
		return 0, fmt.Errorf("%w: only the daemon removes records", ErrState)
	}
	if err := s.checkTree(); err != nil {
		return 0, err
	}
	old := map[uint64]bool{}
	err := eachName(s.own("origins"), func(name string, _ byte) bool {
		stem, ok := strings.CutSuffix(name, ".json")
		ino, err := strconv.ParseUint(stem, 10, 64)
		if !ok || err != nil {
			return true
		}
		if st, err := lstat(s.originPath(ino)); err == nil && s.clock().Sub(time.Unix(0, st.Mtim.Nano())) > originKeep {
			old[ino] = true
		}
		return true
	})
	if err != nil {
		return 0, layoutError(err)
	}
	if len(old) == 0 {
		return 0, nil
	}
	if err := s.keepInUse(ctx, old); err != nil {
		return 0, err
	}
	gone := 0
	for ino := range old {
		if err := s.fs.Remove(s.originPath(ino)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return gone, s.disk(err)
		}
		gone++
	}
	return gone, nil
}

// keepInUse takes the inodes off the list that something in the tree has. It reads from the drop zone on, in the direction in which
// entries go: what moves on meanwhile is met again.
func (s *Spool) keepInUse(ctx context.Context, inodes map[uint64]bool) error {
	dirs := []string{s.path(DirQueued)}
	jobs, err := namesOf(s.own("jobs"))
	if err != nil {
		return layoutError(err)
	}
	for id := range jobs {
		dirs = append(dirs, s.jobPath(id, "parts"))
	}
	dirs = append(dirs, s.path(DirRunning))
	for _, terminal := range []string{DirDone, DirFailed} {
		days, err := s.dates(terminal)
		if err != nil {
			return layoutError(err)
		}
		for _, day := range days {
			dirs = append(dirs, s.path(terminal, day))
		}
	}
	dirs = append(dirs, s.path(DirQueued)) // what was put back meanwhile
	for _, dir := range dirs {
		if len(inodes) == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		err := eachEntry(dir, func(name string, dtype byte, ino uint64) bool {
			delete(inodes, ino)
			if strings.HasSuffix(name, suffixJob) && (dtype == unix.DT_DIR || dtype == unix.DT_UNKNOWN) {
				// Loose files that were put together keep their notes. One that is gone by now was seen where it went, or will be.
				_ = eachInode(filepath.Join(dir, name), func(ino uint64) { delete(inodes, ino) })
			}
			return true
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			return layoutError(err)
		}
	}
	return nil
}
