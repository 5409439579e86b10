package linux

import (
	"context"
	"strings"

	"hyper2kvm/internal/guest"
)

// staleFixer takes away what remembers the disks of the old machine and would be believed: weeks later, when nobody thinks of the
// conversion any more.
type staleFixer struct{}

// Name implements guest.Fixer.
func (staleFixer) Name() string { return "stale" }

// staleFiles are files that the guest makes anew when it needs them, with the reason why they go.
var staleFiles = [][2]string{
	{"/etc/lvm/devices/system.devices", "LVM looks only at the devices in this list, and it has those of the old machine; without it LVM looks at all"},
	{"/etc/blkid.tab", "cache of device names of the old machine"},
	{"/etc/blkid.tab.old", "cache of device names of the old machine"},
	{"/etc/blkid/blkid.tab", "cache of device names of the old machine"},
	{"/etc/blkid/blkid.tab.old", "cache of device names of the old machine"},
	{"/run/blkid/blkid.tab", "cache of device names of the old machine"},
	{"/etc/lvm/cache/.cache", "cache of device names of the old machine"},
	{"/etc/lvm/.cache", "cache of device names of the old machine"},
}

// Plan implements guest.Fixer.
func (staleFixer) Plan(ctx context.Context, _ guest.System, tree guest.FS) (guest.Proposal, error) {
	files := &fileSet{tree: tree}
	for _, f := range staleFiles {
		at, _, err := files.read(ctx, f[0])
		if err != nil {
			return guest.Proposal{}, err
		}
		if at == "" {
			continue
		}
		if err := files.remove(ctx, at, f[1]); err != nil {
			return guest.Proposal{}, err
		}
	}
	if err := files.edit(ctx, []string{"/etc/multipath/bindings", "/etc/multipath/wwids"}, "disks of VMware are not there any more",
		func(name, content string) string { return dropVMwareDisks(files, name, content) }); err != nil {
		return guest.Proposal{}, err
	}
	return files.proposal, warnFilters(ctx, files)
}

// vmwareDisk is how the WWIDs of VMware's virtual disks begin: type 3, then the NAA 6 of VMware's number 00:0c:29.
const vmwareDisk = "36000c29"

// dropVMwareDisks turns the lines about disks of VMware into comments.
func dropVMwareDisks(files *fileSet, name, content string) string {
	var out strings.Builder
	for line := range strings.Lines(content) {
		if strings.Contains(strings.ToLower(line), vmwareDisk) && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			line = "#" + line
			files.warn("Where multipath names are used, name the file systems by UUID.", "%q knew disks of VMware as multipath devices; they are plain disks now", name)
		}
		out.WriteString(line)
	}
	return out.String()
}

// warnFilters names settings that let LVM or md look only at disks of other names; they are a person's intent and stay.
func warnFilters(ctx context.Context, files *fileSet) error {
	const hint = "Let the setting take in /dev/vd*, and rebuild the initramfs, or the volumes are not found on virtio."
	const message = "%q looks only at disks of the old names: %q"
	for _, name := range []string{"/etc/lvm/lvm.conf", "/etc/lvm/lvmlocal.conf"} {
		text, err := files.text(ctx, name)
		if err != nil {
			return err
		}
		for _, filter := range refusedByFilters(text) {
			files.warn(hint, message, name, clip(filter))
		}
	}
	for _, name := range []string{"/etc/mdadm.conf", "/etc/mdadm/mdadm.conf"} {
		text, err := files.text(ctx, name)
		if err != nil {
			return err
		}
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if word, _ := cutField(line); word == "DEVICE" && namesDisks(line) && !strings.Contains(line, "/dev/vd") {
				files.warn(hint, message, name, clip(line))
			}
		}
	}
	return nil
}

// namesDisks reports whether a line accepts disks by their kernels' names.
func namesDisks(line string) bool {
	for _, part := range []string{"/dev/sd", "/dev/hd", "/dev/xvd", "/dev/disk/by-path", "/dev/disk/by-id", "|sd", "|^/dev/sd"} {
		if strings.Contains(line, part) {
			return true
		}
	}
	return false
}

// clip shortens a line of a guest for a message.
func clip(line string) string {
	const most = 120
	if len(line) > most {
		return line[:most] + "..."
	}
	return line
}
