package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Retention says which finished jobs have had their time. A zero field switches its rule off; the zero Retention removes nothing.
type Retention struct {
	Age     time.Duration // sources of jobs that ended longer ago go
	Count   int           // of the sources that are left, only the newest so many stay
	Free    int64         // bytes: while the file system has less free, the oldest sources go, but none younger than FreeGrace
	Records time.Duration // records whose source is gone, and their logs, go this long after the end of their day
	Failed  bool          // the same in failed/; a failed job goes whole, because a record alone is one that was retried by hand
}

// FreeGrace is how long a person has to look at a finished job, however little space there is.
const FreeGrace = 24 * time.Hour

// The kinds of things that Prune removes.
const (
	PrunedSource = "source" // of a job whose record stays
	PrunedJob    = "job"    // a failed job: source, record and log
	PrunedRecord = "record" // and its log
)

// Pruned is one thing that Prune removed.
type Pruned struct {
	What  string
	ID    string
	Path  string // absolute, of the entry or the record
	Bytes int64  // as its record says
	Why   string
}

// Prune removes what has had its time and tells each thing to removed. It touches nothing but jobs that have ended: an entry
// without its record, one that is still being moved, and what people put beside them stay. An entry disappears by one
// rename, so that no half of one is ever seen. Only the daemon may prune. What cannot be removed is logged and left.
func (s *Spool) Prune(ctx context.Context, r Retention, removed func(Pruned)) error {
	if s.lock == nil {
		return fmt.Errorf("%w: only the daemon removes jobs", ErrState)
	}
	if err := s.Trouble(); errors.Is(err, ErrIO) { // a full disk is no reason to keep what has had its time
		return err
	}
	if r.Age > 0 || r.Count > 0 || r.Free > 0 {
		if err := s.pruneSources(ctx, r, removed); err != nil {
			return err
		}
	}
	if r.Records > 0 {
		return s.pruneRecords(ctx, r, removed)
	}
	return nil
}

// finishedEntry is a job that ended and whose source is still there.
type finishedEntry struct {
	terminal, date, entry, id string
	at                        time.Time
	bytes                     int64
}

// terminals are the directories that a retention reaches.
func (r Retention) terminals() []string {
	if r.Failed {
		return []string{DirDone, DirFailed}
	}
	return []string{DirDone}
}

func (s *Spool) pruneSources(ctx context.Context, r Retention, removed func(Pruned)) error {
	all, err := s.finished(ctx, r.terminals())
	if err != nil {
		return err
	}
	now := s.clock()
	for i, f := range all { // oldest first
		if err := ctx.Err(); err != nil {
			return err
		}
		why := ""
		switch {
		case r.Age > 0 && now.Sub(f.at) > r.Age:
			why = fmt.Sprintf("ended more than %s ago", r.Age)
		case r.Count > 0 && len(all)-i > r.Count:
			why = fmt.Sprintf("is not one of the newest %d", r.Count)
		case r.Free > 0 && now.Sub(f.at) > FreeGrace:
			free, err := s.freeBytes()
			if err != nil {
				return err
			}
			if free < r.Free {
				why = fmt.Sprintf("%d bytes are free, %d are wanted", free, r.Free)
			}
		}
		if why == "" {
			continue
		}
		switch done, err := s.removeFinished(f); {
		case errors.Is(err, ErrLayout) || errors.Is(err, ErrIO):
			return err
		case err != nil:
			s.log.Warn("a finished job cannot be removed", "id", f.id, "path", s.path(f.terminal, f.date, f.entry), "error", err)
		case done:
			what := PrunedSource
			if f.terminal == DirFailed {
				what = PrunedJob
			}
			removed(Pruned{What: what, ID: f.id, Path: s.path(f.terminal, f.date, f.entry), Bytes: f.bytes, Why: why})
		}
	}
	return nil
}

// freeBytes is what the file system of the workflow directory has for the daemon.
func (s *Spool) freeBytes() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return 0, layoutError(&fs.PathError{Op: "statfs", Path: s.dir, Err: err})
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// finished lists the ended jobs whose sources are there, oldest first. What has no record that says when it ended is not listed.
func (s *Spool) finished(ctx context.Context, terminals []string) ([]finishedEntry, error) {
	var all []finishedEntry
	for _, terminal := range terminals {
		days, err := s.realDays(terminal)
		if err != nil {
			return nil, err
		}
		for _, day := range days {
			there, err := namesOf(s.path(terminal, day))
			if err != nil {
				return nil, layoutError(err)
			}
			for name := range there {
				entry, ok := strings.CutSuffix(name, suffixOf(terminal))
				if !ok || hidden(entry) || !there[entry] {
					continue
				}
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				if st, err := lstat(s.path(terminal, day, entry)); err != nil || !isPlain(st.Mode) {
					continue
				}
				j, err := s.finalJob(terminal, day, entry, false)
				if err != nil || !isID(j.ID) || j.FinishedAt == nil {
					continue
				}
				all = append(all, finishedEntry{terminal, day, entry, j.ID, *j.FinishedAt, j.Size})
			}
		}
	}
	slices.SortFunc(all, func(a, b finishedEntry) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.id, b.id)
	})
	return all, nil
}

// realDays are the date directories themselves; what a link leads to is somebody else's.
func (s *Spool) realDays(terminal string) ([]string, error) {
	days, err := s.dates(terminal)
	if err != nil {
		return nil, layoutError(err)
	}
	return slices.DeleteFunc(days, func(day string) bool {
		_, err := nodeOf(s.path(terminal, day))
		return err != nil
	}), nil
}

// namesOf is the names in a directory; none when it is not there.
func namesOf(dir string) (map[string]bool, error) {
	there := map[string]bool{}
	err := eachName(dir, func(name string, _ byte) bool { there[name] = true; return true })
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		err = nil
	}
	return there, err
}

// removeFinished removes a source, in failed/ with its record and log. It says false when there is nothing to remove any more.
// Away under another name first, durably, so that no power cut leaves half of a source where a whole one was.
func (s *Spool) removeFinished(f finishedEntry) (bool, error) {
	if s.isLive(f.id) {
		return false, nil
	}
	if err := s.checkTree(); err != nil {
		return false, err
	}
	dir := s.path(f.terminal, f.date)
	path, gone := filepath.Join(dir, f.entry), s.own("tmp", "pruned-"+f.id)
	if err := mayRemove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	if err := s.fs.RenameNoReplace(path, gone); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil // retried or moved away meanwhile
		}
		return false, s.disk(err)
	}
	for _, d := range []string{s.own("tmp"), dir} {
		if err := s.fs.SyncDir(d); err != nil {
			return false, s.disk(err)
		}
	}
	if f.terminal == DirFailed {
		if err := s.removeRecord(filepath.Join(dir, f.entry+suffixError), f.date, f.id); err != nil {
			return false, err
		}
	}
	if err := s.fs.RemoveAll(gone); err != nil {
		return false, s.disk(err)
	}
	s.dropEmptyDay(f.terminal, f.date)
	return true, nil
}

// mayRemove says whether everything in a source can be removed by this process: what is found out halfway would leave a part that
// nobody can use, and that the next start stumbles over.
func mayRemove(path string) error {
	return filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		}
		if err := unix.Faccessat(unix.AT_FDCWD, p, unix.R_OK|unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
			return fmt.Errorf("%w: the directory %q is not writable: %w", ErrDenied, p, err)
		}
		return nil
	})
}
