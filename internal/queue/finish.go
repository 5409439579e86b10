package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Outcome is what the caller adds to meta.json or error.json. The queue's own fields win over fields of the same name: schema,
// id, job_id, original_name, kind, status, the times, output_dir, submitter_uid, source, log.
type Outcome struct {
	Fields map[string]any
}

// source is what the records say about the dropped file or folder.
type source struct {
	Name     string   `json:"name"`
	Size     int64    `json:"size"`
	Identity Identity `json:"identity"`
}

// Done ends a job that went well. The caller has built, proved and synced what is in Partial. In this order: the record learns
// how it ended, the output is published by one rename, the record says so, <name>.meta.json is published and is the commit,
// the source follows it, the record goes.
//
// ErrChanged: the source was written to while the job ran, nothing has been published. ErrExists: somebody made the output
// directory meanwhile. After both the caller fails the job. ErrNoSpace and ErrIO: the job stays where it is; call Done again
// when there is space.
func (c *Claim) Done(ctx context.Context, o Outcome) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.rec.Phase == PhaseFailing || c.rec.Phase == PhaseSplitting {
		return fmt.Errorf("%w: %s is over", ErrState, c.rec.ID)
	}
	if err := c.s.checkTree(); err != nil {
		return err
	}
	if c.rec.Phase != PhaseOutputDone {
		if err := c.publish(o); err != nil {
			return err
		}
	}
	return c.finish()
}

// publish brings a job to PhaseOutputDone.
func (c *Claim) publish(o Outcome) error {
	next := c.rec
	if !c.s.outputIsOurs(next) { // else this is a second call, after the rename
		if err := c.Unchanged(); err != nil {
			return err
		}
	}
	now := c.s.clock()
	if next.Date == "" {
		next.Date = c.s.date(now)
	}
	next.Terminal = DirDone
	name, err := c.s.freeFinalName(next, 1)
	if err != nil {
		return err
	}
	next.FinalName = name
	if next.Final, err = c.s.finalRecord(next, o, now); err != nil {
		return err
	}
	if err := c.s.syncClaim(next); err != nil {
		return err
	}
	if err := c.s.writeRecord(next, true); err != nil {
		return err
	}
	c.rec = next
	if err := c.s.publishOutput(next); err != nil {
		return err
	}
	next.Phase = PhaseOutputDone
	if err := c.s.writeRecord(next, true); err != nil {
		return err
	}
	c.rec = next
	return nil
}

// publishOutput renames Partial to OutputDir and makes that durable. It may have happened before.
func (s *Spool) publishOutput(r Record) error {
	if r.OutputDir == "" {
		return s.dropPartial(r)
	}
	parent := filepath.Dir(r.OutputDir)
	if !s.outputIsOurs(r) {
		if r.Partial == "" {
			return fmt.Errorf("%w: %s has a place but built nothing", ErrState, r.ID)
		}
		if err := s.makeDirs(parent, modeOutput); err != nil {
			return err
		}
		err := s.fs.RenameNoReplace(r.Partial, r.OutputDir)
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%w: output directory %q", ErrExists, r.OutputDir)
		}
		if err != nil {
			return kinded(err)
		}
	}
	for _, dir := range []string{r.OutputDir, parent, filepath.Dir(r.Partial)} { // what moved first, see syncClaim
		if err := s.fs.SyncDir(dir); err != nil {
			return kinded(err)
		}
	}
	return nil
}

// Fail ends a job that did not go well: what it had built is dropped, the record learns why, <name>.error.json is published
// and is the commit, the source follows it, the record goes. ErrNoSpace and ErrIO: the job stays; call Fail again later.
func (c *Claim) Fail(ctx context.Context, o Outcome) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.rec.Phase == PhaseOutputDone || c.rec.Phase == PhaseSplitting || c.rec.Final != nil && c.s.outputIsOurs(c.rec) {
		return fmt.Errorf("%w: %s is over, or its output is published", ErrState, c.rec.ID)
	}
	if err := c.s.checkTree(); err != nil {
		return err
	}
	if c.rec.Phase != PhaseFailing {
		next, err := c.s.failing(c.rec, o)
		if err != nil {
			return err
		}
		c.rec = next
	}
	return c.finish()
}

// failing brings a job to PhaseFailing.
func (s *Spool) failing(r Record, o Outcome) (Record, error) {
	if err := s.dropPartial(r); err != nil {
		return r, err
	}
	now := s.clock()
	r.Terminal, r.Date = DirFailed, s.date(now)
	r.OutputDir, r.Partial, r.PartialIno = "", "", 0
	name, err := s.freeFinalName(r, 1)
	if err != nil {
		return r, err
	}
	r.FinalName, r.Phase = name, PhaseFailing
	if r.Final, err = s.finalRecord(r, o, now); err != nil {
		return r, err
	}
	if err := s.syncClaim(r); err != nil {
		return r, err
	}
	return r, s.writeRecord(r, true)
}

// finish makes the commit of a claimed job and takes it off the list.
func (c *Claim) finish() error {
	if c.log != nil {
		if err := c.log.Close(); err != nil {
			c.s.log.Warn("job.log is not complete", "id", c.rec.ID, "error", err)
		}
		c.log = nil
	}
	rec, err := c.s.finish(c.rec)
	c.rec = rec
	if err != nil {
		return err
	}
	c.end(rec.Members...)
	return nil
}

// suffixOf is the suffix of the record in a terminal directory.
func suffixOf(terminal string) string {
	if terminal == DirDone {
		return suffixMeta
	}
	return suffixError
}

// finish is everything from the commit on. Each step may have happened before, in a daemon that crashed.
func (s *Spool) finish(r Record) (Record, error) {
	dir := s.path(r.Terminal, r.Date)
	if err := s.fs.MkdirDurable(dir, modeDir); err != nil {
		return r, layoutError(s.disk(err))
	}
	r, err := s.commit(r, dir)
	if err != nil {
		return r, err
	}
	if err := s.moveSource(r, dir); err != nil {
		return r, err
	}
	if err := errors.Join(s.keepLog(r), s.keepEvidence(r)); err != nil {
		return r, err
	}
	if err := s.dropJob(r.ID); err != nil {
		return r, err
	}
	s.ended(r)
	return r, nil
}

// syncClaim makes durable that the sources left the drop zone, before a record says how the job ends: a power cut after that must not
// bring them back there, where they would be a new job. What moved comes first: of a folder whose new parent alone was synced, Linux 6.18
// replays two links when it mounts btrfs again, finds that impossible, and refuses the file system.
func (s *Spool) syncClaim(r Record) error {
	from := s.path(DirRunning, r.Entry)
	if !exists(from) {
		return nil // moved on already
	}
	if err := s.fs.SyncFile(from); err != nil && !errors.Is(err, fs.ErrPermission) {
		return s.disk(err)
	}
	for _, d := range []string{s.path(DirRunning), s.path(DirQueued)} {
		if err := s.fs.SyncDir(d); err != nil {
			return s.disk(err)
		}
	}
	return nil
}

// commit publishes meta.json or error.json exclusively. If the name was taken by another job, the next one is recorded first.
func (s *Spool) commit(r Record, dir string) (Record, error) {
	for {
		name := r.FinalName + suffixOf(r.Terminal)
		if recordID(filepath.Join(dir, name)) == r.ID {
			return r, s.disk(s.fs.SyncDir(dir))
		}
		err := s.fs.Publish(dir, name, r.Final, s.own("tmp"), modeFile)
		if !errors.Is(err, fs.ErrExist) {
			return r, s.disk(err)
		}
		if r.FinalName, err = s.freeFinalName(r, 2); err != nil {
			return r, err
		}
		if err := s.writeRecord(r, true); err != nil {
			return r, err
		}
	}
}

// moveSource renames the entry to its terminal directory; the directories are synced so that after a power cut it stands in
// exactly one state: the inode, then where it is, then where it was, and the drop zone, whose own sync the claim left out.
func (s *Spool) moveSource(r Record, dir string) error {
	from, to := s.path(DirRunning, r.Entry), filepath.Join(dir, r.FinalName)
	if err := s.removeMarker(from); err != nil {
		return err
	}
	switch {
	case sameFile(from, to):
		if err := s.fs.Remove(from); err != nil {
			return s.disk(err)
		}
	case exists(from):
		at, err := s.moveFree(from, dir, r.FinalName)
		if err != nil {
			return err
		}
		to = at
	case !exists(to):
		s.log.Warn("the source of a finished job is gone", "id", r.ID, "name", r.OriginalName)
		return nil
	}
	if err := s.dropOldNames(r, to); err != nil {
		return err
	}
	if err := s.syncSource(to); err != nil {
		return err
	}
	for _, d := range []string{dir, s.path(DirRunning), s.path(DirQueued)} {
		if err := s.fs.SyncDir(d); err != nil {
			return s.disk(err)
		}
	}
	return nil
}

// dropOldNames removes the names that the sources had in the drop zone: after a power cut btrfs may show them again beside the new ones,
// and a file with two names would wait there for ever.
func (s *Spool) dropOldNames(r Record, to string) error {
	names := map[string]string{r.original(): to}
	if len(r.Members) > 0 {
		names = map[string]string{}
		for _, m := range r.Members {
			names[m] = filepath.Join(to, m)
		}
	}
	for name, is := range names {
		if was := s.path(DirQueued, name); sameFile(was, is) {
			if err := s.fs.Remove(was); err != nil {
				return s.disk(err)
			}
		}
	}
	return nil
}

// syncSource makes the user's own data durable, which cp does not: nothing of a finished job may depend on the page cache.
func (s *Spool) syncSource(path string) error {
	paths := []string{path}
	if l, err := lookAt(filepath.Dir(path), filepath.Base(path)); err == nil {
		for _, rel := range l.files {
			paths = append(paths, filepath.Join(path, filepath.FromSlash(rel)))
		}
	}
	for _, p := range paths {
		if err := s.fs.SyncFile(p); err != nil && !errors.Is(err, fs.ErrPermission) {
			return s.disk(err)
		}
	}
	return nil
}

// moveFree renames to dir/name, or to a numbered name if somebody put something there by hand.
func (s *Spool) moveFree(from, dir, name string) (string, error) {
	for n := 1; n < maxNumber; n++ {
		to := filepath.Join(dir, numbered(name, n))
		err := s.fs.RenameNoReplace(from, to)
		if err == nil {
			return to, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", s.disk(err)
		}
	}
	return "", fmt.Errorf("%w: %q and %d numbered names in %s", ErrExists, name, maxNumber, dir)
}

// freeFinalName finds a name in the terminal directory that neither an entry nor a record has.
func (s *Spool) freeFinalName(r Record, from int) (string, error) {
	dir := s.path(r.Terminal, r.Date)
	if st, err := lstat(dir); err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return "", fmt.Errorf("%w: %s is not a directory; move it away", ErrLayout, dir)
	}
	name := r.original()
	if checkName(name) != nil || len(r.Members) > 0 {
		name = unnumbered(r.Entry)
	}
	for n := from; n < maxNumber; n++ {
		try := numbered(name, n)
		if !exists(filepath.Join(dir, try)) && !exists(filepath.Join(dir, try+suffixOf(r.Terminal))) {
			return try, nil
		}
	}
	return "", fmt.Errorf("%w: %q and %d numbered names in %s", ErrExists, name, maxNumber, dir)
}

// recordID is the id in a meta.json or error.json, "" when there is none to be read.
func recordID(path string) string {
	var r struct {
		ID string `json:"id"`
	}
	if readJSON(path, &r) != nil {
		return ""
	}
	return r.ID
}
