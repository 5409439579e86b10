package queue

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Filter chooses jobs to list. The zero value is what stands in the queue and runs, and what ended today.
type Filter struct {
	States []State // none = all
	Date   string  // finished jobs of this day only, YYYY-MM-DD
	All    bool    // finished jobs of all days
	Limit  int     // 0 = no limit
	Name   string  // only names (or ids) that contain this

	NamesOnly bool // jobs in the queue have their names and states only: nothing but the directory is read
}

func (f Filter) wants(states ...State) bool {
	return len(f.States) == 0 || slices.ContainsFunc(states, func(s State) bool { return slices.Contains(f.States, s) })
}

func (f Filter) matches(j Job) bool {
	return f.wants(j.State) && (f.Name == "" || strings.Contains(j.Name, f.Name) || strings.Contains(j.OriginalName, f.Name) || strings.Contains(j.ID, f.Name))
}

// Jobs lists jobs while it reads: running ones, then the drop zone by name, then the finished ones, newest day first. Nothing is
// looked at beyond its name that is not yielded. An error ends the listing.
func (s *Spool) Jobs(ctx context.Context, f Filter) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		left := f.Limit
		emit := func(j Job, err error) bool {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(Job{}, err)
				return false
			}
			if !f.matches(j) {
				return true
			}
			left--
			return yield(j, nil) && left != 0
		}
		if f.wants(Running) && !s.eachRunning(emit) {
			return
		}
		if f.wants(Queued, Waiting, Ignored) && !s.eachQueued(f, emit) {
			return
		}
		if f.wants(Done, Failed) {
			s.eachFinal(f, emit)
		}
	}
}

type emit func(Job, error) bool

func (s *Spool) eachRunning(yield emit) bool {
	records, err := s.liveRecords()
	if err != nil {
		return yield(Job{}, err)
	}
	for _, r := range slices.Backward(records) {
		if !yield(s.runningJob(r), nil) {
			return false
		}
	}
	return true
}

// Count counts the jobs in each state by their names alone. What waits and what is ignored is known from the daemon's last
// heartbeat; without a living daemon all entries count as queued that could be jobs.
func (s *Spool) Count(ctx context.Context) (Counts, error) {
	var c Counts
	err := eachName(s.path(DirQueued), func(name string, dtype byte) bool {
		switch {
		case hidden(name):
		case ignoredName(name) != "" || dtype != unix.DT_REG && dtype != unix.DT_DIR && dtype != unix.DT_UNKNOWN:
			c.Ignored++
		default:
			c.Queued++
		}
		return true
	})
	if err != nil {
		return Counts{}, err
	}
	if st, live, err := s.Status(); err == nil && (live == LiveRunning || live == LiveHung) {
		all := c.Queued + c.Ignored
		c.Ignored = min(st.Counts.Ignored, all)
		c.Waiting = min(st.Counts.Waiting, all-c.Ignored)
		c.Queued = all - c.Ignored - c.Waiting
	}
	err = eachName(s.path(DirRunning), func(name string, _ byte) bool {
		if !hidden(name) {
			c.Running++
		}
		return true
	})
	if err != nil {
		return Counts{}, err
	}
	today := s.date(s.clock())
	done, err := s.finalEntries(DirDone, today)
	if err != nil {
		return Counts{}, err
	}
	failed, err := s.finalEntries(DirFailed, today)
	c.DoneToday, c.FailedToday = len(done), len(failed)
	return c, errors.Join(err, ctx.Err())
}
