package linux

import (
	"maps"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// maxAliases is how many different names of disks one file may have before nothing is concluded from them; no VM has more disks.
const maxAliases = 256

// splitAlias splits a name that udev makes of the hardware, such as /dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:1:0-part2, into that of
// the disk and the partition. The base is "" for by-id names of the device mapper.
func splitAlias(spec string) (base string, part int, ok bool) {
	if strings.HasPrefix(spec, "/dev/disk/by-id/dm-name-") {
		return "", 0, true
	}
	if !byHardware(spec) {
		return "", 0, false
	}
	if i := strings.LastIndex(spec, "-part"); i >= 0 {
		if n, ok := smallNumber(spec[i+len("-part"):]); ok && n > 0 {
			spec, part = spec[:i], n
		}
	}
	if strings.Contains(spec, "-ata-") {
		spec = strings.TrimSuffix(spec, ".0") // newer udev writes ata-1.0 for ata-1
	}
	return spec, part, true
}

// splitAlias also takes kernel names as names of some disk, where the guest's order of disks is not the VM's.
func (d *devices) splitAlias(spec string) (base string, part int, ok bool) {
	if n, ok := parseDiskName(strings.TrimPrefix(spec, "/dev/")); ok && d.mixed {
		return kernelOrder + wholeDisk(strings.TrimPrefix(spec, "/dev/"), n.part), n.part, true
	}
	return splitAlias(spec)
}

// kernelOrder begins the bases that kernel names get.
const kernelOrder = "disk "

// byHardware reports whether a name is made of the controller or of what a disk says of itself.
func byHardware(spec string) bool {
	return strings.HasPrefix(spec, "/dev/disk/by-path/") || strings.HasPrefix(spec, "/dev/disk/by-id/")
}

// aliases tells which disk each name of a disk means, from all uses in a file together. Told is what only one disk fits: by what all
// its partitions must hold, by the root file system, by elimination among paths, by what is another entry's already, and by the order of the addresses on a controller
// whose disks are all named. A name that stays open is not in the answer.
func (d *devices) aliases(uses []use) map[string]int {
	fitting, parts := map[string][]int{}, map[string][]int{}
	taken := map[string]bool{} // volumes that are known to be those of entries
	for _, u := range uses {
		if kind, value, ok := parseID(u.spec); ok {
			taken[d.findID(u, kind, value).volume.Device] = true
		}
		base, part, ok := d.splitAlias(u.spec)
		if !ok || base == "" || foreignName(strings.TrimPrefix(u.spec, "/dev/")) {
			continue
		}
		disks, seen := fitting[base]
		if !seen {
			if len(fitting) == maxAliases {
				return nil
			}
			disks = d.allDisks()
		}
		fitting[base] = slices.DeleteFunc(disks, func(disk int) bool { return !d.diskFits(u, disk, part) })
		parts[base] = append(parts[base], part)
	}
	told := map[string]int{}
	for range fitting {
		before := len(told)
		for _, base := range slices.Sorted(maps.Keys(fitting)) {
			if free := d.untaken(fitting[base], parts[base], taken); len(free) == 1 {
				fitting[base] = free
			}
			if disks := fitting[base]; len(disks) == 1 {
				told[base] = disks[0]
				eliminate(fitting, base)
			}
		}
		if len(told) == before {
			break
		}
	}
	d.rank(fitting, told)
	return told
}

// untaken returns those disks on which none of the partitions is what another entry is known to be. A btrfs may be mounted often.
func (d *devices) untaken(disks, parts []int, taken map[string]bool) []int {
	return slices.DeleteFunc(slices.Clone(disks), func(disk int) bool {
		return slices.ContainsFunc(d.system.Volumes, func(v guest.Volume) bool {
			return v.Disk == disk && slices.Contains(parts, v.Partition) && taken[v.Device] && v.Type != "btrfs"
		})
	})
}

func (d *devices) allDisks() []int {
	disks := make([]int, 0, min(d.disks, len(d.system.Volumes)))
	for _, v := range d.system.Volumes {
		if v.Disk >= 0 && !slices.Contains(disks, v.Disk) {
			disks = append(disks, v.Disk)
		}
	}
	slices.Sort(disks)
	return disks
}

func (d *devices) diskFits(u use, disk, part int) bool {
	if u.root {
		if f := d.rootVolume(); f.fate == fateFound && f.volume.Disk >= 0 {
			return f.volume.Disk == disk
		}
	}
	return slices.ContainsFunc(d.system.Volumes, func(v guest.Volume) bool {
		return v.Disk == disk && v.Partition == part && fits(v, u.want)
	})
}

// eliminate takes the one disk of a path from the other paths: two paths are two disks, and so are two kernel names. By-id names of one
// disk may be several.
func eliminate(fitting map[string][]int, base string) {
	disk := fitting[base][0]
	for other, disks := range fitting {
		for _, kind := range []string{"/dev/disk/by-path/", kernelOrder} {
			if other != base && strings.HasPrefix(base, kind) && strings.HasPrefix(other, kind) {
				fitting[other] = slices.DeleteFunc(slices.Clone(disks), func(n int) bool { return n == disk })
			}
		}
	}
}

// rank tells the paths that are still open where all disks are named and stand on one controller: its addresses are in the order of the
// disks.
func (d *devices) rank(fitting map[string][]int, told map[string]int) {
	controller := ""
	var bases []string
	for base := range fitting {
		c, _ := splitController(base)
		if !strings.HasPrefix(base, "/dev/disk/by-path/") || controller != "" && c != controller {
			return
		}
		controller = c
		bases = append(bases, base)
	}
	if len(bases) != d.disks {
		return
	}
	slices.SortFunc(bases, func(a, b string) int {
		_, x := splitController(a)
		_, y := splitController(b)
		return slices.Compare(numbersOf(x), numbersOf(y))
	})
	for disk, base := range bases {
		if had, ok := told[base]; ok && had != disk {
			return // the order is another one: nothing follows from it
		}
	}
	for disk, base := range bases {
		if slices.Contains(fitting[base], disk) {
			told[base] = disk
		}
	}
}

// splitController splits a path into the controller and the address behind it.
func splitController(base string) (controller, address string) {
	for _, between := range []string{"-scsi-", "-ata-", "-nvme-", "-lun-", "-sas-phy"} {
		if i := strings.LastIndex(base, between); i >= 0 {
			return base[:i], base[i+len(between):]
		}
	}
	return base, ""
}

// numbersOf reads the numbers of an address such as 0:0:1:0.
func numbersOf(address string) []int {
	var ns []int
	for part := range strings.FieldsFuncSeq(address, func(r rune) bool { return r < '0' || r > '9' }) {
		n, _ := smallNumber(part)
		ns = append(ns, n)
	}
	return ns
}
