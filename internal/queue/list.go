package queue

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// sortedDay is up to how many finished jobs of one day are read to put the newest first; on a busier day they come by name, so
// that the first ones can be shown at once.
const sortedDay = 5000

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

// queuedName is an entry of the drop zone of which only the directory was read.
type queuedName struct {
	name  string
	plain bool // a file or a folder, as far as the directory says
}

// Entries are looked at while those before them are shown: looksAtOnce by each of a few goroutines.
const (
	looksAtOnce = 256
	looksAhead  = 2
)

// eachQueued lists the drop zone. Why an entry waits is known to the daemon only.
func (s *Spool) eachQueued(f Filter, yield emit) bool {
	held := s.heldByName()
	var names []queuedName
	err := eachName(s.path(DirQueued), func(n string, dtype byte) bool {
		if !hidden(n) && (f.Name == "" || strings.Contains(n, f.Name)) {
			names = append(names, queuedName{n, dtype == unix.DT_REG || dtype == unix.DT_DIR || dtype == unix.DT_UNKNOWN})
		}
		return true
	})
	if err != nil {
		return yield(Job{}, err)
	}
	slices.SortFunc(names, func(a, b queuedName) int { return cmp.Compare(a.name, b.name) })
	drop, err := s.openDropZone()
	if err != nil {
		return yield(Job{}, err)
	}
	stop, order := make(chan struct{}), make(chan chan *[]queuedLook, looksAhead)
	spare := sync.Pool{New: func() any { s := make([]queuedLook, 0, looksAtOnce); return &s }}
	var looks sync.WaitGroup
	looks.Go(func() {
		defer close(order)
		for part := range slices.Chunk(names, looksAtOnce) {
			looked := make(chan *[]queuedLook, 1)
			select {
			case order <- looked:
				looks.Go(func() {
					into := spare.Get().(*[]queuedLook)
					*into = drop.lookAt((*into)[:0], part, f, held)
					looked <- into
				})
			case <-stop:
				return
			}
		}
	})
	defer func() {
		close(stop)
		looks.Wait()
		drop.close()
	}()
	for looked := range order {
		part := <-looked
		for _, l := range *part {
			if !yield(l.job, l.err) {
				return false
			}
		}
		spare.Put(part)
	}
	return true
}

// queuedLook is what a look at an entry of the drop zone gave.
type queuedLook struct {
	job Job
	err error
}

// dropZone is to_be_processed/, open: entries are looked at by their names in it, which spares the walk along its path.
type dropZone struct {
	dir string
	fd  int
}

func (s *Spool) openDropZone() (dropZone, error) {
	dir := s.path(DirQueued)
	for {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return dropZone{}, &fs.PathError{Op: "open", Path: dir, Err: err}
		default:
			return dropZone{dir, fd}, nil
		}
	}
}

func (d dropZone) close() { _ = unix.Close(d.fd) }

// lookAt looks at those entries that a filter wants, and appends them to out. One that was claimed or withdrawn meanwhile is left out.
func (d dropZone) lookAt(out []queuedLook, names []queuedName, f Filter, held map[string]Held) []queuedLook {
	inodes := make([]inodeFacts, len(names)) // together, which is quicker than one by one
	for i, n := range names {
		state, reason := queuedState(n.name, n.plain, held)
		if !f.wants(state) {
			continue
		}
		j := Job{JobID: jobIDOf(n.name), Name: n.name, OriginalName: n.name, Path: d.dir + "/" + n.name}
		var err error
		if !f.NamesOnly {
			err = d.describe(&j, &inodes[i])
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		j.State, j.Reason = state, reason
		out = append(out, queuedLook{j, err})
	}
	return out
}

// inodeFacts is what a Job points to.
type inodeFacts struct {
	at  time.Time
	uid uint32
}

// describe fills in what the entry's inode says.
func (d dropZone) describe(j *Job, facts *inodeFacts) error {
	var st unix.Stat_t
	for {
		err := unix.Fstatat(d.fd, j.Name, &st, unix.AT_SYMLINK_NOFOLLOW)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return &fs.PathError{Op: "lstat", Path: j.Path, Err: err}
		}
		break
	}
	facts.at, facts.uid = time.Unix(0, st.Ctim.Nano()), st.Uid
	j.QueuedAt, j.Submitter = &facts.at, &facts.uid
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		j.Size = st.Size
	}
	return nil
}

// heldByName is what a living daemon says about entries that do not run.
func (s *Spool) heldByName() map[string]Held {
	st, live, err := s.Status()
	if err != nil || live != LiveRunning && live != LiveHung {
		return nil
	}
	held := make(map[string]Held, len(st.Held))
	for _, h := range st.Held {
		held[h.Name] = h
	}
	return held
}

func queuedState(name string, plain bool, held map[string]Held) (State, string) {
	if h, ok := held[name]; ok {
		return h.State, h.Reason
	}
	if why := ignoredName(name); why != "" {
		return Ignored, why
	}
	if !plain {
		return Ignored, "not a regular file"
	}
	return Queued, ""
}

// queuedJob looks at one entry of the drop zone.
func (s *Spool) queuedJob(name string) (Job, error) {
	drop, err := s.openDropZone()
	if err != nil {
		return Job{}, err
	}
	defer drop.close()
	j := Job{JobID: jobIDOf(name), Name: name, OriginalName: name, State: Queued, Path: s.path(DirQueued, name)}
	if err := drop.describe(&j, &inodeFacts{}); err != nil {
		return Job{}, err
	}
	return j, nil
}

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
