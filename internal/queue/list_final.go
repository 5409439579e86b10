package queue

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"time"
)

// sortedDay is up to how many finished jobs of one day are read to put the newest first; on a busier day they come by name, so
// that the first ones can be shown at once.
const sortedDay = 5000

// eachFinal lists finished jobs day by day.
func (s *Spool) eachFinal(f Filter, yield emit) {
	days, err := s.finalDays(f)
	if err != nil {
		yield(Job{}, err)
		return
	}
	for _, day := range days {
		var all []finalName
		for _, terminal := range []string{DirDone, DirFailed} {
			state := Done
			if terminal == DirFailed {
				state = Failed
			}
			if !f.wants(state) {
				continue
			}
			entries, err := s.finalEntries(terminal, day)
			if err != nil {
				yield(Job{}, err)
				return
			}
			for _, e := range entries {
				all = append(all, finalName{terminal, day, e})
			}
		}
		if !s.eachOfDay(all, yield) {
			return
		}
	}
}

type finalName struct{ terminal, date, entry string }

func (s *Spool) eachOfDay(all []finalName, yield emit) bool {
	slices.SortFunc(all, func(a, b finalName) int { return cmp.Compare(a.entry, b.entry) })
	var jobs []Job
	for _, n := range all {
		j, err := s.finalJob(n.terminal, n.date, n.entry, false)
		if errors.Is(err, fs.ErrNotExist) {
			continue // retried or cleaned up meanwhile
		}
		if err != nil {
			j, err = Job{Name: n.entry, JobID: jobIDOf(n.entry), Date: n.date, State: Failed, Reason: err.Error(), Path: s.path(n.terminal, n.date, n.entry)}, nil
		}
		if len(all) <= sortedDay {
			jobs = append(jobs, j)
		} else if !yield(j, err) {
			return false
		}
	}
	slices.SortStableFunc(jobs, func(a, b Job) int { return b.finished().Compare(a.finished()) })
	for _, j := range jobs {
		if !yield(j, nil) {
			return false
		}
	}
	return true
}

func (j Job) finished() time.Time {
	if j.FinishedAt == nil {
		return time.Time{}
	}
	return *j.FinishedAt
}

// finalDays are the days that a filter wants, newest first.
func (s *Spool) finalDays(f Filter) ([]string, error) {
	switch {
	case f.Date != "":
		return []string{f.Date}, nil
	case !f.All:
		return []string{s.date(s.clock())}, nil
	}
	return s.allDays()
}

// allDays are all days on which a job ended, newest first.
func (s *Spool) allDays() ([]string, error) {
	done, err := s.dates(DirDone)
	if err != nil {
		return nil, err
	}
	failed, err := s.dates(DirFailed)
	if err != nil {
		return nil, err
	}
	days := slices.Concat(done, failed)
	slices.Sort(days)
	days = slices.Compact(days)
	slices.Reverse(days)
	return days, nil
}
