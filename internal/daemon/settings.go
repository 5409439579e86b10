package daemon

import (
	"slices"
	"time"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// Settings is what the daemon is told to do. A reload makes a new one; nothing changes one in place.
type Settings struct {
	Mode           string // disk or manifest
	WorkflowDir    string // absolute; only a restart changes it
	OutputDir      string // absolute
	Workers        int    // jobs that run at once, at least 1
	Defaults       manifest.Defaults
	ImportRoots    []string // absolute directories whose files manifests of anybody may name
	OutputRoots    []string // absolute directories where manifests of anybody may put results, beside OutputDir
	Operators      []string // user names that may cancel, retry and release jobs of others
	Settle         time.Duration
	TimedSettle    time.Duration // where writers cannot be seen
	MissingTimeout time.Duration // how long an entry waits for a file that it names
	TruncatedGrace time.Duration // how long an image that ends early waits for the rest
	Rescan         time.Duration // an unconditional look at the drop zone
	StallTimeout   time.Duration // without any sign of life from a child
	StopTimeout    time.Duration // for running jobs after SIGTERM
	KillAfter      time.Duration // between SIGTERM and SIGKILL of a child
	GuestMemory    int64         // MiB that appliances and boot tests may use together; only a restart changes it
	BootTimeout    time.Duration // of a boot test with KVM
	AgentPackages  string        // absolute directory, or ""
	Owner          convert.Ownership
	Retention      queue.Retention // what becomes of finished jobs
	Webhook        Webhook         // who hears of them
	Sandbox        bool            // the process of a job is confined to its own files
}

// ModeManifest leaves lone disks for manifests to name; ModeDisk converts them.
const (
	ModeDisk     = "disk"
	ModeManifest = "manifest"
)

// MaxCrashes is how often a job may kill its child before it fails: twice may be an accident of the host.
const MaxCrashes = queue.DefaultMaxCrashes

// aloneAfter is after how many deaths of the daemon during its runs a job runs alone: if it is the cause, no other job dies with it any
// more, and if it is not, it fails only after queue.DefaultMaxDeaths.
const aloneAfter = 2

// Reloadable says which fields differ between the running settings and new ones although only a restart can change them.
func (s Settings) Reloadable(next Settings) (blocked []string) {
	if s.WorkflowDir != next.WorkflowDir {
		blocked = append(blocked, "workflow_dir")
	}
	if s.Mode != next.Mode {
		blocked = append(blocked, "mode")
	}
	return blocked
}

// later says which fields differ that the inbox was given at the start.
func (s Settings) later(next Settings) (keys []string) {
	for _, f := range []struct {
		key       string
		now, next time.Duration
	}{
		{"settle", s.Settle, next.Settle}, {"timed_settle", s.TimedSettle, next.TimedSettle},
		{"missing_timeout", s.MissingTimeout, next.MissingTimeout}, {"poll_interval", s.Rescan, next.Rescan},
	} {
		if f.now != f.next {
			keys = append(keys, f.key)
		}
	}
	if s.GuestMemory != next.GuestMemory {
		keys = append(keys, "guest_memory_mb")
	}
	return keys
}

// clone returns a copy that shares nothing with s.
func (s Settings) clone() Settings {
	s.ImportRoots = slices.Clone(s.ImportRoots)
	s.OutputRoots = slices.Clone(s.OutputRoots)
	s.Operators = slices.Clone(s.Operators)
	s.Webhook.Events, s.Webhook.Secret = slices.Clone(s.Webhook.Events), slices.Clone(s.Webhook.Secret)
	return s
}
