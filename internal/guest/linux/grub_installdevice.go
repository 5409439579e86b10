package linux

import (
	"context"
	"strings"

	"hyper2kvm/internal/guest"
)

// installDeviceFixer corrects the disks to which SUSE's packages of GRUB install it. The list keeps them by names of the old machine, and
// when they are gone the next upgrade of GRUB fails.
type installDeviceFixer struct{}

// Name implements guest.Fixer.
func (installDeviceFixer) Name() string { return "grub-installdevice" }

// Plan implements guest.Fixer.
func (installDeviceFixer) Plan(ctx context.Context, system guest.System, tree guest.FS) (guest.Proposal, error) {
	if system.Firmware == guest.FirmwareUEFI {
		return guest.Proposal{}, nil // nothing is installed to a boot sector
	}
	files := &fileSet{tree: tree}
	d, err := newDevices(ctx, files, system)
	if err != nil {
		return guest.Proposal{}, err
	}
	why := "the next upgrade of GRUB would look for a disk of the old machine; on KVM it is the one named now"
	err = files.edit(ctx, []string{"/etc/default/grub_installdevice"}, why, func(name, content string) string {
		return d.installLines(files, name, content)
	})
	return files.proposal, err
}

// installLines returns a list of disks, one a line, by the names that they have on KVM. Other lines are words for what is done to them.
func (d *devices) installLines(files *fileSet, name, content string) string {
	var out strings.Builder
	only := strings.Count(content, "/dev/") == 1
	for line := range strings.Lines(content) {
		disk := strings.TrimSpace(line)
		to, err := d.onKVM(disk, only)
		if err != nil {
			files.warn("Choose the disks anew with YaST's module for the boot loader in the guest, or the next upgrade of GRUB fails.", "%q is kept: %q: %v", name, clip(disk), err)
			return content
		}
		out.WriteString(strings.Replace(line, disk, to, 1))
	}
	return out.String()
}
