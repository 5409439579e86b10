package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Retry puts a failed job back into the drop zone, from the start and under its first name where that is free, and says under
// which. Its error.json is kept as <name>.error.<n>.json. ErrState when the job has not failed, or its source is not there any
// more. Who may not write in failed/ asks the daemon instead, with VerbRetry.
func (s *Spool) Retry(ctx context.Context, j Job) (name string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if j.State != Failed || checkOwnName(j.Name) != nil || !isDate(j.Date) {
		return "", fmt.Errorf("%w: %q has not failed", ErrState, j.Name)
	}
	if s.lock != nil {
		if err := s.checkTree(); err != nil {
			return "", err
		}
	}
	dir := s.path(DirFailed, j.Date)
	from := filepath.Join(dir, j.Name)
	if !exists(from) {
		return "", fmt.Errorf("%w: the source of %q is not in %s any more", ErrState, j.Name, dir)
	}
	name = j.Name
	if unnumbered(j.Name) == j.OriginalName { // ~2 was ours
		name = j.OriginalName
	}
	if err := s.keepSubmitter(from, j); err != nil {
		return "", err
	}
	if err := s.keepItsPriority(from, j); err != nil {
		return "", err
	}
	if l, err := lookAt(dir, j.Name); err == nil {
		s.traffic.retry(keyOf(l.id)) // before it can be claimed
	}
	name, err = s.intoQueue(from, name)
	if err != nil {
		return "", err
	}
	for _, d := range []string{s.path(DirQueued), dir} {
		if err := s.fs.SyncDir(d); err != nil {
			return name, s.disk(err)
		}
	}
	if err := s.archiveError(dir, j.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return name, err
	}
	s.mu.Lock()
	hint := s.hint
	s.mu.Unlock()
	hint(name)
	return name, nil
}

// keepSubmitter remembers for whom a job of several files was that the daemon owns, because the claim made its directory: tried
// again, it is trusted no more than before, and still its submitter's. The owner of a single file says that by himself.
func (s *Spool) keepSubmitter(path string, j Job) error {
	own, err := lstat(s.own())
	if err != nil {
		return layoutError(err)
	}
	l, err := lookAt(filepath.Dir(path), filepath.Base(path))
	if err != nil || !l.dir || j.Submitter == nil || l.id.UID != own.Uid || *j.Submitter == l.id.UID {
		return nil //nolint:nilerror // what cannot be looked at says so in the drop zone
	}
	return s.writeOrigin(l.id, *j.Submitter, "")
}

// keepItsPriority gives a job that is tried again the priority that it had. A client may not: its job is a normal one then.
func (s *Spool) keepItsPriority(path string, j Job) error {
	if s.lock == nil || j.Priority == 0 {
		return nil
	}
	l, err := lookAt(filepath.Dir(path), filepath.Base(path))
	if err != nil {
		return nil //nolint:nilerror // what cannot be looked at says so in the drop zone
	}
	return s.keepPriority(l.id, j.Priority)
}
