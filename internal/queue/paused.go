package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// pausedFile is .hyper2kvm/paused.json: it is there while the queue is paused, so that a restart does not undo what a person
// decided.
type pausedFile struct {
	Schema int    `json:"schema"`
	Reason string `json:"reason"`
}

func (s *Spool) pausedReason() (string, error) {
	var p pausedFile
	err := readJSON(s.own("paused.json"), &p)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("is the queue paused? %w", err)
	}
	if p.Reason == "" {
		p.Reason = "paused"
	}
	return p.Reason, nil
}

// SetPaused pauses the queue from the next inbox on, with a reason, or ends a pause with none. The daemon alone may call it, while it has
// no inbox yet: Inbox.Pause and Inbox.Resume are for a daemon that runs.
func (s *Spool) SetPaused(reason string) error {
	if s.lock == nil {
		return fmt.Errorf("%w: only the daemon pauses the queue", ErrState)
	}
	return s.setPaused(reason)
}

func (s *Spool) setPaused(reason string) error {
	path := s.own("paused.json")
	if reason == "" {
		if err := s.fs.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.disk(err)
		}
		return nil
	}
	b, err := json.Marshal(pausedFile{Schema: RecordSchema, Reason: reason})
	if err != nil {
		return err
	}
	return s.disk(s.fs.Write(path, b, modeFile))
}
