package queue

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

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
	drop.priorities = s.priorityInodes()
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
	s          *Spool
	dir        string
	fd         int
	priorities map[uint64]bool // inodes for which there is one
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
			return dropZone{s: s, dir: dir, fd: fd}, nil
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
	if d.priorities[st.Ino] {
		j.Priority = d.s.readPriority(identityOf(st), st.Mode&unix.S_IFMT == unix.S_IFDIR)
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
	drop.priorities = s.priorityInodes()
	j := Job{JobID: jobIDOf(name), Name: name, OriginalName: name, State: Queued, Path: s.path(DirQueued, name)}
	if err := drop.describe(&j, &inodeFacts{}); err != nil {
		return Job{}, err
	}
	return j, nil
}
