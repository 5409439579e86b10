package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"time"
)

// Times of following a job.
const (
	followPoll = 150 * time.Millisecond
	followGone = 3 * time.Second // how long a job may be nowhere to be seen: between two looks it may be renamed
	followDays = 2
)

// Follow yields a submitted job each time that something about it changes, until it has ended; the last one yielded is done or
// failed. The job is followed by device and inode until the claim gives it an id. An entry that somebody takes away ends in
// ErrNotFound.
func (s *Spool) Follow(ctx context.Context, sub Submitted) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		f := follower{s: s, sub: sub}
		last := Job{Name: sub.Name}
		var missing time.Time
		for {
			j, err := f.look(ctx)
			switch {
			case errors.Is(err, ErrNotFound):
				if missing.IsZero() {
					missing = time.Now()
				}
				if time.Since(missing) > followGone {
					yield(last, fmt.Errorf("%w: %q has been taken away", ErrNotFound, sub.Name))
					return
				}
			case err != nil:
				yield(last, err)
				return
			default:
				missing = time.Time{}
				if changedJob(last, j) {
					last = j
					if !yield(j, nil) || j.State == Done || j.State == Failed {
						return
					}
				}
			}
			if err := sleep(ctx, followPoll); err != nil {
				yield(last, err)
				return
			}
		}
	}
}

func changedJob(a, b Job) bool {
	p := func(j Job) time.Time {
		if j.Progress == nil {
			return time.Time{}
		}
		return j.Progress.At
	}
	return a.State != b.State || a.ID != b.ID || a.Name != b.Name || a.Reason != b.Reason || a.OutputDir != b.OutputDir || !p(a).Equal(p(b))
}

// follower remembers what it found, so that the next look is cheap.
type follower struct {
	s     *Spool
	sub   Submitted
	id    string
	entry string // in processing/, by which the finished job is looked for first
}

func (f *follower) look(ctx context.Context) (Job, error) {
	if f.id != "" {
		return f.byID(ctx)
	}
	if st, err := lstat(f.s.path(DirQueued, f.sub.Name)); err == nil && st.Ino == f.sub.Ino {
		j, err := f.s.findQueued(f.sub.Name)
		if err == nil {
			return j, nil
		}
	}
	records, err := f.s.liveRecords()
	if err != nil {
		return Job{}, err
	}
	for _, r := range records {
		if r.Identity.Ino == f.sub.Ino || slices.Contains(r.Members, f.sub.Name) && f.isMember(r) {
			f.id, f.entry = r.ID, r.Entry
			return f.s.runningJob(r), nil
		}
	}
	j, err := f.s.findFinal(ctx, f.since(), func(string) bool { return true }, func(j Job, ff finalFile) bool {
		return ff.Source.Identity.Ino == f.sub.Ino && ff.Source.Identity.Dev == f.sub.Dev || slices.Contains(ff.Members, f.sub.Name) && f.isAt(j.Path, f.sub.Name)
	})
	if err == nil {
		return j, nil
	}
	return f.renamed(err)
}

func (f *follower) since() string {
	return f.s.date(f.s.clock().Add(-followDays * 24 * time.Hour))
}

func (f *follower) isMember(r Record) bool {
	return f.isAt(f.s.path(DirRunning, r.Entry), f.sub.Name)
}

// isAt says whether the submitted file stands in the directory of a job.
func (f *follower) isAt(dir, name string) bool {
	st, err := lstat(filepath.Join(dir, name))
	return err == nil && st.Ino == f.sub.Ino
}

// renamed finds an entry that stands in the drop zone under another name: a job put it back where its name was taken.
func (f *follower) renamed(otherwise error) (Job, error) {
	var found string
	err := eachEntry(f.s.path(DirQueued), func(name string, _ byte, ino uint64) bool {
		if ino == f.sub.Ino && !hidden(name) {
			found = name
		}
		return found == ""
	})
	if err != nil || found == "" {
		return Job{}, errors.Join(otherwise, err)
	}
	f.sub.Name = found
	return f.s.findQueued(found)
}

func (f *follower) byID(ctx context.Context) (Job, error) {
	r, err := f.s.readRecord(f.id)
	switch {
	case err == nil && r.Phase != PhaseReturned:
		f.entry = r.Entry
		return f.s.runningJob(r), nil
	case err == nil:
		f.id = "" // it may be claimed as a part of something else
		return f.look(ctx)
	case !errors.Is(err, fs.ErrNotExist):
		return Job{}, err
	}
	j, err := f.s.findFinal(ctx, f.since(), func(entry string) bool { return unnumbered(entry) == unnumbered(f.entry) },
		func(j Job, _ finalFile) bool { return j.ID == f.id })
	if errors.Is(err, ErrNotFound) {
		return f.s.findID(ctx, f.id)
	}
	return j, err
}
