package manifest

import "time"

// ReportSchema is the version of Report written by this program.
const ReportSchema = 1

// Stage outcomes. A stage that did not run never looks like one that did.
const (
	StageDone    = "done"
	StageSkipped = "skipped"
	StageFailed  = "failed"
	StageNotRun  = "not-run" // an earlier stage failed
)

// Report is the answer to a Job: what was found, done, left out and proved. It stands as report.json beside the images.
type Report struct {
	Schema     int           `json:"schema"`
	ID         string        `json:"id"`     // the queue's id, "" for a conversion without a queue
	JobID      string        `json:"job_id"` // the stem of the entry's name
	Name       string        `json:"name"`   // VM name
	Status     string        `json:"status"` // success or failed
	Version    string        `json:"version"`
	StartedAt  time.Time     `json:"started_at"`
	FinishedAt time.Time     `json:"finished_at"`
	Seconds    float64       `json:"seconds"`
	Job        Job           `json:"job"`    // as resolved
	Stages     []StageReport `json:"stages"` // in order, all five
	Disks      []DiskReport  `json:"disks"`  // in the VM's order
	DomainXML  string        `json:"domain_xml,omitempty"`
	Guest      any           `json:"guest,omitempty"`   // what INSPECT found
	Machine    any           `json:"machine,omitempty"` // the VM as resolved
	Warnings   []Warning     `json:"warnings"`
	Error      *Failure      `json:"error,omitempty"`
}

// StageReport is one stage's part of a Report.
type StageReport struct {
	Name    string  `json:"name"`   // load, inspect, fix, convert, validate
	Status  string  `json:"status"` // one of the Stage constants
	Reason  string  `json:"reason,omitempty"`
	Seconds float64 `json:"seconds"`
}

// DiskReport is what became of one disk.
type DiskReport struct {
	Source         string   `json:"source"`                  // name of the file or archive member
	SourcePacked   string   `json:"source_packed,omitempty"` // gzip, xz, zstd or bzip2, if the file was compressed as a whole
	SourceFormat   string   `json:"source_format"`           // as found by content
	SourceVariant  string   `json:"source_variant,omitempty"`
	Chain          []string `json:"chain,omitempty"` // files of the chain, the top first, if there is more than one
	VirtualSize    int64    `json:"virtual_size"`
	AllocatedBytes int64    `json:"allocated_bytes"` // what the conversion had to read
	Output         string   `json:"output"`          // file name in the output directory
	OutputFormat   string   `json:"output_format"`
	OutputBytes    int64    `json:"output_bytes"` // size of the file
	ContentDigest  string   `json:"content_digest"`
	Proved         bool     `json:"proved"` // the output was read back and has the same digest
}

// Warning is something a person should know though the job went on.
type Warning struct {
	Code    string `json:"code"`
	Stage   string `json:"stage,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Failure says why a job failed: what, why, and what to type next.
type Failure struct {
	Code      string   `json:"code"` // H2K-AREA-NNN
	Stage     string   `json:"stage,omitempty"`
	Message   string   `json:"message"`             // one line
	Chain     []string `json:"exception,omitempty"` // the error chain, outermost first
	Retryable bool     `json:"retryable"`           // the same job may succeed later without being changed
	Hint      string   `json:"hint,omitempty"`      // the next command or edit
}
