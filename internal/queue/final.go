package queue

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// finalFile is what a client reads of a meta.json or error.json. Times are text, because older records have them without a zone.
type finalFile struct {
	ID           string            `json:"id"`
	JobID        string            `json:"job_id"`
	OriginalName string            `json:"original_name"`
	Kind         string            `json:"kind"`
	CompletedAt  string            `json:"completed_at"`
	FailedAt     string            `json:"failed_at"`
	QueuedAt     string            `json:"queued_at"`
	StartedAt    string            `json:"started_at"`
	OutputDir    string            `json:"output_dir"`
	Code         string            `json:"code"`
	Stage        string            `json:"stage"`
	Error        string            `json:"error"`
	Hint         string            `json:"hint"`
	Warnings     []json.RawMessage `json:"warnings"`
	Submitter    *uint32           `json:"submitter_uid"`
	Priority     int               `json:"priority"`
	Source       struct {
		Size     int64    `json:"size"`
		Identity Identity `json:"identity"`
	} `json:"source"`
	Log     string   `json:"log"`
	Members []string `json:"members"`
}

// when parses a time of a record, nil when there is none.
func when(text string) *time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return &t
		}
	}
	return nil
}

// finalJob reads the job whose record stands at terminal/date/<entry><suffix>.
func (s *Spool) finalJob(terminal, date, entry string, raw bool) (Job, error) {
	job, _, err := s.readFinal(terminal, date, entry, raw)
	return job, err
}

func (s *Spool) readFinal(terminal, date, entry string, raw bool) (Job, finalFile, error) {
	var f finalFile
	b, err := readSmall(s.path(terminal, date, entry+suffixOf(terminal)), maxRecord)
	if err != nil {
		return Job{}, f, err
	}
	j := Job{
		Name: entry, JobID: jobIDOf(entry), State: Done, Path: s.path(terminal, date, entry), Date: date,
	}
	if terminal == DirFailed {
		j.State = Failed
	}
	if err := json.Unmarshal(b, &f); err != nil {
		j.Reason = "its record cannot be read: " + err.Error()
		return j, f, nil
	}
	j.ID, j.OriginalName, j.Kind, j.OutputDir = f.ID, f.OriginalName, f.Kind, f.OutputDir
	if f.JobID != "" {
		j.JobID = f.JobID
	}
	j.Size, j.QueuedAt, j.StartedAt, j.FinishedAt = f.Source.Size, when(f.QueuedAt), when(f.StartedAt), when(f.CompletedAt)
	if terminal == DirFailed {
		j.FinishedAt, j.Reason, j.Stage = when(f.FailedAt), f.Error, f.Stage
	}
	j.Code, j.Hint, j.Warnings, j.Submitter = f.Code, f.Hint, len(f.Warnings), f.Submitter
	if validPriority(f.Priority) {
		j.Priority = f.Priority
	}
	if f.Log != "" && filepath.IsLocal(f.Log) {
		j.LogPath = s.path(f.Log)
	}
	if raw {
		j.Record = b
	}
	return j, f, nil
}

// runningJob is a live job as its record and its progress say.
func (s *Spool) runningJob(r Record) Job {
	j := Job{
		ID: r.ID, JobID: r.JobID, Name: r.Entry, OriginalName: r.OriginalName, Kind: r.Kind, State: Running,
		Path: s.path(DirRunning, r.Entry), Size: r.Identity.Size, Date: r.Date, QueuedAt: &r.QueuedAt, StartedAt: r.StartedAt,
		OutputDir: r.OutputDir, Submitter: &r.Submitter, Priority: r.Priority, LogPath: s.jobPath(r.ID, "job.log"),
	}
	var p Progress
	if readJSON(s.jobPath(r.ID, "progress.json"), &p) == nil {
		j.Progress = &p
	}
	return j
}

// liveRecords are the records of the jobs in processing/, in the order of their ids. One that ends meanwhile is left out.
func (s *Spool) liveRecords() ([]Record, error) {
	names, err := dirNames(s.own("jobs"), maxLeftJobs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Record
	for _, id := range names {
		if !isID(id) {
			continue
		}
		// A record outlives its entry in processing/ by a moment when a job has just ended: then it is no running job.
		if r, err := s.readRecord(id); err == nil && r.Phase != PhaseReturned && exists(s.path(DirRunning, r.Entry)) {
			all = append(all, r)
		}
	}
	return all, nil
}

// finalEntries are the entries that have a record in a date directory.
func (s *Spool) finalEntries(terminal, date string) ([]string, error) {
	var names []string
	err := eachName(s.path(terminal, date), func(name string, _ byte) bool {
		if entry, ok := strings.CutSuffix(name, suffixOf(terminal)); ok && !hidden(entry) {
			names = append(names, entry)
		}
		return true
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return names, err
}
