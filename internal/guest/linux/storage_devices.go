package linux

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// devices knows which volume a name in a guest's files means, over all disks of the VM.
type devices struct {
	system guest.System
	disks  int             // that hold something
	made   map[string]bool // names that the guest makes when it starts, as its crypttab and mdadm.conf say
	mixed  bool            // the guest counted its disks in another order than the VM's: kernel names mean what they fit
}

// fate is what becomes of a name.
type fate int

const (
	fateForeign fate = iota // no disk of the VM: left alone
	fateStable              // holds on every controller, and what it names is there
	fateFound               // names a volume in a way that does not last
	fateLost                // names nothing that could be found
)

// finding is what a name means.
type finding struct {
	fate   fate
	volume guest.Volume // of a fateFound, and of a fateStable where it is known
	why    string       // of a fateLost: what was not found
}

// use is one place that names a device.
type use struct {
	spec string
	want string // what must be there: a type of file system, swap, luks; "" = anything that can be mounted, "any" = no matter what
	root bool   // it is the file system that holds /
}

// newDevices reads what the guest itself says of the devices that it makes.
func newDevices(ctx context.Context, files *fileSet, system guest.System) (*devices, error) {
	d := &devices{system: system, made: map[string]bool{}, mixed: system.Renumbered}
	for _, v := range system.Volumes {
		d.disks = max(d.disks, v.Disk+1)
	}
	crypttab, err := files.text(ctx, "/etc/crypttab")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(crypttab) {
		if f := strings.Fields(line); len(f) >= 2 && f[0][0] != '#' {
			d.made["/dev/mapper/"+f[0]] = true
		}
	}
	for _, name := range []string{"/etc/mdadm.conf", "/etc/mdadm/mdadm.conf"} {
		conf, err := files.text(ctx, name)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(conf) {
			if f := strings.Fields(line); len(f) >= 2 && strings.EqualFold(f[0], "ARRAY") {
				d.made[f[1]] = true
				if n, ok := strings.CutPrefix(f[1], "/dev/md/"); ok {
					d.made["/dev/md"+n] = true // mdadm writes /dev/md/0 for what is /dev/md0 too
				}
			}
		}
	}
	fstab, err := files.text(ctx, "/etc/fstab")
	if err != nil {
		return nil, err
	}
	d.mixed = d.mixed || d.renumbered(fstab)
	return d, nil
}

// find says what a name means; aliases are the disks behind names of udev, see aliases.
func (d *devices) find(u use, aliases map[string]int) finding {
	if kind, value, ok := parseID(u.spec); ok {
		return d.findID(u, kind, value)
	}
	name, ok := strings.CutPrefix(u.spec, "/dev/")
	if !ok || foreignName(name) {
		return finding{}
	}
	if name == "root" {
		return d.rootVolume()
	}
	if n, ok := parseDiskName(name); ok && !d.mixed {
		return d.findPart(u, n.disk, n.part)
	}
	if base, part, ok := d.splitAlias(u.spec); ok {
		if base == "" {
			return d.findNamed("/dev/mapper/" + strings.TrimPrefix(name, "disk/by-id/dm-name-"))
		}
		disk, ok := aliases[base]
		if !ok {
			return finding{fate: fateLost, why: "which of the disks it names cannot be told"}
		}
		return d.findPart(u, disk, part)
	}
	f := d.findNamed(u.spec)
	if f.fate == fateLost && u.root && strings.HasPrefix(u.spec, "/dev/mapper/") && strings.HasPrefix(d.system.Root, "/dev/mapper/") {
		return finding{fate: fateStable} // the root is in LUKS, and the kernel's command line gives it this name: cryptdevice=, rd.luks.name=
	}
	return f
}

// findID says whether an id exists. Where several volumes have the root's, the one that was found to be it is meant.
func (d *devices) findID(u use, kind idKind, value string) finding {
	have := d.byID(kind, value)
	switch {
	case len(have) == 0 && d.locked():
		return finding{fate: fateLost, why: "nothing on the disks has it, unless it is inside of what is encrypted"}
	case len(have) == 0:
		return finding{fate: fateLost, why: "nothing on the disks has it"}
	}
	for _, v := range have[1:] {
		if root := d.rootVolume(); u.root && slices.ContainsFunc(have, func(v guest.Volume) bool { return v.Device == root.volume.Device }) && v.Type != "btrfs" {
			return root
		}
		if v.Type != have[0].Type || v.Type != "btrfs" && v.Type != "linux_raid_member" {
			return finding{fate: fateLost, why: fmt.Sprintf("%d volumes have it, and which one is taken is chance", len(have))}
		}
	}
	if len(have) > 1 {
		return finding{fate: fateStable} // one file system on several: no other id of one of them stands for it as well
	}
	return finding{fate: fateStable, volume: have[0]}
}

// locked reports whether there is something encrypted, so that not all ids are seen.
func (d *devices) locked() bool {
	for _, v := range d.system.Volumes {
		if v.Type == "crypto_LUKS" {
			return true
		}
	}
	return false
}

// findPart returns a partition of a disk, proved by what it holds. For the root file system it is the volume that was found to be it:
// the guest's order of disks may be another than the VM's.
func (d *devices) findPart(u use, disk, part int) finding {
	if u.root {
		if f := d.rootVolume(); f.fate == fateFound && f.volume.Disk >= 0 {
			return f
		}
	}
	for _, v := range d.system.Volumes {
		if v.Disk != disk || v.Partition != part || disk < 0 {
			continue
		}
		if !fits(v, u.want) {
			return finding{fate: fateLost, why: fmt.Sprintf("partition %d of disk %d holds %s, and %s is wanted", part, disk+1, orNothing(v.Type), orMountable(u.want))}
		}
		return finding{fate: fateFound, volume: v}
	}
	return finding{fate: fateLost, why: "no disk of the VM has such a partition with something on it"}
}

func (d *devices) rootVolume() finding {
	if v, ok := d.system.VolumeByDevice(d.system.Root); ok && d.system.Root != "" {
		return finding{fate: fateFound, volume: v}
	}
	return finding{fate: fateLost, why: "the root file system is not known"}
}

// findNamed looks for a logical volume, an array or another name that holds on every controller.
func (d *devices) findNamed(spec string) finding {
	want := mapperOf(spec)
	for _, v := range d.system.Volumes {
		if v.Device == spec && v.Disk < 0 || want != "" && mapperOf(v.Device) == want {
			return named(spec, v)
		}
		for _, n := range v.Names {
			if n == spec || want != "" && mapperOf(n) == want {
				return named(spec, v)
			}
		}
	}
	if d.made[spec] {
		return finding{fate: fateStable}
	}
	why := "nothing on the disks has that name"
	if strings.HasPrefix(spec, "/dev/mapper/mpath") {
		why = "the VM has no multipath devices"
	}
	return finding{fate: fateLost, why: why}
}

// named is a finding by name: /dev/dm-0 counts what it finds, other names are the volume's own.
func named(spec string, v guest.Volume) finding {
	if strings.HasPrefix(spec, "/dev/dm-") {
		return finding{fate: fateFound, volume: v}
	}
	return finding{fate: fateStable, volume: v}
}
