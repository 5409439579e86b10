// Package doctor checks what the product needs from the host, and says with each finding what to type.
package doctor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/boottest"
	"hyper2kvm/internal/guest/guestfs"
)

// Verdict is what a check comes to.
type Verdict string

// The verdicts. Warn: something works less well, or not at all without being needed by everybody.
const (
	OK   Verdict = "ok"
	Warn Verdict = "warn"
	Fail Verdict = "fail"
)

// Finding is the result of one check.
type Finding struct {
	Check   string  `json:"check"` // short name
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail"`        // one line
	Fix     string  `json:"fix,omitempty"` // the line to type, or what to do
}

// Options say what to look at.
type Options struct {
	WorkflowDir string // absolute; "" = there is none yet
	OutputDir   string // absolute; "" = not known
	// Settings is the daemon's configuration file, and SettingsFault what is wrong with it; "" = there is none, or nothing.
	Settings, SettingsFault string
	Directories             []string // absolute: where the configuration lets the daemon write
	Sources                 []string // absolute: its import roots
	Accel                   func(ctx context.Context) (kvm bool, why string)
	Daemon                  func() (running bool, text string)             // nil leaves the daemon out
	Unit                    func(ctx context.Context) (u Unit, there bool) // nil leaves systemd out
	Clock                   func() time.Time
}

// check is one row of the list.
type check struct {
	name string
	run  func(context.Context, Options) (Verdict, string, string)
}

// checks is the list, in the order in which it is printed.
var checks = []check{
	{"libguestfs", checkGuestfs},
	{"kernels", checkKernels},
	{"qemu", checkQEMU},
	{"kvm", checkKVM},
	{"uefi", checkUEFI},
	{"libvirt", checkLibvirt},
	{"settings", checkSettings},
	{"unit", checkUnit},
	{"workflow", checkWorkflow},
	{"one mount", checkOneMount},
	{"leases", checkLeases},
	{"output", checkOutput},
	{"qemu user", checkQemuUser},
	{"space", checkSpace},
	{"watches", checkWatches},
	{"clock", checkClock},
	{"daemon", checkDaemon},
}

// Run makes every check.
func Run(ctx context.Context, o Options) []Finding {
	var found []Finding
	for _, c := range checks {
		v, detail, fix := c.run(ctx, o)
		if v == "" {
			continue // there is nothing to look at
		}
		found = append(found, Finding{Check: c.name, Verdict: v, Detail: detail, Fix: fix})
	}
	return found
}

func checkGuestfs(ctx context.Context, _ Options) (Verdict, string, string) {
	version, err := guestfs.Available(ctx)
	if err != nil {
		if _, missing := exec.LookPath("guestfish"); missing == nil {
			return Fail, err.Error(), "what it says; without libguestfs disks are converted as they are"
		}
		return Fail, err.Error(), "apt install libguestfs-tools, or dnf install guestfs-tools; without it disks are converted as they are"
	}
	return OK, version, ""
}

func checkQEMU(context.Context, Options) (Verdict, string, string) {
	path, err := exec.LookPath(boottest.DefaultQEMU)
	if err != nil {
		return Warn, boottest.DefaultQEMU + " is not in PATH: no boot tests", "apt install qemu-system-x86, or dnf install qemu-kvm"
	}
	return OK, path, ""
}

func checkKVM(ctx context.Context, o Options) (Verdict, string, string) {
	kvm, why := o.Accel(ctx)
	if kvm {
		return OK, "a VM was started with it", ""
	}
	return Warn, "guests are opened and tested without it, slowly: " + why, "switch virtualization on in the firmware, or nested virtualization in the hypervisor; usermod -aG kvm hyper2kvm"
}

func checkUEFI(context.Context, Options) (Verdict, string, string) {
	o, err := boottest.FindOVMF()
	if err != nil {
		return Warn, "there is no UEFI firmware: UEFI guests cannot be tested or started", "apt install ovmf, or dnf install edk2-ovmf"
	}
	return OK, o.Code, ""
}

func checkLibvirt(context.Context, Options) (Verdict, string, string) {
	path, err := exec.LookPath("virsh")
	if err != nil {
		return Warn, "virsh is not here; it is not needed to convert, only to start the result on this host", "apt install libvirt-daemon-system, or dnf install libvirt"
	}
	return OK, path, ""
}

// stateDirs are the directories of a workflow directory that jobs move between.
var stateDirs = []string{"to_be_processed", "processing", "processed", "failed", ".hyper2kvm"}

func checkWorkflow(_ context.Context, o Options) (Verdict, string, string) {
	if o.WorkflowDir == "" {
		return Warn, "there is no workflow directory yet", "systemctl start hyper2kvm-workflow"
	}
	zone := filepath.Join(o.WorkflowDir, "to_be_processed")
	if err := unix.Access(zone, unix.W_OK|unix.X_OK); err != nil {
		return Fail, fmt.Sprintf("%s cannot be written by %s: %v", zone, me(), err), "usermod -aG hyper2kvm " + me() + ", and log in again"
	}
	return OK, o.WorkflowDir, ""
}

func checkOneMount(_ context.Context, o Options) (Verdict, string, string) {
	if o.WorkflowDir == "" {
		return "", "", ""
	}
	var first unix.Stat_t
	for i, d := range stateDirs {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(o.WorkflowDir, d), &st); err != nil {
			continue // checkWorkflow, or the daemon, tells
		}
		switch {
		case i == 0 || first.Ino == 0:
			first = st
		case st.Dev != first.Dev:
			return Fail, d + " is on another file system than " + stateDirs[0] + ": a rename cannot move jobs", "put the whole workflow directory on one file system"
		}
	}
	return OK, "a rename moves jobs", ""
}

// checkLeases tries what the daemon uses to see whether a file is still being written.
func checkLeases(_ context.Context, o Options) (Verdict, string, string) {
	if o.WorkflowDir == "" {
		return "", "", ""
	}
	f, err := os.CreateTemp(filepath.Join(o.WorkflowDir, "to_be_processed"), ".hyper2kvm-doctor-*")
	if err != nil {
		return Warn, "cannot be tried: " + err.Error(), ""
	}
	path := f.Name()
	defer os.Remove(path) //nolint:errcheck // the doctor's own empty file
	f.Close()
	r, err := os.Open(path)
	if err != nil {
		return Warn, "cannot be tried: " + err.Error(), ""
	}
	defer r.Close()
	if _, err := unix.FcntlInt(r.Fd(), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		return Warn, "this file system has no leases: a file is ready when it has not changed for timed_settle", "use a local file system for the workflow directory"
	}
	return OK, "a paused writer is seen", ""
}

func checkOutput(_ context.Context, o Options) (Verdict, string, string) {
	if o.OutputDir == "" {
		return "", "", ""
	}
	st, err := os.Stat(o.OutputDir)
	if err != nil || !st.IsDir() {
		return Warn, o.OutputDir + " is not there; the daemon makes it when it starts", "systemctl start hyper2kvm-workflow"
	}
	return OK, o.OutputDir, ""
}

// lowSpace is the free space below which large disks will wait: the room of one common disk.
const lowSpace = 50 << 30

func checkSpace(_ context.Context, o Options) (Verdict, string, string) {
	var parts []string
	verdict, fix := OK, ""
	for _, dir := range []string{o.WorkflowDir, o.OutputDir} {
		var st unix.Statfs_t
		if dir == "" || unix.Statfs(dir, &st) != nil {
			continue
		}
		free := int64(st.Bavail) * st.Bsize
		parts = append(parts, fmt.Sprintf("%d GiB free in %s", free>>30, dir))
		if free < lowSpace {
			verdict, fix = Warn, "jobs that do not fit wait; free space, or set output_dir to a larger file system"
		}
	}
	if len(parts) == 0 {
		return "", "", ""
	}
	return verdict, strings.Join(parts, ", "), fix
}

// fewInstances is how many inotify instances a host should allow a user: the daemon, watching clients and whatever else runs as that user.
const fewInstances = 64

func checkWatches(context.Context, Options) (Verdict, string, string) {
	b, err := os.ReadFile("/proc/sys/fs/inotify/max_user_instances")
	if err != nil {
		return "", "", ""
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err == nil && n < fewInstances {
		return Warn, fmt.Sprintf("only %d inotify instances a user", n), "sysctl fs.inotify.max_user_instances=512"
	}
	return OK, "files are seen at once", ""
}

// builtAfter is a time that no right clock shows less than.
var builtAfter = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func checkClock(_ context.Context, o Options) (Verdict, string, string) {
	now := o.Clock()
	if now.Before(builtAfter) {
		return Fail, "the clock says " + now.Format(time.DateTime) + ": results go into directories by date", "timedatectl set-ntp true"
	}
	return OK, now.Format("2006-01-02 15:04 MST"), ""
}

func checkDaemon(_ context.Context, o Options) (Verdict, string, string) {
	if o.Daemon == nil {
		return "", "", ""
	}
	running, text := o.Daemon()
	if running {
		return OK, text, ""
	}
	return Warn, text, "systemctl start hyper2kvm-workflow; journalctl -u hyper2kvm-workflow"
}

func me() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}
