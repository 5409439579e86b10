package linux

import (
	"slices"
	"strings"
)

// renumbered reports whether an fstab tells that the guest counted its disks otherwise than the VM does: the root has another letter, names
// of two drivers stand beside each other, or by the VM's order two entries would be one volume. Data disks on PVSCSI are counted
// before a boot disk on another controller.
func (d *devices) renumbered(fstab string) bool {
	root := d.rootVolume()
	named := map[string]bool{root.volume.Device: false} // volumes, and whether that is by a kernel's name
	driver := ""
	for line := range strings.Lines(fstab) {
		l, ok := parseFstabLine(line)
		if !ok {
			continue
		}
		u := l.use()
		n, isDisk := parseDiskName(strings.TrimPrefix(u.spec, "/dev/"))
		if l.point == "/" && isDisk && root.fate == fateFound && root.volume.Disk >= 0 && n.disk != root.volume.Disk {
			return true
		}
		if d.disks < 2 || !l.device() || slices.Contains(strings.Split(l.options, ","), "noauto") {
			continue
		}
		found := finding{}
		if kind, value, ok := parseID(u.spec); ok {
			found = d.findID(u, kind, value)
		} else if isDisk && n.part > 0 {
			prefix := strings.TrimPrefix(u.spec, "/dev/")[:2]
			if driver != "" && driver != prefix {
				return true
			}
			driver = prefix
			found = d.findPart(u, n.disk, n.part)
		}
		if v := found.volume; v.Device != "" && v.Type != "btrfs" && l.point != "/" {
			if byKernel, twice := named[v.Device]; twice && (isDisk || byKernel) {
				return true
			}
			named[v.Device] = isDisk
		}
	}
	return false
}

// wholeDisk takes the partition off a kernel's name.
func wholeDisk(name string, part int) string {
	if part == 0 {
		return name
	}
	disk := strings.TrimRight(name, "0123456789")
	if s, ok := strings.CutSuffix(disk, "p"); ok && s != strings.TrimRight(s, "0123456789") {
		return s // nvme0n1p2, but not sdp2
	}
	return disk
}
