package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// MaxParts bounds a batch: a whole data centre in one file.
const MaxParts = 10_000

// kindBatch is the kind of a job that split into others.
const kindBatch = "batch"

// Split ends a batch: its parts go into the drop zone, each a job of its own on behalf of the batch's submitter, and the batch
// goes to processed/ with the list of them. The parts and the record are durable before the first part can be seen; after a
// crash the rest follow.
func (c *Claim) Split(ctx context.Context, parts []Part) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.rec.Phase != PhaseClaimed && c.rec.Phase != PhaseRunning && c.rec.Phase != PhaseSplitting {
		return fmt.Errorf("%w: %s is over, or runs", ErrState, c.rec.ID)
	}
	if err := c.s.checkTree(); err != nil {
		return err
	}
	if c.rec.Phase != PhaseSplitting {
		next, err := c.s.prepareParts(c.rec, parts)
		if err != nil {
			return err
		}
		c.rec = next
	}
	rec, err := c.s.deliverParts(c.rec)
	if err != nil {
		return err
	}
	c.rec = rec
	names := make([]string, len(rec.Parts))
	for i, p := range rec.Parts {
		names[i] = p.Name
	}
	c.s.mu.Lock()
	hint := c.s.hint
	c.s.mu.Unlock()
	hint(names...)
	return c.finish()
}

// prepareParts brings a batch to PhaseSplitting: the parts stand in jobs/<id>/parts/ and the record has their names.
func (s *Spool) prepareParts(r Record, parts []Part) (Record, error) {
	if len(parts) == 0 || len(parts) > MaxParts {
		return r, fmt.Errorf("%w: a batch of %d parts, at most %d", ErrState, len(parts), MaxParts)
	}
	dir := s.jobPath(r.ID, "parts")
	if err := s.fs.RemoveAll(dir); err != nil {
		return r, s.disk(err)
	}
	if err := s.fs.MkdirDurable(dir, modeDir); err != nil {
		return r, s.disk(err)
	}
	taken := map[string]bool{}
	for _, p := range parts {
		name, err := s.freePartName(p.Name, taken)
		if err != nil {
			return r, err
		}
		taken[name] = true
		l, err := s.writePart(dir, name, p.Content)
		if err != nil {
			return r, err
		}
		if err := s.writeOrigin(l.id, r.Submitter, r.ID); err != nil {
			return r, err
		}
		if r.Priority != 0 {
			if err := s.keepPriority(l.id, r.Priority); err != nil {
				return r, err
			}
		}
		r.Parts = append(r.Parts, PartName{Name: name, Dev: l.id.Dev, Ino: l.id.Ino})
	}
	r.Kind, r.Terminal, r.Date, r.Phase = kindBatch, DirDone, s.date(s.clock()), PhaseSplitting
	if err := s.fs.SyncDir(dir); err != nil {
		return r, s.disk(err)
	}
	if err := s.syncClaim(r); err != nil {
		return r, err
	}
	return r, s.writeRecord(r, true)
}

// writePart writes one part, dated back so that it is complete as soon as it is in the drop zone: until it is known, what it
// names could start alone. The date is durable before its origin is written, which holds for this file only.
func (s *Spool) writePart(dir, name string, content []byte) (look, error) {
	path := filepath.Join(dir, name)
	if err := s.fs.WriteFast(path, content, modeFile); err != nil {
		return look{}, s.disk(err)
	}
	at := time.Now().Add(-backdate)
	if err := s.fs.Chtimes(path, at, at); err != nil {
		return look{}, err
	}
	if err := s.fs.SyncFile(path); err != nil {
		return look{}, s.disk(err)
	}
	return lookAt(dir, name)
}

func (s *Spool) freePartName(name string, taken map[string]bool) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	if err := checkOwnName(name); err != nil {
		return "", err
	}
	if hidden(name) || ignoredName(name) != "" {
		return "", fmt.Errorf("%w: %q would never run", ErrName, name)
	}
	for n := 1; n < maxNumber; n++ {
		if try := numbered(name, n); !taken[try] && !exists(s.path(DirQueued, try)) {
			return try, nil
		}
	}
	return "", fmt.Errorf("%w: %q and %d numbered names", ErrExists, name, maxNumber)
}

// deliverParts renames what is left in parts/ into the drop zone and brings the batch to PhaseOutputDone.
func (s *Spool) deliverParts(r Record) (Record, error) {
	for i, p := range r.Parts {
		from := s.jobPath(r.ID, "parts", p.Name)
		if !exists(from) {
			continue // delivered before a crash
		}
		name, err := s.intoQueue(from, p.Name)
		if err != nil {
			return r, err
		}
		r.Parts[i].Name = name
	}
	if err := s.fs.SyncDir(s.path(DirQueued)); err != nil {
		return r, s.disk(err)
	}
	if err := s.fs.SyncDir(s.jobPath(r.ID, "parts")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, s.disk(err)
	}
	var err error
	if r.FinalName, err = s.freeFinalName(r, 1); err != nil {
		return r, err
	}
	if r.Final, err = s.finalRecord(r, Outcome{}, s.clock()); err != nil {
		return r, err
	}
	r.Phase = PhaseOutputDone
	return r, s.writeRecord(r, true)
}
