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
	Guest      any           `json:"guest,omitempty"`   // what INSPECT found on the disks
	System     any           `json:"system,omitempty"`  // the operating system that it found
	Repairs    []Repair      `json:"repairs,omitempty"` // what FIX did, in order; in a dry run what it would do
	Undo       string        `json:"undo,omitempty"`    // file name of an archive with every file that FIX changed as it was before
	Virtio     any           `json:"virtio,omitempty"`  // what is proved of the guest's virtio drivers
	Accel      *Accel        `json:"acceleration,omitempty"`
	BootTest   *BootTest     `json:"boot_test,omitempty"`
	Commands   []Command     `json:"commands,omitempty"` // external programs that ran, in order
	Machine    any           `json:"machine,omitempty"`  // the VM as resolved
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

// Repair is one change that FIX made to a guest: a file, or a command of the guest's own that ran.
type Repair struct {
	Fixer   string   `json:"fixer"`
	Path    string   `json:"path,omitempty"` // in the guest
	Why     string   `json:"why"`
	Diff    string   `json:"diff,omitempty"` // unified
	Command []string `json:"command,omitempty"`
	Proof   string   `json:"proof,omitempty"`  // what the command's work was looked at for
	Output  string   `json:"output,omitempty"` // the end of what the command printed
	Failed  string   `json:"failed,omitempty"` // why an optional command left things as they were
	Seconds float64  `json:"seconds,omitempty"`
}

// Accel says how appliances and boot tests ran.
type Accel struct {
	KVM bool   `json:"kvm"`
	Why string `json:"why,omitempty"` // why not
}

// Command is an external program that ran on the host for a job.
type Command struct {
	Name    string  `json:"name"` // without directory: guestfish, qemu-system-x86_64
	Seconds float64 `json:"seconds"`
	Failed  string  `json:"failed,omitempty"` // why it could not do its work; what it found wrong in the guest is no failure
}

// BootTest is how the converted VM started on a throw-away copy.
type BootTest struct {
	Passed     bool    `json:"passed"`
	Why        string  `json:"why"`                // one line: the evidence, or what went wrong
	Evidence   string  `json:"evidence,omitempty"` // the line of the serial console that decided
	Login      string  `json:"login,omitempty"`    // login prompt, if one was seen
	Seconds    float64 `json:"seconds"`
	Disks      string  `json:"disks"` // bus of the disks: virtio, sata
	Firmware   string  `json:"firmware"`
	SerialLog  string  `json:"serial_log,omitempty"` // file names below the output directory
	Screenshot string  `json:"screenshot,omitempty"`
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
