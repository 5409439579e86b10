package linux

import (
	"path"
	"strings"

	"hyper2kvm/internal/guest"
)

// mapperOf is the name below /dev/mapper of /dev/mapper/NAME and /dev/GROUP/VOLUME, "" of other names.
func mapperOf(device string) string {
	name, ok := strings.CutPrefix(device, "/dev/")
	if !ok {
		return ""
	}
	dir, base := path.Split(name)
	switch dir = strings.TrimSuffix(dir, "/"); {
	case dir == "mapper":
		return base
	case dir == "" || dir == "md" || strings.Contains(dir, "/"):
		return ""
	}
	return mapperName(dir, base)
}

// fits reports whether a volume can be what is wanted.
func fits(v guest.Volume, want string) bool {
	layer := v.Type == "LVM2_member" || v.Type == "linux_raid_member" || v.Type == "crypto_LUKS"
	switch want {
	case "any":
		return true
	case "luks":
		return v.Type == "crypto_LUKS"
	case "", "auto":
		return v.Type != "" && v.Type != "swap" && !layer
	}
	return fileSystemKind(v.Type) == fileSystemKind(want)
}

// fileSystemKind makes one word of the names under which one file system is mounted.
func fileSystemKind(kind string) string {
	switch kind {
	case "ext2", "ext3", "ext4":
		return "ext"
	case "vfat", "msdos", "fat":
		return "vfat"
	case "ntfs", "ntfs-3g", "ntfs3":
		return "ntfs"
	}
	return kind
}

func orNothing(kind string) string {
	if kind == "" {
		return "nothing known"
	}
	return kind
}

func orMountable(want string) string {
	if want == "" {
		return "a file system"
	}
	return want
}
