package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// marker is .hyper2kvm-members.json in a .job directory that was made from loose files: it says that they are to be loose again
// when the job goes back.
type marker struct {
	Schema int      `json:"schema"`
	ID     string   `json:"id"`
	Names  []string `json:"names"` // the entry's own first
}

// Requeue puts the job back into the drop zone as it came. It keeps its id; what it had built is removed. The reason goes to
// the log.
func (c *Claim) Requeue(ctx context.Context, reason string) error { return c.putBack(ctx, reason, 0) }

// Crashed is Requeue after the job's child died without an answer. It says false, and does nothing, when that has now happened
// so often that the caller should fail the job instead.
func (c *Claim) Crashed(ctx context.Context, reason string) (again bool, err error) {
	if c.Record().Crashes+1 >= c.s.maxCrashes {
		return false, nil
	}
	return true, c.putBack(ctx, reason, 1)
}

func (c *Claim) putBack(ctx context.Context, reason string, crashes int) error {
	err := c.change(ctx, crashes > 0, func(r *Record) error {
		if r.Final != nil && c.s.outputIsOurs(*r) {
			return fmt.Errorf("%w: the output of %s is already published", ErrState, r.ID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// The inbox may take the entry again as soon as it is in the drop zone: by then this job must be no obstacle any more. Until it has
	// heard of the entry, it must not take the queue for settled either.
	c.s.goingBack(1)
	defer c.s.goingBack(-1)
	c.s.setLive(c, false)
	rec := c.rec
	rec.Crashes += crashes
	rec, names, err := c.s.giveBack(rec, crashes > 0)
	if err != nil {
		c.s.setLive(c, true)
		return err
	}
	c.rec = rec
	c.s.log.Info("job put back", "id", rec.ID, "name", rec.OriginalName, "reason", reason)
	c.end(names...)
	return nil
}

// giveBack drops what a job had built and moves its sources back to the drop zone. The record is durable when it counts something.
func (s *Spool) giveBack(rec Record, durable bool) (Record, []string, error) {
	if err := s.dropPartial(rec); err != nil {
		return rec, nil, err
	}
	rec.Phase = PhaseReturned
	rec.Partial, rec.PartialIno, rec.OutputDir, rec.Date = "", 0, "", ""
	rec.Terminal, rec.FinalName, rec.Final, rec.StartedAt, rec.Parts = "", "", nil, nil, nil
	if err := s.writeRecord(rec, durable); err != nil {
		return rec, nil, err
	}
	s.mu.Lock()
	s.returned[keyOf(rec.Identity)] = rec // before the entry can be claimed again, which is when its id is asked for
	s.mu.Unlock()
	names, err := s.returnEntry(rec)
	return rec, names, err
}

// returnEntry moves an entry of processing/ back to the drop zone under the names that it had there, or numbered ones. An entry
// that is not there is none of its business: it was never taken, or a person took it.
func (s *Spool) returnEntry(rec Record) (names []string, err error) {
	from := s.path(DirRunning, rec.Entry)
	if !exists(from) {
		return nil, nil
	}
	var m marker
	if readJSON(filepath.Join(from, markerName), &m) != nil {
		if empty, err := s.removeEmptyJob(from); err != nil || empty {
			return nil, err // the claim ended before it took anything
		}
		m.Names = rec.Members // a power cut takes the marker, which no claim syncs, before the record
		if len(m.Names) == 0 {
			m.Names = s.looseNames(from)
		}
	}
	if len(m.Names) > 0 {
		loose, names, err := s.dissolve(from, m)
		if err != nil || loose {
			return names, err
		}
	}
	name := rec.original()
	if len(rec.Members) > 0 {
		name = rec.Entry
	}
	name, err = s.intoQueue(from, name)
	return []string{name}, err
}

// looseNames are the files of a .job directory whose marker and record a power cut took, if there are signs that a claim made it: half of
// its marker, or a file that btrfs shows in the drop zone too.
func (s *Spool) looseNames(dir string) []string {
	if !strings.HasSuffix(dir, suffixJob) {
		return nil
	}
	present, err := dirNames(dir, MaxMembers+2)
	if err != nil { // a file, or more than a claim takes
		return nil
	}
	var names []string
	made := false
	for _, name := range present {
		made = made || name == markerName || sameFile(filepath.Join(dir, name), s.path(DirQueued, name))
		if name != markerName && !temporary(name) {
			names = append(names, name)
		}
	}
	if !made {
		return nil
	}
	return names
}

// removeEmptyJob removes a .job directory in which there is nothing but what a crash left of its marker.
func (s *Spool) removeEmptyJob(dir string) (bool, error) {
	if !strings.HasSuffix(dir, suffixJob) {
		return false, nil
	}
	names, err := dirNames(dir, 2)
	if err != nil { // a file, or a directory with more in it
		return false, nil //nolint:nilerror // then it is not an empty one
	}
	for _, name := range names {
		if name != markerName && !temporary(name) {
			return false, nil
		}
	}
	for _, name := range names {
		if err := s.fs.Remove(filepath.Join(dir, name)); err != nil {
			return false, s.disk(err)
		}
	}
	return true, s.disk(s.fs.Remove(dir))
}

// dissolve makes the files of a .job directory loose again, each after those that name it: a member that stood in the drop zone before
// its manifest or its descriptor would be taken for a job of its own and run without them. If one of the names has
// been taken meanwhile, it answers false and leaves the directory whole, without its marker: mixing files of two jobs would be
// worse than a folder.
func (s *Spool) dissolve(dir string, m marker) (loose bool, names []string, err error) {
	present, err := dirNames(dir, MaxMembers+2)
	if err != nil {
		return false, nil, err
	}
	for _, name := range present {
		if name == markerName || temporary(name) {
			continue
		}
		to := s.path(DirQueued, name)
		if !slices.Contains(m.Names, name) || exists(to) && !sameFile(filepath.Join(dir, name), to) {
			return false, nil, s.removeMarker(dir)
		}
	}
	slices.SortStableFunc(present, func(a, b string) int { return slices.Index(m.Names, a) - slices.Index(m.Names, b) })
	for _, name := range present {
		switch {
		case name == markerName:
		case temporary(name):
			err = s.fs.Remove(filepath.Join(dir, name))
		default:
			var now string
			now, err = s.intoQueue(filepath.Join(dir, name), name)
			names = append(names, now)
		}
		if err != nil {
			return false, names, s.disk(err)
		}
	}
	if err := s.removeMarker(dir); err != nil {
		return false, names, err
	}
	return true, names, s.disk(s.fs.Remove(dir))
}

// removeMarker takes the list of its files out of what a claim made a directory of, or may have.
func (s *Spool) removeMarker(entry string) error {
	err := s.fs.Remove(filepath.Join(entry, markerName))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	return s.disk(err)
}

// temporary says whether a name is one of atomicfile's, left by a crash.
func temporary(name string) bool { return strings.HasPrefix(name, ".tmp-") }

// intoQueue renames something into the drop zone under a free name and says which.
func (s *Spool) intoQueue(from, name string) (string, error) {
	for n := 1; n < maxNumber; n++ {
		try := numbered(name, n)
		to := s.path(DirQueued, try)
		if sameFile(from, to) { // a crash that kept both names
			return try, s.disk(s.fs.Remove(from))
		}
		err := s.fs.RenameNoReplace(from, to)
		if err == nil {
			return try, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", s.disk(err)
		}
	}
	return "", fmt.Errorf("%w: %q and %d numbered names in %s", ErrExists, name, maxNumber, DirQueued)
}

// sameFile says whether two names are one regular file.
func sameFile(a, b string) bool {
	x, err := os.Lstat(a)
	if err != nil || !x.Mode().IsRegular() {
		return false
	}
	y, err := os.Lstat(b)
	return err == nil && os.SameFile(x, y)
}

// partialDir is where jobs build their output, below an output directory.
const partialDir = ".partial"

// partialIsOwn says whether Partial is a place where only this job builds.
func (r Record) partialIsOwn() bool {
	return r.Partial == "" || filepath.IsAbs(r.Partial) && filepath.Base(r.Partial) == r.ID && filepath.Base(filepath.Dir(r.Partial)) == partialDir
}

// dropPartial removes what a job had built. It removes nothing but a directory with the job's own id in .partial/.
func (s *Spool) dropPartial(rec Record) error {
	if rec.Partial == "" {
		return nil
	}
	if !rec.partialIsOwn() {
		return fmt.Errorf("%w: record of %s has partial %q", ErrState, rec.ID, rec.Partial)
	}
	if !exists(rec.Partial) {
		return nil
	}
	err := s.fs.RemoveAll(rec.Partial)
	if err == nil {
		err = s.fs.SyncDir(filepath.Dir(rec.Partial)) // the record is about to forget it
	}
	err = kinded(err)
	if errors.Is(err, ErrIO) || errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ESTALE) { // of the output's disk: no reason to stop the queue
		s.log.Warn("what a job had built is left behind", "id", rec.ID, "dir", rec.Partial, "error", err)
		s.leave(rec)
		return nil
	}
	return err
}
