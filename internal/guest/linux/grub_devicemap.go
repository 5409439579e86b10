package linux

import (
	"context"
	"strings"

	"hyper2kvm/internal/guest"
)

// deviceMapFixer takes GRUB's list of BIOS disks away where it names disks of the old machine. GRUB makes it anew when it needs one.
type deviceMapFixer struct{}

// Name implements guest.Fixer.
func (deviceMapFixer) Name() string { return "device-map" }

// Plan implements guest.Fixer.
func (deviceMapFixer) Plan(ctx context.Context, _ guest.System, tree guest.FS) (guest.Proposal, error) {
	files := &fileSet{tree: tree}
	gone := map[string]bool{}
	for _, name := range []string{"/boot/grub/device.map", "/boot/grub2/device.map", "/etc/grub2-device.map"} {
		at, content, err := files.read(ctx, name)
		if err != nil {
			return guest.Proposal{}, err
		}
		if at == "" || !gone[at] && !mapNamesDisks(string(content)) {
			continue
		}
		for _, n := range []string{at, name} { // the file, and a link to it
			if gone[n] {
				continue
			}
			if n != at {
				if info, err := tree.Lstat(ctx, n); err != nil || info.Mode.IsRegular() {
					continue // reached over a linked directory: the same file
				}
			}
			gone[n] = true
			if err := files.remove(ctx, n, "it maps BIOS disks to names that the disks had on the old machine"); err != nil {
				return guest.Proposal{}, err
			}
		}
	}
	return files.proposal, nil
}

// mapNamesDisks reports whether a device map has a line such as "(hd0) /dev/sda".
func mapNamesDisks(content string) bool {
	for line := range strings.Lines(content) {
		if f := strings.Fields(line); len(f) >= 2 && strings.HasPrefix(f[0], "(hd") && strings.HasPrefix(f[1], "/dev/") {
			return true
		}
	}
	return false
}
