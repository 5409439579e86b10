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
)

// Find finds one job by id, entry name, original name, job_id or path. Of several with the same name the newest wins: one in the
// drop zone before a running one before finished ones, newest day first; but a running entry of this very name before one of the drop
// zone that only has the job_id. A job_id that two entries of the drop zone have is an ErrState. x.img never means an x~2.img in the
// drop zone, which may be somebody else's. A finished job comes with its whole record.
func (s *Spool) Find(ctx context.Context, key string) (Job, error) {
	if key == "" {
		return Job{}, fmt.Errorf("%w: no name given", ErrNotFound)
	}
	if strings.ContainsRune(key, '/') {
		return s.findPath(key)
	}
	records, err := s.liveRecords()
	if err != nil {
		return Job{}, err
	}
	if isID(key) {
		return s.findID(ctx, key)
	}
	if j, err := s.findQueued(key); !errors.Is(err, ErrNotFound) {
		return j, err
	}
	for _, r := range records {
		if key == r.Entry {
			return s.runningJob(r), nil
		}
	}
	if j, err := s.findQueuedID(key); !errors.Is(err, ErrNotFound) {
		return j, err
	}
	var best *Record
	for i, r := range records {
		if sameJob(key, r.Entry, r.OriginalName, r.JobID) {
			best = &records[i] // in the order of ids: the last is the newest
		}
	}
	if best != nil {
		return s.runningJob(*best), nil
	}
	return s.findFinal(ctx, "", func(entry string) bool {
		return sameJob(key, entry, unnumbered(entry), jobIDOf(unnumbered(entry))) || strings.HasPrefix(entry, "job-") // safeName
	}, func(j Job, _ finalFile) bool {
		return sameJob(key, j.Name, j.OriginalName, j.JobID)
	})
}

// sameJob says whether a person who types key means the job with these names.
func sameJob(key, entry, original, jobID string) bool {
	return key == entry || key == original || key == jobID || key == jobIDOf(entry)
}

// findQueued finds the entry of the drop zone with this very name.
func (s *Spool) findQueued(name string) (Job, error) {
	if hidden(name) || !exists(s.path(DirQueued, name)) {
		return Job{}, fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	held := s.heldByName()
	j, err := s.queuedJob(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Job{}, fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	j.State, j.Reason = queuedState(name, true, held)
	return j, err
}

// findQueuedID finds an entry of the drop zone by its job_id. Of several none is meant: to cancel either would be a guess.
func (s *Spool) findQueuedID(key string) (Job, error) {
	var found []string
	err := eachName(s.path(DirQueued), func(name string, _ byte) bool {
		if !hidden(name) && key == jobIDOf(name) {
			found = append(found, name)
		}
		return len(found) < maxMeant
	})
	if err != nil {
		return Job{}, err
	}
	if len(found) > 1 {
		held := s.heldByName()
		jobs := slices.DeleteFunc(slices.Clone(found), func(name string) bool {
			state, _ := queuedState(name, true, held)
			return state == Ignored
		})
		if len(jobs) > 0 {
			found = jobs
		}
	}
	switch len(found) {
	case 0:
		return Job{}, fmt.Errorf("%w: %q", ErrNotFound, key)
	case 1:
		return s.findQueued(found[0])
	}
	slices.Sort(found)
	return Job{}, fmt.Errorf("%w: %q may be %q or %q: give the whole name", ErrState, key, found[0], found[1])
}

// maxMeant is how many entries with one job_id are looked at.
const maxMeant = 100

// findID finds a job by its id, wherever it stands. The id says since when it can be there.
func (s *Spool) findID(ctx context.Context, id string) (Job, error) {
	r, err := s.readRecord(id)
	switch {
	case err == nil && r.Phase != PhaseReturned:
		return s.runningJob(r), nil
	case err == nil:
		return s.findReturned(r)
	}
	t, err := idTime(id)
	if err != nil {
		return Job{}, err
	}
	since := s.date(t.Add(-24 * time.Hour)) // the daemon's zone may be another
	return s.findFinal(ctx, since, func(string) bool { return true }, func(j Job, _ finalFile) bool { return j.ID == id })
}

// findReturned finds the entry of a job that went back to the drop zone: by what it is, because its name may have been taken meanwhile.
func (s *Spool) findReturned(r Record) (Job, error) {
	found := ""
	if st, err := lstat(s.path(DirQueued, r.original())); err == nil && st.Ino == r.Identity.Ino {
		found = r.original() // some file systems list other inodes than they show
	}
	err := eachEntry(s.path(DirQueued), func(name string, _ byte, ino uint64) bool {
		if found == "" && ino == r.Identity.Ino && !hidden(name) {
			found = name
		}
		return found == ""
	})
	if err != nil {
		return Job{}, err
	}
	if found == "" {
		return Job{}, fmt.Errorf("%w: %q", ErrNotFound, r.ID)
	}
	j, err := s.findQueued(found)
	j.ID = r.ID
	return j, err
}

// findFinal finds the newest finished job, not older than a day, whose name and record are right.
func (s *Spool) findFinal(ctx context.Context, since string, name func(entry string) bool, right func(Job, finalFile) bool) (Job, error) {
	days, err := s.allDays()
	if err != nil {
		return Job{}, err
	}
	for _, day := range days {
		if day < since {
			break
		}
		var best *Job
		for _, terminal := range []string{DirDone, DirFailed} {
			entries, err := s.finalEntries(terminal, day)
			if err != nil {
				return Job{}, err
			}
			for _, entry := range entries {
				if err := ctx.Err(); err != nil {
					return Job{}, err
				}
				if !name(entry) {
					continue
				}
				j, f, err := s.readFinal(terminal, day, entry, true)
				if err != nil || !right(j, f) || best != nil && !j.finished().After(best.finished()) {
					continue
				}
				best = &j
			}
		}
		if best != nil {
			return *best, nil
		}
	}
	return Job{}, ErrNotFound
}

// findPath finds a job by the path of its entry.
func (s *Spool) findPath(path string) (Job, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Job{}, err
	}
	rel, err := filepath.Rel(s.dir, abs)
	if err != nil {
		return Job{}, fmt.Errorf("%w: %q is not in %s", ErrNotFound, path, s.dir)
	}
	part := strings.Split(rel, string(filepath.Separator))
	switch {
	case len(part) == 2 && part[0] == DirQueued:
		return s.findQueued(part[1])
	case len(part) == 2 && part[0] == DirRunning:
		records, err := s.liveRecords()
		if err != nil {
			return Job{}, err
		}
		for _, r := range records {
			if r.Entry == part[1] {
				return s.runningJob(r), nil
			}
		}
	case len(part) == 3 && (part[0] == DirDone || part[0] == DirFailed):
		entry := strings.TrimSuffix(part[2], suffixOf(part[0]))
		j, err := s.finalJob(part[0], part[1], entry, true)
		if !errors.Is(err, fs.ErrNotExist) {
			return j, err
		}
	}
	return Job{}, fmt.Errorf("%w: %q", ErrNotFound, path)
}

// LogPath is where the log of a job is; the file is there once the job has written something. "" for a job that has not run.
func (s *Spool) LogPath(j Job) string { return j.LogPath }
