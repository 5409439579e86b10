package linux

import (
	"strconv"
	"strings"
)

// diskName is what a kernel's name of a disk says: sdb3 is partition 3 of disk 1.
type diskName struct {
	disk int // index among the disks of the VM; -1 where the name does not tell it
	part int // 0 = the whole disk
}

// parseDiskName reads a name below /dev that a kernel gives to disks in the order in which it finds them. ok is false for every other
// name.
func parseDiskName(name string) (n diskName, ok bool) {
	for _, prefix := range []string{"xvd", "sd", "hd", "vd"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return parseLetters(rest)
		}
	}
	if rest, ok := strings.CutPrefix(name, "nvme"); ok {
		return parseNumbered(rest, "n", nvmeDisk)
	}
	if rest, ok := strings.CutPrefix(name, "mmcblk"); ok {
		return parseNumbered(rest, "", func(disk, _ int) int { return disk })
	}
	for _, prefix := range []string{"cciss/c", "ida/c"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return parseNumbered(rest, "d", func(controller, disk int) int {
				if controller > 0 {
					return -1
				}
				return disk
			})
		}
	}
	return diskName{}, false
}

// maxLetters bounds the letters of a disk's name: sdzzz is disk 18277, and no VM has so many.
const maxLetters = 3

// parseLetters reads the b3 of sdb3.
func parseLetters(s string) (diskName, bool) {
	n := 0
	disk := 0
	for n < len(s) && s[n] >= 'a' && s[n] <= 'z' {
		disk = disk*26 + int(s[n]-'a') + 1
		if n++; n > maxLetters {
			return diskName{}, false
		}
	}
	if n == 0 {
		return diskName{}, false
	}
	if s[n:] == "" {
		return diskName{disk: disk - 1}, true
	}
	part, ok := smallNumber(s[n:])
	return diskName{disk: disk - 1, part: part}, ok && part > 0
}

// parseNumbered reads the 0n1p2 of nvme0n1p2: two numbers with between in the middle (one where that is ""), and a partition after p.
func parseNumbered(s, between string, disk func(first, second int) int) (diskName, bool) {
	s, partition, hasPart := strings.Cut(s, "p")
	part := 0
	if hasPart {
		var ok bool
		if part, ok = smallNumber(partition); !ok || part == 0 {
			return diskName{}, false
		}
	}
	second := 0
	if between != "" {
		a, b, ok := strings.Cut(s, between)
		if !ok {
			return diskName{}, false
		}
		if second, ok = smallNumber(b); !ok {
			return diskName{}, false
		}
		s = a
	}
	first, ok := smallNumber(s)
	if !ok {
		return diskName{}, false
	}
	return diskName{disk: disk(first, second), part: part}, true
}

// nvmeDisk is the disk of a controller and a namespace: VMware makes one namespace for each disk of a controller, others one controller
// for each disk.
func nvmeDisk(controller, namespace int) int {
	switch {
	case controller == 0:
		return namespace - 1
	case namespace == 1:
		return controller
	}
	return -1
}

// smallNumber reads a decimal number of up to four digits.
func smallNumber(s string) (int, bool) {
	if s == "" || len(s) > 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err == nil
}

// foreignName reports whether a name below /dev is none of the VM's disks: removable, made in memory, from a network.
func foreignName(name string) bool {
	for _, prefix := range []string{
		"loop", "ram", "zram", "sr", "scd", "cdrom", "cdrw", "dvd", "usb", "fd", "floppy", "nfs", "cifs", "nbd", "rbd", "drbd", "zvol/", "shm", "pts", "hugepages",
		"mqueue", "fuse", "null", "zero", "disk/by-id/usb-", "disk/by-id/dm-uuid-", "disk/by-id/md-uuid-", "disk/by-id/lvm-pv-uuid-",
	} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	if path, ok := strings.CutPrefix(name, "disk/by-path/"); ok {
		return strings.Contains(path, "-usb-") || strings.Contains(path, "iscsi-") || strings.Contains(path, "-fc-")
	}
	return false
}

// mapperName is the name below /dev/mapper of a logical volume: hyphens of its group's and its own name are doubled.
func mapperName(group, volume string) string {
	double := func(s string) string { return strings.ReplaceAll(s, "-", "--") }
	return double(group) + "-" + double(volume)
}
