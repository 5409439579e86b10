package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// MaxMembers bounds how many files one entry may name: two hundred times what the largest VM has.
const MaxMembers = 10_000

// errBusy says that an entry turned out not to be ready while it was being claimed; it is back in the drop zone.
var errBusy = errors.New("entry is not ready after all")

// Claim is a running job: its entry is in processing/ and belongs to the caller until Done, Fail, Requeue or Split has returned
// nil. An error of these leaves the job where it is, and the same call may be made again.
type Claim struct {
	s     *Spool
	id    string
	entry string // in processing/
	need  Need
	files map[string]string
	seen  map[string]look // by absolute path, after the claim

	mu    sync.Mutex
	rec   Record
	log   *jobLog
	ended bool
}

// Record is what the queue knows about the job.
func (c *Claim) Record() Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rec
	r.Members, r.Parts = slices.Clone(r.Members), slices.Clone(r.Parts)
	return r
}

// Need is what the Intake said about the entry.
func (c *Claim) Need() Need { return c.need }

// Path is the absolute path of the entry in processing/.
func (c *Claim) Path() string { return c.s.path(DirRunning, c.entry) }

// Files are the job's files: from the names that the user gave them (relative and slash-separated in a folder) to absolute paths.
func (c *Claim) Files() map[string]string { return maps.Clone(c.files) }

// Claim takes an entry, and the members that it needs, out of the drop zone. errors.Is(err, fs.ErrNotExist) when the entry has
// been withdrawn. What was taken before an error is put back.
func (s *Spool) Claim(ctx context.Context, e Entry, need Need) (*Claim, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.Trouble(); err != nil {
		return nil, err
	}
	if err := s.checkTree(); err != nil {
		return nil, err
	}
	members, err := membersToTake(e, need)
	if err != nil {
		return nil, err
	}
	rec := s.newRecord(e, need, members)
	via := ViaBatch
	if rec.Batch == "" {
		via = viaOf(s.path(DirQueued, e.Name))
	}
	if s.isHalfway(rec.ID) {
		return nil, fmt.Errorf("%w: an earlier claim of %q is not undone yet", errBusy, e.Name)
	}
	if rec.Entry, err = s.freeRunningName(e.Name, rec.ID, len(members) > 0); err != nil {
		return nil, err
	}
	if err := s.fs.Mkdir(s.jobPath(rec.ID), modeDir); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, s.disk(err)
	}
	c := &Claim{s: s, id: rec.ID, entry: rec.Entry, need: need, rec: rec}
	if err := s.writeRecord(rec, false); err != nil {
		return nil, errors.Join(err, s.dropJob(rec.ID))
	}
	if err := c.take(e, members); err != nil {
		back := s.undo(rec)
		if back != nil {
			s.mu.Lock()
			s.halfway = append(s.halfway, rec)
			s.mu.Unlock()
		}
		return nil, errors.Join(err, back)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.returned[keyOf(e.Identity)]; !again {
		s.traffic.claimed(keyOf(e.Identity), via)
	}
	delete(s.returned, keyOf(e.Identity))
	s.live[rec.ID] = c
	return c, nil
}

// undo puts back what a claim took before it failed.
func (s *Spool) undo(rec Record) error {
	if _, err := s.returnEntry(rec); err != nil {
		return err
	}
	return s.forget(rec)
}

func (s *Spool) isHalfway(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.halfway, func(r Record) bool { return r.ID == id })
}

// undoHalfway tries again to undo claims that failed: until then their files are in processing/ and belong to no job.
func (s *Spool) undoHalfway() {
	s.mu.Lock()
	todo, hint := slices.Clone(s.halfway), s.hint
	s.mu.Unlock()
	if len(todo) == 0 || s.checkTree() != nil {
		return
	}
	for _, rec := range todo {
		if s.undo(rec) != nil {
			continue
		}
		s.mu.Lock()
		s.halfway = slices.DeleteFunc(s.halfway, func(r Record) bool { return r.ID == rec.ID })
		s.mu.Unlock()
		hint(append(slices.Clone(rec.Members), rec.original())...)
	}
}

// membersToTake are the files that move with an entry. A batch leaves the files of its parts where they are.
func membersToTake(e Entry, need Need) ([]string, error) {
	if len(need.Parts) > 0 || e.Dir {
		return nil, nil
	}
	if len(need.Members) > MaxMembers {
		return nil, fmt.Errorf("%q names %d files, at most %d: %w", e.Name, len(need.Members), MaxMembers, ErrState)
	}
	var members []string
	for _, m := range need.Members {
		if err := checkOwnName(m); err != nil {
			return nil, err
		}
		if m != e.Name && !slices.Contains(members, m) {
			members = append(members, m)
		}
	}
	return members, nil
}

// newRecord begins a job, or goes on with one that was put back.
func (s *Spool) newRecord(e Entry, need Need, members []string) Record {
	now := s.clock()
	rec := Record{ID: newID(now), QueuedAt: time.Unix(0, e.Identity.CtimeNS).In(s.loc), Submitter: e.Identity.UID}
	s.mu.Lock()
	if old, ok := s.returned[keyOf(e.Identity)]; ok {
		rec.ID, rec.QueuedAt, rec.Crashes, rec.Deaths = old.ID, old.QueuedAt, old.Crashes, old.Deaths
	}
	s.mu.Unlock()
	if st, err := lstat(s.path(DirQueued, e.Name)); err == nil {
		if o, ok := s.origin(e.Identity, st.Uid); ok {
			rec.Submitter, rec.Batch = o.Submitter, o.Batch
		}
	}
	if p := s.priorityOf(e.Identity); p != PriorityNormal {
		rec.Priority = p
	}
	rec.OriginalName, rec.OriginalB64 = keepName(e.Name)
	rec.JobID = jobIDOf(rec.OriginalName)
	rec.Dir, rec.Kind, rec.Phase = e.Dir, need.Kind, PhaseClaimed
	rec.Identity, rec.ClaimedAt = e.Identity, now.In(s.loc)
	if len(members) > 0 {
		rec.Members = append([]string{e.Name}, members...)
	}
	return rec
}

// freeRunningName finds a name in processing/ that no job has and none had when the daemon stopped.
func (s *Spool) freeRunningName(name, id string, several bool) (string, error) {
	if checkName(name) != nil {
		name = safeName(id, name)
	}
	if several {
		name = jobIDOf(name) + suffixJob
	}
	for n := 1; n < maxNumber; n++ {
		try := numbered(name, n)
		if !exists(s.path(DirRunning, try)) && !s.nameIsLive(try) {
			return try, nil
		}
	}
	return "", fmt.Errorf("%w: %q and %d numbered names", ErrExists, name, maxNumber)
}

// maxNumber bounds the search for a free name; it must fit into the bytes that maxName leaves.
const maxNumber = 10_000

func (s *Spool) nameIsLive(entry string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.live {
		if c.entry == entry {
			return true
		}
	}
	return false
}

// take moves the files, the entry last: while it is in the drop zone, so is the job.
func (c *Claim) take(e Entry, members []string) error {
	to := c.Path()
	if len(members) == 0 {
		if err := c.s.fs.RenameNoReplace(c.s.path(DirQueued, e.Name), to); err != nil {
			return c.s.disk(err)
		}
		return c.verify(e, map[string]string{e.Name: to})
	}
	if err := c.s.fs.Mkdir(to, modeDir); err != nil {
		return c.s.disk(err)
	}
	b, err := json.Marshal(marker{Schema: RecordSchema, ID: c.rec.ID, Names: c.rec.Members})
	if err != nil {
		return err
	}
	if err := c.s.fs.WriteFast(filepath.Join(to, markerName), b, modeFile); err != nil {
		return c.s.disk(err)
	}
	paths := map[string]string{}
	for _, name := range append(slices.Clone(members), e.Name) {
		paths[name] = filepath.Join(to, name)
		if err := c.s.fs.RenameNoReplace(c.s.path(DirQueued, name), paths[name]); err != nil {
			return c.s.disk(err)
		}
	}
	return c.verify(e, paths)
}

// verify looks again at what was taken: a user may have replaced or opened a file between the last look and the rename.
func (c *Claim) verify(e Entry, paths map[string]string) error {
	c.files, c.seen = map[string]string{}, map[string]look{}
	for name, path := range paths {
		l, err := lookAfresh(path)
		if err != nil {
			return fmt.Errorf("%w: %w", errBusy, err)
		}
		if name == e.Name && (l.dir != e.Dir || l.id.Ino != e.Identity.Ino || keyOf(l.id) != keyOf(e.Identity) || !slices.Equal(l.files, e.Files)) {
			return fmt.Errorf("%w: %q was replaced", errBusy, name)
		}
		if c.need.Refuse == nil && beingWritten(path, l) {
			return fmt.Errorf("%w: %q is open for writing", errBusy, name)
		}
		c.seen[path] = l
		if !l.dir {
			c.files[name] = path
			continue
		}
		for _, rel := range l.files {
			c.files[rel] = filepath.Join(path, filepath.FromSlash(rel))
		}
	}
	return nil
}
