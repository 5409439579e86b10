package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The directories of a workflow directory. The first four names are fixed by what users were promised.
const (
	DirQueued  = "to_be_processed"
	DirRunning = "processing"
	DirDone    = "processed"
	DirFailed  = "failed"
	DirOwn     = ".hyper2kvm"
)

// LayoutVersion is the version of the tree that this program writes; it refuses to start on a newer one.
const LayoutVersion = 1

// The kinds of errors; tested with errors.Is.
var (
	ErrLayout     = errors.New("workflow directory cannot be used") // not there, not one file system, newer layout
	ErrAway       = fmt.Errorf("%w: it is not where it was when the daemon started", ErrLayout)
	ErrLocked     = errors.New("another daemon holds the workflow directory")
	ErrNotFound   = errors.New("no such job")
	ErrState      = errors.New("job is not in a state for that") // retry of a running job, cancel of a finished one
	ErrName       = errors.New("name is not allowed")            // control bytes, too long, reserved
	ErrExists     = errors.New("name is taken")
	ErrNotRegular = errors.New("not a regular file")
	ErrDenied     = errors.New("not allowed")
	ErrNoSpace    = errors.New("no space left")
	ErrIO         = errors.New("the file system could not make the queue's records durable")
	ErrChanged    = errors.New("source changed while it was being read")
	ErrClosed     = errors.New("the queue is closed")
)

// State is where a job stands.
type State string

// The states of a job. Queued, waiting and ignored entries stand in to_be_processed/: a waiting one cannot start yet and has
// a reason, an ignored one is not a job at all and has a reason too.
const (
	Queued  State = "queued"
	Waiting State = "waiting"
	Ignored State = "ignored"
	Running State = "running"
	Done    State = "done"
	Failed  State = "failed"
)

// Identity is what makes two looks at a file the same file, unchanged.
type Identity struct {
	Dev     uint64 `json:"dev"`
	Ino     uint64 `json:"ino"`
	Size    int64  `json:"size"`
	MtimeNS int64  `json:"mtime_ns"`
	CtimeNS int64  `json:"ctime_ns"`
	UID     uint32 `json:"uid"`
}

// Entry is something in the drop zone that nobody is writing any more.
type Entry struct {
	Name     string   // in to_be_processed/
	Path     string   // absolute
	Dir      bool     // a folder job, or a .job
	Identity Identity // of a folder: its own inode and ctime, the sum of the sizes and the newest mtime in it
	Files    []string // of a folder: the regular files in it, slash-separated, relative, sorted, at most MaxFolderFiles
}

// Need is what an Intake found out about an Entry.
type Need struct {
	// Kind is a word for the records: disk, folder, ova, ovf, vmx, manifest, batch.
	Kind string
	// Members are the names of other files in the drop zone that belong to this entry and move with it. They need not be
	// there yet: until each is there and ready, the entry waits and says which is missing.
	// Those of a batch are only kept from running alone until it is split.
	Members []string
	// Parts is set for a batch: the entry becomes these entries, each a job of its own. The Inbox splits it by itself.
	Parts []Part
	// Wait says why the entry cannot start though all its bytes are there; "" lets it start.
	Wait string
	// Hold says why the entry is kept until a person groups or releases it (x_1.vmdk beside x.vmdk); "" does not hold.
	Hold string
	// Ignore says why the entry is not a job; "" makes it one.
	Ignore string
	// Refuse, when not nil, fails the entry at once: these are the fields of its error.json (code, error, hint ...).
	Refuse map[string]any
	// Payload is handed through to the Claim: whatever the caller wants to know of the entry again when it runs.
	Payload any
}

// Part is one job that a batch splits into: an entry to be created in the drop zone.
type Part struct {
	Name    string // wanted entry name; ~2 is added where it is taken
	Content []byte
}

// Intake knows what entries are. Examine is called once for each ready entry and identity, and again now and then while it answers
// Wait or Hold; always from one goroutine. It must not change anything and must be quick (headers and descriptors, never content).
type Intake interface {
	Examine(ctx context.Context, e Entry) (Need, error)
}

// Progress is .hyper2kvm/jobs/<id>/progress.json, replaced at most twice a second.
type Progress struct {
	Schema      int       `json:"schema"`
	ID          string    `json:"id"`
	At          time.Time `json:"at"`
	Stage       string    `json:"stage"`       // load, inspect, fix, convert, validate
	StageIndex  int       `json:"stage_index"` // 1-based
	StageCount  int       `json:"stage_count"`
	BytesDone   int64     `json:"bytes_done"`  // of the stage
	BytesTotal  int64     `json:"bytes_total"` // 0 = the stage has no measure
	BytesPerSec float64   `json:"bytes_per_second"`
	ETASeconds  float64   `json:"eta_seconds"` // negative = not known
	Message     string    `json:"message,omitempty"`
}

// Job is one job as clients see it, whatever its state. Zero times are absent in JSON.
type Job struct {
	ID           string          `json:"id,omitempty"` // empty until claimed
	JobID        string          `json:"job_id"`
	Name         string          `json:"name"` // entry name
	OriginalName string          `json:"original_name,omitempty"`
	Kind         string          `json:"kind,omitempty"`
	State        State           `json:"state"`
	Reason       string          `json:"reason,omitempty"` // why it waits, is ignored or failed
	Path         string          `json:"path"`             // absolute path of the entry
	Size         int64           `json:"size,omitempty"`
	Date         string          `json:"date,omitempty"`
	QueuedAt     *time.Time      `json:"queued_at,omitempty"`
	StartedAt    *time.Time      `json:"started_at,omitempty"`
	FinishedAt   *time.Time      `json:"finished_at,omitempty"`
	Progress     *Progress       `json:"progress,omitempty"`
	OutputDir    string          `json:"output_dir,omitempty"`
	Code         string          `json:"code,omitempty"`
	Hint         string          `json:"hint,omitempty"`
	Warnings     int             `json:"warnings,omitempty"`
	Submitter    *uint32         `json:"submitter_uid,omitempty"`
	Priority     int             `json:"priority,omitempty"` // PriorityLast to PriorityFirst; 0 = nothing was said: PriorityNormal
	LogPath      string          `json:"log,omitempty"`
	Stage        string          `json:"stage,omitempty"`  // in which it failed; of a running job see Progress
	Record       json.RawMessage `json:"record,omitempty"` // the meta.json or error.json as it stands, only from Find
}

// Held is an entry of the drop zone that does not run, and why.
type Held struct {
	Name   string    `json:"name"`
	State  State     `json:"state"` // waiting or ignored
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// MaxHeldPublished bounds Status.Held, so that the heartbeat stays small however many entries wait.
const MaxHeldPublished = 1000

// Counts is how many jobs stand in each state. Today is the daemon's local date.
type Counts struct {
	Queued      int `json:"queued"`
	Waiting     int `json:"waiting"`
	Ignored     int `json:"ignored"`
	Running     int `json:"running"`
	DoneToday   int `json:"done_today"`
	FailedToday int `json:"failed_today"`
}

// Space is one file system that jobs write to.
type Space struct {
	Dir      string `json:"dir"`
	Free     int64  `json:"free"`
	Total    int64  `json:"total"`
	Reserved int64  `json:"reserved"` // by running jobs
}

// Status is .hyper2kvm/status.json, the daemon's heartbeat: replaced every 2 s and whenever something changes.
type Status struct {
	Schema    int       `json:"schema"`
	Seq       uint64    `json:"seq"`
	At        time.Time `json:"at"`
	StartedAt time.Time `json:"started_at"`
	StoppedAt time.Time `json:"stopped_at,omitzero"` // set by a clean stop
	Version   string    `json:"version"`
	PID       int       `json:"pid"`  // for people; liveness is the lock
	Mode      string    `json:"mode"` // disk or manifest
	State     string    `json:"state"`
	Reasons   []string  `json:"reasons,omitempty"` // why the state is degraded, full or paused
	Readiness string    `json:"readiness"`         // lease or timed
	// TimedSettleSeconds is how long a file must have been quiet where leases do not work; 0 is not known.
	TimedSettleSeconds float64   `json:"timed_settle_seconds,omitempty"`
	Watching           string    `json:"watching"` // inotify or polling
	LastScan           time.Time `json:"last_scan"`
	Workers            int       `json:"workers"`
	Busy               int       `json:"busy"`
	Counts             Counts    `json:"counts"`
	Held               []Held    `json:"held,omitempty"`
	HeldMore           int       `json:"held_more,omitempty"` // entries beyond MaxHeldPublished
	Space              []Space   `json:"space,omitempty"`
	OutputDir          string    `json:"output_dir"`
	ImportRoots        []string  `json:"import_roots,omitempty"`
	OutputRoots        []string  `json:"output_roots,omitempty"`
	// Acceleration says how appliances and boot tests run: "kvm", or "none: " and why; "" while it is not known.
	Acceleration string  `json:"acceleration,omitempty"`
	Tallies      []Tally `json:"tallies,omitempty"` // since the start of the daemon
}

// Liveness is what a client can tell about the daemon.
type Liveness string

// The answers. Running: the lock is held and the heartbeat is fresh. Hung: held and stale. NotRunning: the lock is free and
// there was a daemon once. NeverStarted: there is no lock file or no heartbeat.
const (
	LiveRunning      Liveness = "running"
	LiveHung         Liveness = "hung"
	LiveNotRunning   Liveness = "not-running"
	LiveNeverStarted Liveness = "never-started"
)

// HungAfter is the age of the heartbeat after which a daemon that holds the lock is called hung: several beats of 2 s.
const HungAfter = 10 * time.Second
