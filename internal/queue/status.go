package queue

import (
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"time"
)

// WriteStatus publishes the daemon's heartbeat.
func (s *Spool) WriteStatus(st Status) error {
	st.Schema = RecordSchema
	b, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return s.disk(s.fs.WriteFast(s.own("status.json"), b, modeFile))
}

// Status is the last heartbeat and whether its daemon lives. Without a heartbeat the Status is empty.
func (s *Spool) Status() (Status, Liveness, error) {
	var st Status
	err := readJSON(s.own("status.json"), &st)
	none := errors.Is(err, fs.ErrNotExist)
	if err != nil && !none {
		return Status{}, LiveNeverStarted, err
	}
	held, err := s.locked()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return st, LiveNeverStarted, nil
	case err != nil:
		return st, LiveNeverStarted, err
	case held && !none && s.clock().Sub(st.At) > HungAfter:
		return st, LiveHung, nil
	case held:
		return st, LiveRunning, nil
	case none:
		return st, LiveNeverStarted, nil
	}
	return st, LiveNotRunning, nil
}

// dates are the date directories of a terminal directory, newest first.
func (s *Spool) dates(terminal string) ([]string, error) {
	names, err := dirNames(s.path(terminal), maxDates)
	if err != nil {
		return nil, err
	}
	var days []string
	for _, name := range slices.Backward(names) {
		if isDate(name) {
			days = append(days, name)
		}
	}
	return days, nil
}

// maxDates bounds the date directories: more than a century of days.
const maxDates = 50_000

func isDate(name string) bool {
	_, err := time.Parse(time.DateOnly, name)
	return err == nil
}
