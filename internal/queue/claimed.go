package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Unchanged says whether the sources are still what was claimed; if not, the error is ErrChanged.
func (c *Claim) Unchanged() error {
	for path, was := range c.seen {
		is, err := lookAfresh(path)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrChanged, err)
		}
		if !unchanged(was, is) {
			return fmt.Errorf("%w: %q", ErrChanged, filepath.Base(path))
		}
	}
	return nil
}

// Running notes that the work begins. From here on a death of the daemon counts.
func (c *Claim) Running(ctx context.Context) error {
	return c.change(ctx, false, func(r *Record) error {
		now := c.s.clock().In(c.s.loc)
		r.StartedAt, r.Phase = &now, PhaseRunning
		return nil
	})
}

// Progress publishes how far the job is. Twice a second is often enough.
func (c *Claim) Progress(p Progress) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return fmt.Errorf("%w: %s has ended", ErrState, c.rec.ID)
	}
	p.Schema, p.ID = RecordSchema, c.rec.ID
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return c.s.disk(c.s.fs.WriteFast(c.s.jobPath(c.rec.ID, "progress.json"), b, modeFile))
}

// change applies f to the record of a job that has not begun to end, and writes it.
func (c *Claim) change(ctx context.Context, durable bool, f func(*Record) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return fmt.Errorf("%w: %s has ended", ErrState, c.rec.ID)
	case c.rec.Phase != PhaseClaimed && c.rec.Phase != PhaseRunning && c.rec.Phase != PhasePlaced:
		return fmt.Errorf("%w: %s is %s", ErrState, c.rec.ID, c.rec.Phase)
	}
	next := c.rec
	if err := f(&next); err != nil {
		return err
	}
	if err := c.s.checkTree(); err != nil {
		return err
	}
	if err := c.s.writeRecord(next, durable); err != nil {
		return err
	}
	c.rec = next
	return nil
}

// end takes the job off the list of running ones and tells the inbox which names may be looked at again.
func (c *Claim) end(names ...string) {
	c.ended = true
	if c.log != nil {
		_ = c.log.Close()
	}
	c.s.setLive(c, false)
	c.s.mu.Lock()
	hint := c.s.hint
	c.s.mu.Unlock()
	hint(names...)
}

// setLive puts a job on the list of running ones or takes it off. The same job may be on it again already, as another Claim.
func (s *Spool) setLive(c *Claim, live bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if live {
		s.live[c.rec.ID] = c
	} else if s.live[c.rec.ID] == c {
		delete(s.live, c.rec.ID)
	}
}

// goingBack counts jobs between the list of running ones and the drop zone.
func (s *Spool) goingBack(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.back += n
}

// still says whether no job runs and none is on its way back.
func (s *Spool) still() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live) == 0 && s.back == 0
}

func (s *Spool) isLive(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[id] != nil
}

// Live are the jobs that are claimed now, in the order of their ids.
func (s *Spool) Live() []*Claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.live), func(a, b *Claim) int { return strings.Compare(a.id, b.id) })
}

// forget removes the record of a job that never began, unless it carries what happened to it before.
func (s *Spool) forget(rec Record) error {
	s.mu.Lock()
	old, back := s.returned[keyOf(rec.Identity)]
	s.mu.Unlock()
	if back && old.ID == rec.ID {
		return s.writeRecord(old, false)
	}
	return s.dropJob(rec.ID)
}

// dropJob removes a job's own directory: away under another name first, so that no half of it is ever taken for a job.
func (s *Spool) dropJob(id string) error {
	gone := s.own("tmp", "gone-"+id)
	if err := s.fs.RenameNoReplace(s.jobPath(id), gone); err != nil && !errors.Is(err, fs.ErrNotExist) {
		if !errors.Is(err, fs.ErrExist) {
			return s.disk(err)
		}
		gone = s.jobPath(id) // a leftover of that name: remove in place
	}
	if err := s.fs.RemoveAll(gone); err != nil && !errors.Is(err, os.ErrNotExist) {
		return s.disk(err)
	}
	return nil
}
