// Package accel finds out whether hardware acceleration works here.
//
// A /dev/kvm that opens proves nothing: there are hosts, virtual machines among them, on which it opens, makes a VM and even runs old
// 16-bit code, and then stands still in the first kernel. So Probe starts a real VM with a few bytes of its own in place of a
// firmware, which take the steps that every kernel takes, and believes only what they say.
package accel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	// DefaultQEMU is the emulator that is looked for in PATH.
	DefaultQEMU = "qemu-system-x86_64"
	// DefaultTimeout is how long a trial VM may take. It takes a tenth of a second where acceleration works; the rest is for a host
	// that is very busy.
	DefaultTimeout = 10 * time.Second

	device = "/dev/kvm"
	// exitCode is what qemu's isa-debug-exit makes of the value that the trial code writes: value*2+1. qemu itself ends with 0 or 1.
	exitCode = exitValue<<1 | 1
)

// Options say how to probe. The zero value is good.
type Options struct {
	QEMU    string        // path, or name in PATH; "" is DefaultQEMU
	Timeout time.Duration // of the trial VM; 0 is DefaultTimeout
	Dir     string        // for the trial code, 64 KiB for a moment; "" is the system's directory for temporary files

	device      string // tests take another one
	accelerator string // kvm; tests take tcg, which works everywhere
}

// Result is what a probe found.
type Result struct {
	KVM  bool          // a VM ran with hardware acceleration
	Why  string        // why not, and what to do, in a line; "" if it works
	Took time.Duration // of the trial
}

func (o Options) withDefaults() Options {
	if o.QEMU == "" {
		o.QEMU = DefaultQEMU
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.device == "" {
		o.device = device
	}
	if o.accelerator == "" {
		o.accelerator = "kvm"
	}
	return o
}

// Probe starts a trial VM, for at most o.Timeout. There is no error: whatever stands in the way is the Why of a result that says no.
func Probe(ctx context.Context, o Options) Result {
	o = o.withDefaults()
	qemu, why := o.missing()
	if why != "" {
		return Result{Why: why}
	}
	begin := time.Now()
	why = o.try(ctx, qemu)
	return Result{KVM: why == "", Why: why, Took: time.Since(begin)}
}

// missing looks for what a trial needs: qemu, whose path it returns, and a device that opens.
func (o Options) missing() (qemu, why string) {
	qemu, err := exec.LookPath(o.QEMU)
	if err != nil {
		return "", fmt.Sprintf("%s was not found; install qemu-system-x86 (Debian, Ubuntu) or qemu-kvm (Fedora, RHEL, SUSE)", o.QEMU)
	}
	if qemu, err = filepath.Abs(qemu); err != nil {
		return "", err.Error()
	}
	f, err := os.OpenFile(o.device, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", "there is no " + o.device + ": virtualization is missing or switched off in the host's firmware, or the module kvm_intel or kvm_amd is not loaded"
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Sprintf("no permission to open %s: add the user %s to the group %s", o.device, userName(), groupOf(o.device))
	case err != nil:
		return "", err.Error()
	}
	f.Close()
	return qemu, ""
}

// try runs the trial VM and says why it did not do what it should; "" if it did.
func (o Options) try(ctx context.Context, qemu string) string {
	dir, err := os.MkdirTemp(o.Dir, "accel-")
	if err != nil {
		return "the trial VM could not be prepared: " + err.Error()
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left is 64 KiB among temporary files
	rom := filepath.Join(dir, "trial.rom")
	if err := os.WriteFile(rom, trialROM(), 0o600); err != nil {
		return "the trial VM could not be prepared: " + err.Error()
	}
	limited, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	cpu := "host"
	if o.accelerator != "kvm" {
		cpu = "max"
	}
	code, said, err := run(limited, qemu,
		"-accel", o.accelerator, "-cpu", cpu, "-machine", "q35", "-m", "16", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-bios", rom, "-device", fmt.Sprintf("isa-debug-exit,iobase=%#x,iosize=1", exitPort))
	switch {
	case ctx.Err() != nil:
		return "the trial VM was called off: " + context.Cause(ctx).Error()
	case limited.Err() != nil:
		return fmt.Sprintf("a trial VM stood still for %s, though %s opens: virtualization does not work on this host", o.Timeout, o.device)
	case err != nil:
		return "the trial VM could not be started: " + err.Error()
	case code == exitCode:
		return ""
	}
	if said == "" {
		said = fmt.Sprintf("it ended with status %d", code)
	}
	return "a trial VM did not run: " + said
}
