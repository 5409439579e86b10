package queue

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
)

// leftOver is .hyper2kvm/left/<id>.json: something that a job had built and that could not be removed when it ended, because the file
// system of the output was broken or not there. It may be as large as the disk of a VM.
type leftOver struct {
	Schema  int    `json:"schema"`
	ID      string `json:"id"`
	Partial string `json:"partial"` // absolute
}

func (s *Spool) leftPath(id string) string { return s.own("left", id+".json") }

// leave remembers what is left of a job, to be removed later.
func (s *Spool) leave(r Record) {
	b, err := json.Marshal(leftOver{Schema: RecordSchema, ID: r.ID, Partial: r.Partial})
	if err == nil {
		err = s.fs.WriteFast(s.leftPath(r.ID), b, modeFile)
	}
	if err != nil {
		s.log.Warn("nobody will remove what a job had built", "id", r.ID, "dir", r.Partial, "error", err)
	}
}

// builds says that a job builds in its directory again, so that what stands there is no leftover.
func (s *Spool) builds(id string) error {
	s.leftMu.Lock()
	defer s.leftMu.Unlock()
	if err := s.fs.Remove(s.leftPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.disk(err)
	}
	return nil
}

// removeLeft tries again to remove what jobs left. While the directory around it is not there, neither is its file system.
func (s *Spool) removeLeft() {
	s.leftMu.Lock()
	defer s.leftMu.Unlock()
	names, err := dirNames(s.own("left"), maxLeftJobs)
	if err != nil {
		return
	}
	for _, name := range names {
		id, ok := strings.CutSuffix(name, ".json")
		var l leftOver
		if !ok || readJSON(s.leftPath(id), &l) != nil || l.ID != id {
			continue
		}
		r := Record{ID: id, Partial: l.Partial}
		if !isID(id) || !r.partialIsOwn() || !exists(filepath.Dir(l.Partial)) || s.fs.RemoveAll(l.Partial) != nil {
			continue
		}
		s.log.Info("what a job had built is removed at last", "id", id, "dir", l.Partial)
		_ = s.fs.Remove(s.leftPath(id)) // else the next time
	}
}
