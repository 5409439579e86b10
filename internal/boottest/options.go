package boottest

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"time"
)

// The kinds of errors: they say that no test could be made, and nothing of the guest. Test with errors.Is.
var (
	ErrUnavailable = errors.New("a VM cannot be started on this host") // qemu or a firmware is missing
	ErrStart       = errors.New("the VM did not run")                  // qemu refused, ended by itself, or has a disk that fails
	ErrOptions     = errors.New("the VM cannot be as it was asked for")
)

// Firmware is what starts the guest.
type Firmware string

// The firmwares. Secure Boot is off.
const (
	BIOS Firmware = "bios"
	UEFI Firmware = "uefi"
)

// Bus is what a disk is attached to.
type Bus string

// The buses of disks.
const (
	Virtio Bus = "virtio" // virtio-blk
	SCSI   Bus = "scsi"   // virtio-scsi
	SATA   Bus = "sata"   // AHCI
)

// Models of NICs.
const (
	NICVirtio = "virtio"
	NICE1000e = "e1000e"
)

const (
	// DefaultQEMU is the emulator that is looked for in PATH.
	DefaultQEMU = "qemu-system-x86_64"
	// DefaultTimeout is how long a guest may take with KVM: a server with many services is up in less than two minutes, and one that
	// waits for a network that is not there in less than five.
	DefaultTimeout = 5 * time.Minute
	// DefaultTimeoutTCG is that without KVM, where everything takes five to twenty times as long, and waiting as long as ever.
	DefaultTimeoutTCG = 15 * time.Minute
	// DefaultMemoryMiB is enough for every Linux server to come up.
	DefaultMemoryMiB = 1024

	maxDisks = 24
	maxNICs  = 10 // of a VM of VMware's
	// maxPorts is how many devices fit on q35's root bus, a port and a slot each: of 32 slots, four are taken (host bridge, screen,
	// the chipset's devices in the last one) or left free.
	maxPorts = 28
	maxCPUs  = 16
)

// Options say which VM to start.
type Options struct {
	QEMU     string // path, or name in PATH; "" is DefaultQEMU
	KVM      bool   // hardware acceleration works here
	Firmware Firmware
	OVMF     OVMF   // for UEFI; the zero value takes the first of KnownOVMF that is there
	Disks    []Disk // 1 to 24
	BootDisk int    // index into Disks
	NICs     []NIC  // at most 10
	CPUs     int    // 0 is 2, at most 16
	// MemoryMiB is the memory of the guest; 0 is DefaultMemoryMiB.
	MemoryMiB int
	Marker    string        // the token that was given to MarkerFiles
	Timeout   time.Duration // 0 is DefaultTimeout or DefaultTimeoutTCG
	Dir       string        // absolute; the serial log and the screenshot are put there
}

// Disk is a disk of the VM. What the guest writes goes into Path: an overlay to be thrown away.
type Disk struct {
	Path   string // absolute
	Format string // as qemu names it; "" is qcow2
	Bus    Bus    // "" is Virtio
}

// NIC is a network interface of the VM. It is given an address and reaches nothing.
type NIC struct {
	Model string // NICVirtio or NICE1000e; "" is NICVirtio
	MAC   string // six pairs of hexadecimal digits with colons; "" is any
}

// Result is what a test showed.
type Result struct {
	Passed     bool
	Why        string        // one line: what decided
	Evidence   string        // the line of the console that decided; "" if none did
	Login      string        // the login prompt, where one was seen
	Accel      string        // kvm or tcg
	Took       time.Duration // from the start of the VM to the decision
	SerialLog  string        // file name in Options.Dir
	Screenshot string        // file name in Options.Dir, a PNG; "" if there is none
}

var (
	macAddress = regexp.MustCompile(`^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$`)
	token      = regexp.MustCompile(`^[0-9A-Za-z-]{16,64}$`)
	formatName = regexp.MustCompile(`^[a-z0-9-]{1,16}$`)
)

// complete checks the options and fills in what was left out.
func (o Options) complete() (Options, error) {
	fail := func(format string, args ...any) (Options, error) {
		return Options{}, fmt.Errorf("boot test: %w: "+format, append([]any{ErrOptions}, args...)...)
	}
	switch {
	case o.Firmware != BIOS && o.Firmware != UEFI:
		return fail("firmware %q; bios and uefi are known", o.Firmware)
	case len(o.Disks) < 1 || len(o.Disks) > maxDisks:
		return fail("%d disks; 1 to %d are possible", len(o.Disks), maxDisks)
	case o.BootDisk < 0 || o.BootDisk >= len(o.Disks):
		return fail("boot disk %d of %d", o.BootDisk, len(o.Disks))
	case len(o.NICs) > maxNICs:
		return fail("%d NICs, at most %d", len(o.NICs), maxNICs)
	case o.CPUs < 0 || o.CPUs > maxCPUs:
		return fail("%d CPUs, at most %d", o.CPUs, maxCPUs)
	case o.MemoryMiB < 0:
		return fail("%d MiB of memory", o.MemoryMiB)
	case !token.MatchString(o.Marker):
		return fail("the marker is not 16 to 64 letters, digits and hyphens")
	case !filepath.IsAbs(o.Dir):
		return fail("the directory %q is not absolute", o.Dir)
	}
	disks := make([]Disk, len(o.Disks))
	for i, d := range o.Disks {
		d.Format, d.Bus = cmp.Or(d.Format, "qcow2"), cmp.Or(d.Bus, Virtio)
		switch {
		case !filepath.IsAbs(d.Path):
			return fail("the path of disk %d, %q, is not absolute", i+1, d.Path)
		case !formatName.MatchString(d.Format):
			return fail("format %q of disk %d", d.Format, i+1)
		case d.Bus != Virtio && d.Bus != SCSI && d.Bus != SATA:
			return fail("bus %q of disk %d; virtio, scsi and sata are known", d.Bus, i+1)
		}
		disks[i] = d
	}
	nics := make([]NIC, len(o.NICs))
	for i, n := range o.NICs {
		n.Model = cmp.Or(n.Model, NICVirtio)
		switch {
		case n.Model != NICVirtio && n.Model != NICE1000e:
			return fail("model %q of NIC %d; virtio and e1000e are known", n.Model, i+1)
		case n.MAC != "" && !macAddress.MatchString(n.MAC):
			return fail("MAC address %q of NIC %d", n.MAC, i+1)
		}
		nics[i] = n
	}
	o.Disks, o.NICs = disks, nics
	o.QEMU, o.CPUs, o.MemoryMiB = cmp.Or(o.QEMU, DefaultQEMU), cmp.Or(o.CPUs, 2), cmp.Or(o.MemoryMiB, DefaultMemoryMiB)
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeoutTCG
		if o.KVM {
			o.Timeout = DefaultTimeout
		}
	}
	return o, nil
}
