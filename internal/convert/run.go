package convert

import (
	"context"
	"time"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/linux"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

// Request is one job to run.
type Request struct {
	ID    string       // of the queue; "" without one
	JobID string       // stem of the entry's name
	Job   manifest.Job // resolved

	// Files maps the names by which the job's own files know each other (plain or slash-separated relative names) to
	// absolute host paths. The Opener of a job opens these and nothing else. It holds absolute sources that the job's owner
	// was allowed to name under their absolute name; their siblings are opened in their own directory.
	Files map[string]string
	// Roots limits absolute sources of an owner who may not name any file: from the name to the directory below which it must
	// stand, with no symbolic link on the way from there.
	Roots map[string]string
	// Entry is the name in Files of what was dropped: a disk, an OVA, an OVF, a VMX or the manifest; "" for a folder.
	Entry string

	Partial string // absolute directory, exists and is empty: everything is built here
	Version string // of this program, for the report

	Guest GuestSettings // of the daemon
}

// Run is a conversion under way. A stage reads the fields that earlier stages filled and fills its own.
type Run struct {
	Request Request
	Events  Events
	Host    Host
	Clock   func() time.Time

	Plan    Plan             // by load
	Machine *machine.Machine // by load: the VM as described by OVF, VMX or manifest, and as built from the disks alone
	Sources []Source         // by load: the opened disks, in the VM's order
	Guest   guest.Facts      // by inspect
	Outputs []Output         // by convert; proved by validate
	Dir     string           // by validate: where the result will stand

	Warnings []manifest.Warning

	System   guest.System      // by inspect: the operating system; no Family where none was found
	Virtio   linux.Readiness   // by inspect, again by fix: what is proved of the guest's drivers
	Repairs  []manifest.Repair // by fix
	BootTest *manifest.BootTest
	Accel    *manifest.Accel // since an appliance was started
	Commands []manifest.Command

	guests   Guests       // how guests are opened
	temp     string       // an absolute directory for sockets, whose paths must be short; "" is that of the host
	session  *session     // from inspect to the end of fix
	repaired []disk.Image // by fix: what Sources[i].Image stands on since then
	noRepair string       // why fix has nothing to work on, by inspect
	undo     *undo        // by fix
	unclear  []string     // by fix: names of the fixers that warned of what they left as it is

	opened    *Opened // by load: what Sources stand on, closed at the end
	domainXML string  // by validate: file name of the domain XML
	stage     string  // name of the stage under way
	loading   *meter  // by load: of what it reads whole
	unpacked  int64   // by load: bytes of scratch files
	workers   int     // goroutines that encode; 0 = one for each processor
}

// warn keeps a warning for the report and tells it at once. The stage under way is filled in.
func (r *Run) warn(w manifest.Warning) {
	if w.Stage == "" {
		w.Stage = r.stage
	}
	w.Message = oneLine(w.Message)
	r.Warnings = append(r.Warnings, w)
	r.Events.Warning(w)
}

// Source is one opened source disk.
type Source struct {
	Name  string     // as the job names it, or the archive member
	Disk  int        // index into Machine.Disks
	Image disk.Image // the whole chain; a blank disk is an image without data
	Info  []disk.Info
	Facts DiskFacts
}

// Output is one written image.
type Output struct {
	Name   string // file name in Request.Partial
	Path   string // absolute, in Request.Partial
	Digest disk.Digest
	Bytes  int64 // size of the file
	Proved bool
}

// Stage is one step of the pipeline.
type Stage struct {
	Name string
	Skip func(*Run) string // a reason to leave the stage out; "" runs it
	Run  func(context.Context, *Run) error
}

// Events hears what a run does while it does it. Calls come from one goroutine at a time.
type Events interface {
	// Stage reports that a stage began, ended or is left out; status is "start" or one of manifest's Stage constants.
	Stage(name string, index, count int, status, reason string, took time.Duration)
	// Progress reports bytes done of bytes to do in the stage under way.
	Progress(stage string, done, total int64)
	// Log adds a line to the job's log.
	Log(stage, message string)
	// Warning reports what a person should know though the job goes on.
	Warning(manifest.Warning)
}

// SpaceNeed is an upper bound of what a run will write to one directory's file system.
type SpaceNeed struct {
	Dir   string `json:"dir"`
	Bytes int64  `json:"bytes"`
	Held  int64  `json:"held,omitempty"` // of Bytes: what the run has written already, so that it is not free any more
}

// Host is what a run asks of its surroundings.
type Host interface {
	// Reserve sets the space aside for this run, or waits until it can, or returns an error.
	Reserve(ctx context.Context, needs []SpaceNeed) error
	// Place decides where the result will stand when everything is proved: an absolute directory that does not exist yet,
	// for a VM of that name. The domain XML and the report name it.
	Place(ctx context.Context, vmName string) (dir string, err error)
	// Admit sets memory aside for an appliance or a boot test, in MiB, or waits until it can: many jobs at once must not starve the
	// host. A run has one admission at a time.
	Admit(ctx context.Context, mib int) (Admission, error)
}

// Admission is leave to start an appliance or a VM.
type Admission struct {
	KVM     bool   // hardware acceleration was tried and works
	Why     string // why not
	Release func() // gives the memory back; to be called once
}
