package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"
)

// finalRecord is the content of meta.json or error.json.
func (s *Spool) finalRecord(r Record, o Outcome, now time.Time) (json.RawMessage, error) {
	m := maps.Clone(o.Fields)
	if m == nil {
		m = map[string]any{}
	}
	set := func(key string, v any, keep bool) {
		delete(m, key)
		if keep {
			m[key] = v
		}
	}
	m["schema"], m["id"], m["job_id"], m["original_name"], m["kind"] = RecordSchema, r.ID, r.JobID, r.OriginalName, r.Kind
	at, status := "completed_at", "success"
	if r.Terminal == DirFailed {
		at, status = "failed_at", "failed"
	}
	m["status"], m[at] = status, now.In(s.loc).Format(time.RFC3339Nano)
	m["submitter_uid"], m["source"] = r.Submitter, source{r.OriginalName, r.Identity.Size, r.Identity}
	m["queued_at"], m["claimed_at"] = r.QueuedAt.Format(time.RFC3339Nano), r.ClaimedAt.Format(time.RFC3339Nano)
	set("started_at", r.StartedAt, r.StartedAt != nil)
	set("original_name_b64", r.OriginalB64, r.OriginalB64 != "")
	set("output_dir", r.OutputDir, r.OutputDir != "")
	set("members", r.Members, len(r.Members) > 0)
	set("priority", r.Priority, r.Priority != 0)
	set("batch", r.Batch, r.Batch != "")
	set("parts", r.Parts, len(r.Parts) > 0)
	set("log", logName(r), exists(s.jobPath(r.ID, "job.log")))
	evidence := s.evidenceOf(r)
	set("evidence", evidence, len(evidence) > 0)
	for {
		b, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("record of %s: %w", r.ID, err)
		}
		if len(b) <= maxFinal {
			return b, nil
		}
		key, size := largestField(m, o.Fields)
		if key == "" {
			return nil, fmt.Errorf("record of %s: %d bytes, at most %d", r.ID, len(b), maxFinal)
		}
		m[key] = fmt.Sprintf("left out: %d bytes, too long for a record", size)
	}
}

// largestField finds which of the caller's fields takes the most room: a job whose record is too long must still end.
func largestField(m, callers map[string]any) (key string, size int) {
	for k := range callers {
		if b, err := json.Marshal(m[k]); err == nil && len(b) > max(size, shortField) {
			key, size = k, len(b)
		}
	}
	return key, size
}

// shortField is the length of a field that is never left out.
const shortField = 1 << 10

// logName is where the log of a finished job is kept, relative to the workflow directory.
func logName(r Record) string { return filepath.Join(DirOwn, "logs", r.Date, r.ID+".log") }

// keepLog moves job.log to its place. It is not worth a sync: it has told its story to error.json.
func (s *Spool) keepLog(r Record) error {
	from, to := s.jobPath(r.ID, "job.log"), s.path(logName(r))
	if !exists(from) {
		return nil
	}
	if err := s.fs.MkdirDurable(filepath.Dir(to), modeDir); err != nil {
		return s.disk(err)
	}
	if err := s.fs.RenameNoReplace(from, to); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, os.ErrNotExist) {
		return s.disk(err)
	}
	return nil
}
