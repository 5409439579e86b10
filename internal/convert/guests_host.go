package convert

import (
	"context"
	"fmt"
	"os/exec"

	"hyper2kvm/internal/boottest"
	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guestfs"
)

// HostGuests opens guests with the libguestfs of this host and starts them with its qemu.
type HostGuests struct{}

// Missing implements Guests.
func (HostGuests) Missing(ctx context.Context) (repairs, boot string) {
	if _, err := guestfs.Available(ctx); err != nil {
		repairs = err.Error()
	}
	if _, err := exec.LookPath(boottest.DefaultQEMU); err != nil {
		boot = boottest.DefaultQEMU + " is not in PATH: install qemu-system-x86 (RHEL, SUSE: qemu-kvm)"
	}
	return repairs, boot
}

// Open implements Guests.
func (HostGuests) Open(ctx context.Context, o ApplianceOptions) (Appliance, error) {
	var drives []guestfs.Drive
	for _, path := range o.Drives {
		drives = append(drives, guestfs.Drive{Path: path, Format: "qcow2"})
	}
	s, err := guestfs.Start(ctx, guestfs.Options{Drives: drives, KVM: o.KVM, Dir: o.Dir, Log: o.Log})
	if err != nil {
		return nil, err
	}
	return hostAppliance{s}, nil
}

// Marker implements Guests.
func (HostGuests) Marker(line, init string) (map[string]guest.File, error) {
	list, err := boottest.MarkerFiles(line, init)
	if err != nil {
		return nil, err
	}
	files := map[string]guest.File{}
	for _, f := range list {
		files[f.Path] = guest.File{Data: f.Data, Link: f.Link, Mode: f.Mode}
	}
	return files, nil
}

// slowdown is how much longer a boot may take without hardware acceleration.
const slowdown = 3

// Boot implements Guests.
func (HostGuests) Boot(ctx context.Context, t BootTest) (BootResult, error) {
	o := boottest.Options{
		KVM: t.KVM, Firmware: boottest.Firmware(t.Firmware), BootDisk: t.BootDisk, CPUs: t.CPUs, MemoryMiB: t.Memory, Marker: t.Marker,
		Timeout: t.Timeout, Dir: t.Dir,
	}
	if !t.KVM {
		o.Timeout *= slowdown
	}
	for _, path := range t.Drives {
		o.Disks = append(o.Disks, boottest.Disk{Path: path, Format: "qcow2", Bus: boottest.Bus(t.Bus)})
	}
	for _, mac := range t.MACs {
		o.NICs = append(o.NICs, boottest.NIC{Model: t.NICModel, MAC: mac})
	}
	r, err := boottest.Run(ctx, o)
	if err != nil {
		return BootResult{}, err
	}
	return BootResult{
		Passed: r.Passed, Why: r.Why, Evidence: r.Evidence, Login: r.Login, Took: r.Took, SerialLog: r.SerialLog, Screenshot: r.Screenshot,
	}, nil
}

// hostAppliance is a session of libguestfs as a run sees it.
type hostAppliance struct{ *guestfs.Session }

// Inspect implements Appliance.
func (a hostAppliance) Inspect(ctx context.Context, keys map[string]string, bootDisk int) (guest.System, []guest.Warning, error) {
	in, err := a.Session.Inspect(ctx, guestfs.InspectOptions{Keys: keys, BootDisk: bootDisk})
	return in.System, in.Warnings, err
}

// Trim implements Appliance. A file system that cannot give back its free blocks is converted with them.
func (a hostAppliance) Trim(ctx context.Context) ([]guest.Warning, error) {
	trimmed, err := a.Session.Trim(ctx)
	var warnings []guest.Warning
	for _, t := range trimmed {
		if t.Err != nil {
			warnings = append(warnings, guest.Warning{Fixer: "compact", Message: fmt.Sprintf("the free blocks of %s are converted too: %v", t.Point, t.Err)})
		}
	}
	return warnings, err
}

// Check implements Appliance.
func (a hostAppliance) Check(ctx context.Context, system guest.System) ([]guest.Warning, error) {
	found, err := a.Session.Check(ctx, system)
	return faults(found), err
}

// faults are the findings that a person should know: what has errors, and what nobody could look at.
func faults(found []guestfs.Finding) []guest.Warning {
	var warnings []guest.Warning
	for _, f := range found {
		switch {
		case !f.Checked:
			warnings = append(warnings, guest.Warning{Message: fmt.Sprintf("%s (%s) was not checked: %s", f.Device, f.Type, oneLine(f.Detail))})
		case !f.Clean:
			warnings = append(warnings, guest.Warning{
				Message: fmt.Sprintf("%s finds faults in %s (%s): %s", f.Tool, f.Device, f.Type, oneLine(f.Detail)),
				Hint:    "if the source has the same faults, repair them there and convert again",
			})
		}
	}
	return warnings
}
