package queue

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Times of the housekeeping.
const (
	tidyEvery  = time.Minute
	tidyDays   = 2               // date directories of failed/ that are looked at: retrying by hand is about recent failures
	replyFor   = time.Minute     // how long an answer to a request stands
	returnKeep = 5 * time.Minute // how long a job that was put back may be missing from the drop zone
)

// tidy keeps the queue's own records in step with what people did by hand. Nothing in it matters for any job's outcome.
func (s *Spool) tidy(now time.Time) {
	if s.checkTree() != nil {
		return
	}
	days, err := s.dates(DirFailed)
	if err != nil {
		return
	}
	for _, day := range days[:min(len(days), tidyDays)] {
		if err := s.tidyFailed(day); err != nil {
			s.log.Warn("tidying", "dir", s.path(DirFailed, day), "error", err)
		}
	}
	s.tidyReplies(now)
	s.tidyReturned(now)
	s.tidyPriorities()
	s.removeLeft()
}

// tidyFailed renames the error.json of an entry that somebody moved away to retry it: it no longer counts as a failure.
func (s *Spool) tidyFailed(day string) error {
	dir := s.path(DirFailed, day)
	there := map[string]bool{}
	err := eachName(dir, func(name string, _ byte) bool { there[name] = true; return true })
	if err != nil {
		return err
	}
	live := map[string]bool{} // between their commit and the move of their source
	for _, c := range s.Live() {
		if r := c.Record(); r.Terminal == DirFailed {
			live[r.FinalName] = true
		}
	}
	for name := range there {
		entry, ok := strings.CutSuffix(name, suffixError)
		if !ok || there[entry] || live[entry] || historyName(entry) || hidden(name) {
			continue
		}
		if exists(filepath.Join(dir, entry)) {
			continue
		}
		if err := s.archiveError(dir, entry); err != nil {
			return err
		}
	}
	return nil
}

// archiveError renames <entry>.error.json to <entry>.error.<n>.json, the history of a job that is tried again.
func (s *Spool) archiveError(dir, entry string) error {
	from := filepath.Join(dir, entry+suffixError)
	for n := 1; n < maxNumber; n++ {
		to := filepath.Join(dir, fmt.Sprintf("%s.error.%d.json", entry, n))
		if exists(to) {
			continue
		}
		return s.disk(s.fs.RenameNoReplace(from, to))
	}
	return fmt.Errorf("%w: %q and %d older ones", ErrExists, from, maxNumber)
}

// historyName says whether what is before .error.json is itself the name of a record.
func historyName(entry string) bool { return strings.HasSuffix(entry, suffixMeta) }

// tidyReplies removes answers that nobody waits for any more. One whose request is still there stays: it says that the request was done.
func (s *Spool) tidyReplies(now time.Time) {
	names, err := dirNames(s.own("replies"), maxRequests*2)
	if err != nil {
		return
	}
	for _, name := range names {
		path := s.own("replies", name)
		if st, err := lstat(path); err == nil && now.Sub(time.Unix(0, st.Ctim.Nano())) > replyFor && !exists(s.own("control", name)) {
			_ = s.fs.Remove(path)
		}
	}
}

// tidyReturned forgets jobs that were put back and then withdrawn by a person.
func (s *Spool) tidyReturned(now time.Time) {
	s.mu.Lock()
	returned := slices.Collect(maps.Values(s.returned))
	s.mu.Unlock()
	if len(returned) == 0 {
		return
	}
	there := map[uint64]bool{}
	if eachInode(s.path(DirQueued), func(ino uint64) { there[ino] = true }) != nil {
		return
	}
	for _, r := range returned {
		if there[r.Identity.Ino] || now.Sub(r.ClaimedAt) < returnKeep {
			continue
		}
		s.mu.Lock()
		_, still := s.returned[keyOf(r.Identity)]
		_, live := s.live[r.ID]
		if still && !live {
			delete(s.returned, keyOf(r.Identity))
		}
		s.mu.Unlock()
		if still && !live {
			if err := s.dropJob(r.ID); err != nil {
				s.log.Warn("tidying", "id", r.ID, "error", err)
			}
		}
	}
}
