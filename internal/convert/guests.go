package convert

import (
	"context"
	"time"

	"hyper2kvm/internal/guest"
)

// Guests is how a run gets at the systems inside the disks: libguestfs and qemu of this host, or a double in tests.
type Guests interface {
	// Missing says why guests cannot be opened here, and why no VM can be started for a boot test, each in a line with what to
	// install; "" = they can.
	Missing(ctx context.Context) (repairs, boot string)
	// Open starts an appliance over drives, the VM's disks in order. Each is an overlay of this program's own making.
	Open(ctx context.Context, o ApplianceOptions) (Appliance, error)
	// Marker returns the files, by their names in the guest, with which a guest of that init prints a line on its first serial port
	// when it is up.
	Marker(line, init string) (map[string]guest.File, error)
	// Boot starts the VM on its drives and looks whether it comes up. The error says why no test could be made.
	Boot(ctx context.Context, t BootTest) (BootResult, error)
}

// ApplianceOptions say what an appliance stands on.
type ApplianceOptions struct {
	KVM    bool              // hardware acceleration works
	Drives []string          // absolute paths of qcow2 overlays
	Dir    string            // absolute directory for what it downloads; it is removed with the run
	Log    func(line string) // hears what goes on
}

// Appliance is an open guest.
type Appliance interface {
	guest.Target
	// Inspect finds the operating system, opening encrypted volumes with keys: passphrases by device or UUID, "" for any. bootDisk is the
	// disk that the VM starts from, -1 if nobody knows. Errors are guest.ErrNoSystem and guest.ErrEncrypted among others.
	Inspect(ctx context.Context, keys map[string]string, bootDisk int) (guest.System, []guest.Warning, error)
	// Mount mounts the system's file systems in their places and fills in what is free; without write nothing on the drives changes.
	Mount(ctx context.Context, system *guest.System, write bool) ([]guest.Warning, error)
	// Label gives files the labels that the guest's SELinux policy wants. Without SELinux it does nothing.
	Label(ctx context.Context, names []string) ([]guest.Warning, error)
	// Trim gives back what the mounted file systems do not use.
	Trim(ctx context.Context) ([]guest.Warning, error)
	// Check looks over the file systems, which must not be mounted, and changes nothing.
	Check(ctx context.Context, system guest.System) ([]guest.Warning, error)
	// Unmount unmounts everything that Mount mounted.
	Unmount(ctx context.Context) error
	// Close unmounts, writes everything out and ends the appliance. What it says of the drives holds only without an error.
	Close(ctx context.Context) error
}

// BootTest is a VM to be started on throw-away drives.
type BootTest struct {
	KVM      bool     // hardware acceleration works
	Drives   []string // absolute paths of qcow2 overlays
	BootDisk int      // index into Drives
	Firmware string   // bios or uefi
	Bus      string   // virtio or sata
	NICModel string   // virtio or e1000e
	MACs     []string // of the NICs, one for each; "" = any
	CPUs     int
	Memory   int    // MiB
	Marker   string // the line that the guest prints when it is up
	Dir      string // absolute directory for the serial log and the screenshot
	Timeout  time.Duration
}

// BootResult is how a VM started.
type BootResult struct {
	Passed     bool
	Why        string // one line
	Evidence   string // line of the serial console that decided
	Login      string // login prompt, if one was seen
	Took       time.Duration
	SerialLog  string // file names in BootTest.Dir; "" = none
	Screenshot string
}

// GuestSettings are the daemon's settings that bear on guests and results.
type GuestSettings struct {
	BootTimeout   time.Duration `json:"boot_timeout,omitempty"`
	AgentPackages string        `json:"agent_packages,omitempty"` // absolute directory; "" = none
	Owner         Ownership     `json:"owner,omitzero"`
}

// Ownership says who may read the files of a result. The zero value leaves them as they were made.
type Ownership struct {
	UID   *int   `json:"uid,omitempty"`
	GID   *int   `json:"gid,omitempty"`
	Mode  uint32 `json:"mode,omitempty"`  // permissions; 0 = as made
	Label string `json:"label,omitempty"` // SELinux context; "" = what the host's policy gives
}

// The memory that a look into a guest takes, for the budget that all jobs share, in MiB.
const (
	applianceMemory = 1536 // 1280 of the appliance, and qemu's own
	bootTestMemory  = 1280 // 1024 of the VM, and qemu's own
)
