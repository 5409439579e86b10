package convert

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/machine/domxml"
	"hyper2kvm/internal/manifest"
)

// writeDomain writes the libvirt domain with the paths of the place where the result will stand. The guest gets virtio where it is
// proved that it has the drivers, and else keeps controllers that it knows.
func writeDomain(ctx context.Context, r *Run) error {
	if err := r.place(ctx); err != nil {
		return err
	}
	r.Machine.Firmware = resolveFirmware(r.Machine.Firmware, r.Guest.Firmware)
	disks := make([]domxml.Disk, len(r.Outputs))
	for i, out := range r.Outputs {
		disks[i] = domxml.Disk{
			Path: filepath.Join(r.Dir, out.Name), Format: r.Plan.Disks[i].Format, Source: r.Machine.Disks[r.Sources[i].Disk],
			Bus: r.diskBus(),
		}
	}
	domain, err := domxml.Build(*r.Machine, disks, domxml.Options{
		BootDisk: bootDisk(r), Windows: r.System.Family == guest.FamilyWindows || isWindows(r.Machine.OSType, r.Request.Job.Machine.OSHint),
		VirtioDisk: r.Virtio.Block, VirtioNet: r.Virtio.Net, Networks: r.Request.Job.Machine.Networks, AddNIC: !r.opened.described && len(r.Machine.NICs) == 0,
	})
	if err != nil {
		return fmt.Errorf("describe the VM: %w", err)
	}
	for _, w := range domain.Warnings {
		r.warn(manifest.Warning{Code: manifest.CodeMachineAssumed, Message: w})
	}
	b, err := domain.Marshal()
	if err != nil {
		return fmt.Errorf("describe the VM: %w", err)
	}
	name := domainName(r.Request.Job.Name)
	if err := writeNew(filepath.Join(r.Request.Partial, name), b); err != nil {
		return err
	}
	r.domainXML = name
	return nil
}

// bootDisk returns the index of the disk to boot from: what the manifest says (Gather has put the lowest boot order first),
// else the disk that looks bootable, else the first.
func bootDisk(r *Run) int {
	for _, d := range r.Request.Job.Source.Disks {
		if d.BootOrder != nil {
			return 0
		}
	}
	for _, d := range r.Request.Job.Source.Disks {
		for i, s := range r.Sources {
			if d.Role == "boot" && s.Name == d.Path {
				return i
			}
		}
	}
	if r.Guest.BootDisk > 0 && r.Guest.BootDisk < len(r.Sources) {
		return r.Guest.BootDisk
	}
	return 0
}

// isWindows reports whether the description (windows9Server64Guest, Microsoft Windows Server 2019, win2k) or the manifest calls
// the guest a Windows.
func isWindows(osType, hint string) bool {
	osType = strings.ToLower(osType)
	return hint == "windows" || strings.HasPrefix(osType, "win") || strings.Contains(osType, "windows")
}
