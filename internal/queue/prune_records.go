package queue

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// pruneRecords removes the records of days that are long over, as far as their sources are gone, with their logs.
func (s *Spool) pruneRecords(ctx context.Context, r Retention, removed func(Pruned)) error {
	for _, terminal := range r.terminals() {
		days, err := s.realDays(terminal)
		if err != nil {
			return err
		}
		for _, day := range days {
			if !s.dayOver(day, r.Records) {
				continue
			}
			if err := s.pruneDay(ctx, terminal, day, removed); err != nil {
				return err
			}
		}
	}
	return s.pruneLogs(r.Records)
}

// dayOver says whether a day ended at least so long ago.
func (s *Spool) dayOver(day string, ago time.Duration) bool {
	begin, err := time.ParseInLocation(time.DateOnly, day, s.loc)
	return err == nil && s.clock().Sub(begin.AddDate(0, 0, 1)) > ago
}

func (s *Spool) pruneDay(ctx context.Context, terminal, day string, removed func(Pruned)) error {
	if err := s.checkTree(); err != nil {
		return err
	}
	dir := s.path(terminal, day)
	there, err := namesOf(dir)
	if err != nil {
		return layoutError(err)
	}
	for name := range there {
		if err := ctx.Err(); err != nil {
			return err
		}
		entry, ok := recordOf(terminal, name)
		if !ok || hidden(entry) || there[entry] {
			continue
		}
		id := recordID(filepath.Join(dir, name))
		if !isID(id) || s.isLive(id) { // not a record of ours, or its source is on the way
			continue
		}
		if err := s.removeRecord(filepath.Join(dir, name), day, id); err != nil {
			return err
		}
		removed(Pruned{What: PrunedRecord, ID: id, Path: filepath.Join(dir, name), Why: "its day is over and its source is gone"})
	}
	s.dropEmptyDay(terminal, day)
	return nil
}

// recordOf says which entry a file of a terminal directory is the record of: <entry>.meta.json, <entry>.error.json, or
// <entry>.error.<n>.json.
func recordOf(terminal, name string) (entry string, ok bool) {
	if entry, ok = strings.CutSuffix(name, suffixOf(terminal)); ok || terminal == DirDone {
		return entry, ok
	}
	stem, ok := strings.CutSuffix(name, ".json")
	i := strings.LastIndexByte(stem, '.')
	if !ok || i < 0 {
		return "", false
	}
	if n, err := strconv.Atoi(stem[i+1:]); err != nil || n < 1 {
		return "", false
	}
	return strings.CutSuffix(stem[:i], ".error")
}

// removeRecord removes a record and the log and evidence that go with it.
func (s *Spool) removeRecord(path, day, id string) error {
	r := Record{Date: day, ID: id}
	paths := []string{s.path(logName(r))}
	for _, name := range evidenceNames() {
		paths = append(paths, s.path(evidenceName(r, name)))
	}
	for _, p := range append(paths, path) {
		if err := s.fs.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.disk(err)
		}
	}
	return nil
}

// dropEmptyDay removes a date directory that nothing is left in. Those of the last days stay: a job may be about to end there.
func (s *Spool) dropEmptyDay(terminal, day string) {
	if !s.dayOver(day, 24*time.Hour) || s.liveOn(day) {
		return
	}
	if err := s.fs.Remove(s.path(terminal, day)); err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("an empty directory cannot be removed", "dir", s.path(terminal, day), "error", err)
	}
}

// liveOn says whether a job is about to end under a date.
func (s *Spool) liveOn(day string) bool {
	for _, c := range s.Live() {
		if c.Record().Date == day {
			return true
		}
	}
	return false
}

// pruneLogs removes the logs of days of which no record is left, whoever removed them.
func (s *Spool) pruneLogs(ago time.Duration) error {
	days, err := dirNames(s.own("logs"), maxDates)
	if err != nil {
		return layoutError(err)
	}
	for _, day := range days {
		if !isDate(day) || !s.dayOver(day, max(ago, 24*time.Hour)) || s.liveOn(day) || exists(s.path(DirDone, day)) || exists(s.path(DirFailed, day)) {
			continue
		}
		names, err := namesOf(s.own("logs", day))
		if err != nil {
			return layoutError(err)
		}
		for name := range names {
			if id, ending, ok := strings.Cut(name, "."); ok && isID(id) && (ending == "log" || slices.Contains(evidenceNames(), ending)) {
				if err := s.fs.Remove(s.own("logs", day, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return s.disk(err)
				}
			}
		}
		_ = s.fs.Remove(s.own("logs", day)) // unless somebody put something there
	}
	return nil
}
