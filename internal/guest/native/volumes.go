package native

import (
	"fmt"
	"strings"

	"hyper2kvm/internal/guest"
)

// luks reads the header of LUKS1 and LUKS2: 6 version, big endian, 168 UUID as text, 24 label (version 2).
func luks(head []byte) *guest.Filesystem {
	if len(head) < 512 || !at(head, 0, "LUKS\xba\xbe") {
		return nil
	}
	fs := &guest.Filesystem{Type: "luks", UUID: text(head[168:208])}
	if be.Uint16(head[6:]) == 2 {
		fs.Label = text(head[24:72])
	}
	return fs
}

// lvm2 reads the label of a physical volume, in one of the first four sectors (LVM2 lib/format_text/layout.h): 20 offset of
// the header, 24 type; in the header the UUID in 32 characters and the device's size.
func lvm2(head []byte) *guest.Filesystem {
	for sector := 0; sector < 4*512; sector += 512 {
		if len(head) < sector+512 || !at(head, sector, "LABELONE") || !at(head, sector+24, "LVM2 001") {
			continue
		}
		s := head[sector : sector+512]
		off := le.Uint32(s[20:])
		if off < 32 || off > 512-40 {
			continue
		}
		id := printable(string(s[off : off+32]))
		if len(id) == 32 {
			id = strings.Join([]string{id[:6], id[6:10], id[10:14], id[14:18], id[18:22], id[22:26], id[26:]}, "-")
		}
		return &guest.Filesystem{Type: "lvm2", UUID: id, Size: sized(le.Uint64(s[off+32:]), 1)}
	}
	return nil
}

// mdraidMagic is the start of the superblocks of Linux software RAID (linux/raid/md_p.h), little endian.
const mdraidMagic = "\xfc\x4e\x2b\xa9"

// mdraidTails returns where the superblocks stand that lie at the end of a volume: of version 1.0 and of 0.90.
func mdraidTails(size int64) []int64 {
	var tails []int64
	if size >= 24<<10 {
		tails = append(tails, (size/512-16)&^7*512)
	}
	if size >= 128<<10 {
		tails = append(tails, size&^(64<<10-1)-64<<10)
	}
	return tails
}

// mdraidHead finds the superblocks at the start of a volume: of version 1.1 and of 1.2.
func mdraidHead(head []byte) *guest.Filesystem {
	for _, off := range []int{0, 4096} {
		if len(head) > off {
			if fs := mdraid(head[off:], int64(off)); fs != nil {
				return fs
			}
		}
	}
	return nil
}

// mdraid reads a superblock that stands at off in its volume. Version 1: 4 version, 16 UUID, 32 name, 144 own offset in
// sectors. Version 0.90: 4 and 8 version, 20 and 52 UUID.
func mdraid(b []byte, off int64) *guest.Filesystem {
	if len(b) < 256 || !at(b, 0, mdraidMagic) {
		return nil
	}
	switch {
	case le.Uint32(b[4:]) == 1 && le.Uint64(b[144:]) == uint64(off/512):
		return &guest.Filesystem{Type: "mdraid", UUID: uuid(b[16:]), Label: text(b[32:64])}
	case le.Uint32(b[4:]) == 0 && le.Uint32(b[8:]) == 90:
		id := fmt.Sprintf("%08x%08x%08x%08x", le.Uint32(b[20:]), le.Uint32(b[52:]), le.Uint32(b[56:]), le.Uint32(b[60:]))
		return &guest.Filesystem{Type: "mdraid", UUID: strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-")}
	}
	return nil
}

// zfsUberblocks is where the first label of a ZFS device has its ring of uberblocks, 1 KiB each or a power of two more.
const zfsUberblocks = 128 << 10

// zfs finds an uberblock by its magic, in either byte order.
func zfs(ring []byte) *guest.Filesystem {
	for off := 0; off+8 <= len(ring); off += 1024 {
		if le.Uint64(ring[off:]) == 0x00bab10c || be.Uint64(ring[off:]) == 0x00bab10c {
			return &guest.Filesystem{Type: "zfs"}
		}
	}
	return nil
}

// vmfsVolume is where VMFS describes its volume.
const vmfsVolume = 1 << 20

// vmfs finds the volume information of a VMFS datastore.
func vmfs(b []byte) *guest.Filesystem {
	if at(b, 0, "\x0d\xd0\x01\xc0") {
		return &guest.Filesystem{Type: "vmfs"}
	}
	return nil
}
