package guestfs

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hyper2kvm/internal/guest"
)

// maxVolumes bounds what is looked at: the disks of a VM hold dozens of volumes, hostile ones any number.
const maxVolumes = 4096

// maxStack is how many layers may stand on a disk: partition, array, LUKS, LVM, and again.
const maxStack = 16

// volume is a block device of the appliance as lsblk lists it.
type volume struct {
	guest.Volume
	name     string   // below /dev, or /dev/mapper: sda1, vg-lv
	kname    string   // in the kernel: sda1, dm-0
	kind     string   // disk, part, lvm, raid1, crypt
	parents  []string // kernel's names of what it stands on
	children int
	disks    []int // that it stands on, over any layers
}

// listScript prints every block device, and the names that arrays have.
const listScript = `lsblk -P -b -o NAME,KNAME,HCTL,PKNAME,TYPE,FSTYPE,UUID,LABEL,PARTUUID,PARTLABEL,SIZE && ` +
	`for l in /dev/md/*; do if [ -L "$l" ]; then echo "ARRAY $l $(readlink -f "$l")"; fi; done`

// list lists what is on the drives.
func (s *Session) list(ctx context.Context) ([]volume, error) {
	out, err := s.shell(ctx, listScript)
	if err != nil {
		return nil, err
	}
	return parseVolumes(string(out), len(s.o.Drives))
}

// arrayName is what is believed of the name of an array, which comes from its superblock.
var arrayName = regexp.MustCompile(`^ARRAY (/dev/md/[A-Za-z0-9_.:+-]+) (/dev/md[0-9]+)$`)

// parseVolumes reads what listScript printed. A device that stands on several comes once for each.
func parseVolumes(text string, drives int) ([]volume, error) {
	var all []volume
	at := map[string]int{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if m := arrayName.FindStringSubmatch(line); m != nil {
			if i, ok := at[strings.TrimPrefix(m[2], "/dev/")]; ok {
				all[i].Names = append(all[i].Names, m[1])
			}
			continue
		}
		if line == "" || strings.HasPrefix(line, "ARRAY ") {
			continue
		}
		p, err := parsePairs(line)
		if err != nil {
			return nil, err
		}
		if i, ok := at[p["KNAME"]]; ok {
			all[i].parents = append(all[i].parents, p["PKNAME"])
			continue
		}
		v, ok, err := newVolume(p, all, at, drives)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if len(all) == maxVolumes {
			return nil, fmt.Errorf("%w: more than %d volumes", guest.ErrLimit, maxVolumes)
		}
		at[v.kname] = len(all)
		all = append(all, v)
	}
	link(all, at)
	return all, nil
}

// newVolume makes a volume of a line; ok is false for what is not on the drives.
func newVolume(p map[string]string, all []volume, at map[string]int, drives int) (v volume, ok bool, err error) {
	v = volume{name: p["NAME"], kname: p["KNAME"], kind: p["TYPE"]}
	v.Type, v.UUID, v.Label, v.PartUUID, v.PartLabel = p["FSTYPE"], p["UUID"], p["LABEL"], p["PARTUUID"], p["PARTLABEL"]
	v.Disk = -1
	if v.Size, err = strconv.ParseInt(p["SIZE"], 10, 64); err != nil || v.Size < 0 {
		return v, false, fmt.Errorf("guestfs: %.100q has the size %.40q", v.name, p["SIZE"])
	}
	if v.kind == "disk" {
		i, ok := diskIndex(p["HCTL"])
		if !ok || i >= drives {
			return v, false, nil // the appliance's own
		}
		v.Disk, v.disks, v.Device = i, []int{i}, "/dev/sd"+letters(i)
		return v, true, nil
	}
	parent, on := at[p["PKNAME"]]
	if !on {
		return v, false, nil
	}
	v.parents = []string{p["PKNAME"]}
	switch {
	case v.kind == "part":
		text, ok := strings.CutPrefix(v.name, all[parent].name)
		number, err := strconv.Atoi(strings.TrimPrefix(text, "p"))
		if !ok || err != nil || number < 1 {
			return v, false, nil // on a logical volume that a VM of the guest's has: not the guest's own
		}
		v.Partition = number
		v.Disk = all[parent].Disk
		v.Device = all[parent].Device + text
	case v.kind == "lvm":
		group, logical, found := splitMapper(v.name)
		if !found || internalVolume(logical) {
			return v, false, nil
		}
		v.Device = "/dev/" + group + "/" + logical
		v.Names = []string{"/dev/mapper/" + v.name}
	case strings.HasPrefix(v.kind, "raid") || v.kind == "linear" || v.kind == "md":
		v.Device = "/dev/" + v.name
	case v.kind == "crypt":
		v.Device = "/dev/mapper/" + v.name
	default:
		return v, false, nil
	}
	return v, true, nil
}

// kernel is the volume's name for programs that run in the appliance. It is not Device: libguestfs names disks by their place, the kernel
// by the order in which it met them, which differs from start to start.
func (v volume) kernel() string {
	if v.kind == "lvm" || v.kind == "crypt" {
		return "/dev/mapper/" + v.name
	}
	return "/dev/" + v.name
}

// link counts what stands on each volume, and finds the disks below each, layer by layer: a parent may be listed after its child.
func link(all []volume, at map[string]int) {
	for i := range all {
		for _, p := range all[i].parents {
			if j, ok := at[p]; ok {
				all[j].children++
			}
		}
	}
	for changed, layer := true, 0; changed && layer < maxStack; layer++ {
		changed = false
		for i := range all {
			was := len(all[i].disks)
			for _, p := range all[i].parents {
				if j, ok := at[p]; ok {
					all[i].disks = append(all[i].disks, all[j].disks...)
				}
			}
			slices.Sort(all[i].disks)
			all[i].disks = slices.Compact(all[i].disks)
			changed = changed || len(all[i].disks) != was
		}
	}
}

// diskIndex reads a drive's place from its SCSI address host:channel:target:lun: libguestfs gives drive n the target n, while the
// kernel names disks in the order in which it meets them.
func diskIndex(hctl string) (int, bool) {
	parts := strings.Split(strings.TrimSpace(hctl), ":")
	if len(parts) != 4 {
		return 0, false
	}
	i, err := strconv.Atoi(parts[2])
	return i, err == nil && i >= 0
}

// letters names disk i as the kernel does: a to z, aa, ab.
func letters(i int) string {
	name := ""
	for i++; i > 0; i = (i - 1) / 26 {
		name = string(rune('a'+(i-1)%26)) + name
	}
	return name
}

// disk is the opposite of letters; -1 for what is no such name.
func disk(letters string) int {
	n := 0
	for _, c := range letters {
		if c < 'a' || c > 'z' || n > maxDrives {
			return -1
		}
		n = n*26 + int(c-'a') + 1
	}
	return n - 1
}

// splitMapper takes a name of the device mapper apart: a single dash parts group and volume, a double one is a dash (LVM2
// lib/misc/lvm-string.c, build_dm_name).
func splitMapper(name string) (group, logical string, ok bool) {
	for i := 0; i < len(name); i++ {
		if name[i] != '-' {
			continue
		}
		if i+1 < len(name) && name[i+1] == '-' {
			i++
			continue
		}
		undo := func(s string) string { return strings.ReplaceAll(s, "--", "-") }
		group, logical = undo(name[:i]), undo(name[i+1:])
		return group, logical, group != "" && logical != ""
	}
	return "", "", false
}

// internalVolume tells the parts of which LVM makes a volume: they have no name of their own in /dev.
func internalVolume(logical string) bool {
	for _, end := range []string{"_tmeta", "_tdata", "_cmeta", "_cdata", "_corig", "_vorigin", "_pmspare", "-real", "-cow", "-tpool", "_mlog", "_imeta", "_iorig"} {
		if strings.HasSuffix(logical, end) {
			return true
		}
	}
	return strings.Contains(logical, "_rimage_") || strings.Contains(logical, "_rmeta_") || strings.Contains(logical, "_mimage_")
}

// contents is what a report shows of volumes: a disk that only carries partitions is none.
func contents(all []volume) []guest.Volume {
	out := []guest.Volume{}
	for _, v := range all {
		if v.Type != "" || v.children == 0 {
			out = append(out, v.Volume)
		}
	}
	return out
}
