package guestfs

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hyper2kvm/internal/guest"
)

// entry is a line of fstab(5).
type entry struct {
	spec, point, kind string
	options           []string
}

// maxEntries bounds how many lines of an fstab are followed.
const maxEntries = 500

// parseFstab reads the lines that name a place in the tree, with \040 and its like undone.
func parseFstab(text string) []entry {
	var entries []entry
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 || strings.HasPrefix(f[0], "#") {
			continue
		}
		e := entry{spec: octal(strings.Trim(f[0], `"'`)), point: octal(f[1]), kind: f[2]}
		if len(f) > 3 {
			e.options = strings.Split(f[3], ",")
		}
		if !path.IsAbs(e.point) || len(entries) == maxEntries {
			continue
		}
		e.point = path.Clean(e.point)
		entries = append(entries, e)
	}
	return entries
}

// octal undoes \ooo.
func octal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// subvolume is what the options say of a btrfs subvolume.
func (e entry) subvolume() (string, bool) {
	for _, o := range e.options {
		if p, ok := strings.CutPrefix(o, "subvol="); ok {
			return strings.Trim(p, "/"), true
		}
	}
	return "", false
}

// has tells whether an option is there.
func (e entry) has(option string) bool { return slices.Contains(e.options, option) }

// mountable are the types of volumes that are mounted in the tree.
var mountable = append(slices.Clone(rootTypes), "vfat", "exfat", "minix", "ufs", "nilfs2")

// plan lists what the root's fstab mounts, / first and each point after the one it lies in.
func (in *Inspection) plan(r root) {
	first := guest.Mount{Point: "/", Device: r.volume.Device, Type: r.volume.Type}
	if r.volume.Type == "btrfs" {
		first.Options = "subvolid=" + strconv.Itoa(topLevel)
		if r.subvol != "" {
			first.Options = "subvol=" + r.subvol
		}
	}
	mounts := []guest.Mount{first}
	all := make([]volume, len(in.System.Volumes))
	for i, v := range in.System.Volumes {
		all[i] = volume{Volume: v}
	}
	for _, e := range parseFstab(r.fstab) {
		if e.point == "/" || virtual(e) || slices.ContainsFunc(mounts, func(m guest.Mount) bool { return m.Point == e.point }) {
			continue
		}
		v, found := resolve(e.spec, all)
		if len(found) > 1 && v.Type != "btrfs" {
			in.warn("%s for %s in fstab is on %s: the first is taken", e.spec, e.point, strings.Join(found, ", "))
		}
		switch {
		case len(found) == 0:
			if !e.has("noauto") {
				in.warn("%s for %s in fstab is on none of the disks: it is left out", e.spec, e.point)
			}
			continue
		case !slices.Contains(mountable, v.Type):
			in.warn("%s for %s in fstab is %s, which holds %s: it is left out", e.spec, e.point, v.Device, orNothing(v.Type))
			continue
		}
		m := guest.Mount{Point: e.point, Device: v.Device, Type: v.Type}
		if v.Type == "btrfs" {
			m.Options = btrfsOptions(e)
		}
		mounts = append(mounts, m)
	}
	slices.SortStableFunc(mounts, func(a, b guest.Mount) int { return depth(a.Point) - depth(b.Point) })
	in.System.Mounts = mounts
}

// virtual entries stand on no volume of ours.
func virtual(e entry) bool {
	return strings.Contains(e.spec, ":") || strings.HasPrefix(e.spec, "//") || e.has("bind") || e.has("rbind") ||
		!strings.HasPrefix(e.spec, "/dev/") && !strings.Contains(e.spec, "=") ||
		slices.Contains([]string{"swap", "tmpfs", "proc", "sysfs", "devpts", "nfs", "nfs4", "cifs", "iso9660", "udf", "auto"}, e.kind) && e.kind != "auto"
}

// btrfsOptions keeps what chooses the subvolume.
func btrfsOptions(e entry) string {
	if p, ok := e.subvolume(); ok && p != "" && !strings.Contains(p, ",") {
		return "subvol=" + p
	}
	for _, o := range e.options {
		if id, ok := strings.CutPrefix(o, "subvolid="); ok {
			if _, err := strconv.ParseUint(id, 10, 63); err == nil {
				return o
			}
		}
	}
	return ""
}

func depth(point string) int {
	if point == "/" {
		return 0
	}
	return strings.Count(point, "/")
}

func orNothing(kind string) string {
	if kind == "" {
		return "nothing known"
	}
	return clean(kind)
}

func (in *Inspection) warn(format string, args ...any) {
	in.Warnings = append(in.Warnings, guest.Warning{Message: clean(fmt.Sprintf(format, args...))})
}

// kernelName takes names of whole disks and partitions apart as any controller of the source named them: /dev/sda1, /dev/nvme0n1p2,
// /dev/cciss/c0d0p1.
var kernelName = regexp.MustCompile(`^/dev/(?:(?:[shv]|xv)d([a-z]{1,2})([0-9]*)|nvme([0-9]{1,3})n1(?:p([0-9]+))?|mmcblk([0-9]{1,3})(?:p([0-9]+))?|cciss/c0d([0-9]{1,3})(?:p([0-9]+))?)$`)

// resolve returns the volume that a name of the guest means, and the devices of all that it could mean. A name by the order of disks,
// such as /dev/sda1, is taken by that order.
func resolve(spec string, volumes []volume) (best volume, found []string) {
	match := matcher(spec)
	for _, v := range volumes {
		if match(v.Volume) {
			if found == nil {
				best = v
			}
			found = append(found, v.Device)
		}
	}
	return best, found
}

// matcher says how a name finds its volume.
func matcher(spec string) func(guest.Volume) bool {
	if tag, value, ok := strings.Cut(spec, "="); ok && !strings.HasPrefix(spec, "/") {
		return byTag(tag, strings.Trim(value, `"'`))
	}
	for prefix, tag := range map[string]string{
		"/dev/disk/by-uuid/": "UUID", "/dev/disk/by-label/": "LABEL", "/dev/disk/by-partuuid/": "PARTUUID", "/dev/disk/by-partlabel/": "PARTLABEL",
	} {
		if value, ok := strings.CutPrefix(spec, prefix); ok {
			return byTag(tag, unescape(value))
		}
	}
	spec = strings.Replace(spec, "/dev/disk/by-id/dm-name-", "/dev/mapper/", 1)
	index, partition, ok := diskOrder(spec)
	return func(v guest.Volume) bool {
		if slices.Contains(v.Names, spec) {
			return true
		}
		if ok {
			return v.Disk == index && v.Partition == partition
		}
		return v.Device == spec
	}
}

// diskOrder reads a kernel's name as disk and partition by their order.
func diskOrder(spec string) (index, partition int, ok bool) {
	m := kernelName.FindStringSubmatch(spec)
	if m == nil {
		return 0, 0, false
	}
	index = -1
	if m[1] != "" {
		index = disk(m[1])
	}
	for _, i := range []int{3, 5, 7} {
		if m[i] != "" {
			index, _ = strconv.Atoi(m[i]) // three digits
		}
	}
	for _, i := range []int{2, 4, 6, 8} {
		if m[i] != "" {
			n, err := strconv.Atoi(m[i])
			if err != nil {
				return 0, 0, false
			}
			partition = n
		}
	}
	return index, partition, index >= 0
}

// byTag matches as blkid does: a UUID in any case, everything else as it is written.
func byTag(tag, value string) func(guest.Volume) bool {
	return func(v guest.Volume) bool {
		if value == "" {
			return false
		}
		switch tag {
		case "UUID":
			return strings.EqualFold(v.UUID, value)
		case "PARTUUID":
			return strings.EqualFold(v.PartUUID, value)
		case "LABEL":
			return v.Label == value
		case "PARTLABEL":
			return v.PartLabel == value
		}
		return false
	}
}
