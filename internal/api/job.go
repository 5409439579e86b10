package api

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"time"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// The words that existing clients know for the states of jobs. Waiting is pending; ignored entries are no jobs.
var statusOf = map[queue.State]string{
	queue.Queued: "pending", queue.Waiting: "pending", queue.Running: "processing", queue.Done: "completed", queue.Failed: "failed",
	queue.Ignored: "ignored",
}

// jobDoc is a job: the seven fields that existing clients read, and beside them what the queue knows. Fields are only ever added.
type jobDoc struct {
	ID             string  `json:"id"`         // the queue's id; of an entry that was not claimed yet its name
	Name           string  `json:"name"`       // of the entry
	Stage          string  `json:"stage"`      // under way, or in which the job failed
	Progress       float64 `json:"progress"`   // percent of the stage under way; 100 = completed
	StartedAt      *string `json:"started_at"` // RFC 3339
	ElapsedSeconds float64 `json:"elapsed_seconds"`
	Status         string  `json:"status"`

	State        queue.State `json:"state"`
	Reason       string      `json:"reason,omitempty"`
	JobID        string      `json:"job_id"`
	OriginalName string      `json:"original_name,omitempty"`
	Kind         string      `json:"kind,omitempty"`
	Size         int64       `json:"size,omitempty"`
	Date         string      `json:"date,omitempty"`
	QueuedAt     *time.Time  `json:"queued_at,omitempty"`
	FinishedAt   *time.Time  `json:"finished_at,omitempty"`
	StageIndex   int         `json:"stage_index,omitempty"`
	StageCount   int         `json:"stage_count,omitempty"`
	BytesDone    int64       `json:"bytes_done,omitempty"`
	BytesTotal   int64       `json:"bytes_total,omitempty"`
	BytesPerSec  float64     `json:"bytes_per_second,omitempty"`
	ETASeconds   *float64    `json:"eta_seconds,omitempty"` // of the stage under way; absent = not known
	Message      string      `json:"message,omitempty"`
	OutputDir    string      `json:"output_dir,omitempty"`
	Code         string      `json:"code,omitempty"`
	Hint         string      `json:"hint,omitempty"`
	Warnings     int         `json:"warnings,omitempty"`
	Submitter    *uint32     `json:"submitter_uid,omitempty"`
	Priority     int         `json:"priority"` // 1 (last) to 100 (first)
	Path         string      `json:"path"`
}

// jobKey names a job in paths: its id once it has one, else the name of its entry.
func jobKey(j queue.Job) string { return cmp.Or(j.ID, j.Name) }

func newJobDoc(j queue.Job, now time.Time) jobDoc {
	d := jobDoc{
		ID: jobKey(j), Name: j.Name, Status: statusOf[j.State], State: j.State, Reason: j.Reason, JobID: cmp.Or(j.JobID, queue.JobIDOf(j.Name)),
		OriginalName: j.OriginalName, Kind: j.Kind, Size: j.Size, Date: j.Date, QueuedAt: j.QueuedAt, FinishedAt: j.FinishedAt,
		OutputDir: j.OutputDir, Code: j.Code, Hint: strings.ReplaceAll(j.Hint, " JOB", " "+jobKey(j)), Warnings: j.Warnings, Submitter: j.Submitter, Path: j.Path,
		Priority: cmp.Or(j.Priority, queue.PriorityNormal),
	}
	if j.StartedAt != nil && !j.StartedAt.IsZero() {
		at := j.StartedAt.Format(time.RFC3339)
		d.StartedAt = &at
		end := now
		if j.FinishedAt != nil {
			end = *j.FinishedAt
		}
		d.ElapsedSeconds = math.Round(max(end.Sub(*j.StartedAt), 0).Seconds()*10) / 10
	}
	switch p := j.Progress; {
	case j.State == queue.Done:
		d.Progress = 100
	case j.State == queue.Failed:
		d.Stage = j.Stage
	case j.State == queue.Running && p != nil:
		d.Stage, d.StageIndex, d.StageCount, d.Message = p.Stage, p.StageIndex, p.StageCount, p.Message
		d.BytesDone, d.BytesTotal, d.BytesPerSec = p.BytesDone, p.BytesTotal, max(p.BytesPerSec, 0)
		if p.BytesTotal > 0 {
			part := float64(min(max(p.BytesDone, 0), p.BytesTotal)) / float64(p.BytesTotal)
			d.Progress = math.Floor(part*1000) / 10 // never rounded up: 100 means done
			if p.ETASeconds >= 0 {
				d.ETASeconds = &p.ETASeconds
			}
		}
	}
	return d
}

func newJobDocs(js []queue.Job, now time.Time) []jobDoc {
	docs := make([]jobDoc, 0, len(js))
	for _, j := range js {
		docs = append(docs, newJobDoc(j, now))
	}
	return docs
}

// endedDoc is what the record of a finished job says beyond a queue.Job.
type endedDoc struct {
	Stage     string             `json:"stage,omitempty"`     // in which it failed
	Exception string             `json:"exception,omitempty"` // the error chain, a line each
	Retryable bool               `json:"retryable,omitempty"`
	Warnings  []manifest.Warning `json:"warnings,omitempty"`
}

// detailDoc is everything about one job.
type detailDoc struct {
	jobDoc
	Ended  *endedDoc       `json:"ended,omitempty"`
	Log    bool            `json:"has_log"`
	Report bool            `json:"has_report"`
	Left   []string        `json:"evidence"`         // of a boot test that failed the job: names for its files
	Record json.RawMessage `json:"record,omitempty"` // the meta.json or error.json as it stands
}

// find finds the job that the path of a request names.
func (s *Server) find(r *http.Request) (queue.Job, error) {
	key := r.PathValue("id")
	if err := queue.CheckKey(key); err != nil {
		return queue.Job{}, badRequest("%q is neither the id nor the name of a job", short(key))
	}
	ctx, cancel := within(r, readTime)
	defer cancel()
	return s.dir.Find(ctx, key)
}

// readTime is how long the directory may be read for one answer.
const readTime = 20 * time.Second

// job answers with everything about one job.
func (s *Server) job(w http.ResponseWriter, r *http.Request) error {
	j, err := s.find(r)
	if err != nil {
		return err
	}
	d := detailDoc{jobDoc: newJobDoc(j, s.o.Now()), Log: j.LogPath != "", Report: j.State == queue.Done && j.OutputDir != "", Left: s.o.Spool.Evidence(j)}
	if json.Valid(j.Record) {
		d.Record = j.Record
		var e endedDoc
		if json.Unmarshal(j.Record, &e) == nil {
			d.Ended = &e
		}
	}
	return reply(w, d)
}
