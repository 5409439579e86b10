package native

import (
	"fmt"
	"strings"

	"hyper2kvm/internal/guest"
)

// ntfs reads the boot sector: 11 bytes per sector, 40 sectors, of which the last of the volume is not counted, 72 serial number.
func ntfs(head []byte) *guest.Filesystem {
	if len(head) < 512 || !at(head, 3, "NTFS    ") {
		return nil
	}
	sector := int64(le.Uint16(head[11:]))
	if sector < 256 || sector > 4096 || sector&(sector-1) != 0 {
		return nil
	}
	fs := &guest.Filesystem{Type: "ntfs", UUID: fmt.Sprintf("%016X", le.Uint64(head[72:]))}
	if n := le.Uint64(head[40:]); n < 1<<63 {
		fs.Size = sized(n+1, sector)
	}
	return fs
}

// bitlocker finds the boot sector of an encrypted volume, and that of BitLocker To Go, which looks like FAT32.
func bitlocker(head []byte) *guest.Filesystem {
	const toGo = "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01" // 4967d63b-2e29-4ad8-8399-f6a339e3d001
	if at(head, 3, "-FVE-FS-") || (at(head, 3, "MSWIN4.1") && at(head, 424, toGo)) {
		return &guest.Filesystem{Type: "bitlocker"}
	}
	return nil
}

// exfat reads the boot sector (exFAT specification 3.1): 72 sectors, 100 serial number, 108 log of the bytes per sector.
func exfat(head []byte) *guest.Filesystem {
	if len(head) < 512 || !at(head, 3, "EXFAT   ") {
		return nil
	}
	log := head[108]
	if log < 9 || log > 12 {
		return nil
	}
	return &guest.Filesystem{Type: "exfat", UUID: fatSerial(le.Uint32(head[100:])), Size: sized(le.Uint64(head[72:]), 1<<log)}
}

// fat reads the boot sector of FAT12, FAT16 and FAT32 (Microsoft FAT specification, 3). It has no magic of its own, so
// everything that a parameter block must hold is checked.
func fat(head []byte) *guest.Filesystem {
	if len(head) < 512 || head[510] != 0x55 || head[511] != 0xaa || (head[0] != 0xeb && head[0] != 0xe9) {
		return nil
	}
	sector, cluster := int64(le.Uint16(head[11:])), head[13]
	reserved, fats, media := le.Uint16(head[14:]), head[16], head[21]
	switch {
	case sector < 512 || sector > 4096 || sector&(sector-1) != 0:
	case cluster == 0 || cluster&(cluster-1) != 0:
	case reserved == 0 || fats == 0 || fats > 2:
	case media != 0xf0 && media < 0xf8:
	default:
		sectors := uint64(le.Uint16(head[19:]))
		if sectors == 0 {
			sectors = uint64(le.Uint32(head[32:]))
		}
		fs := &guest.Filesystem{Type: "vfat", Size: sized(sectors, sector)}
		extended := head[36:] // drive, reserved, 29, serial, label, type
		if le.Uint16(head[22:]) == 0 {
			extended = head[64:] // FAT32 has 28 bytes more
		}
		if extended[2] == 0x29 || extended[2] == 0x28 {
			fs.UUID = fatSerial(le.Uint32(extended[3:]))
		}
		if label := text(extended[7:18]); extended[2] == 0x29 && label != "NO NAME" {
			fs.Label = label
		}
		if fs.Size == 0 {
			return nil
		}
		return fs
	}
	return nil
}

// fatSerial formats a volume serial number as every system shows it; "" for none.
func fatSerial(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%04X-%04X", n>>16, n&0xffff)
}

// iso9660 reads the primary volume descriptor at 32 KiB (ECMA-119 8.4): 40 label, 80 blocks, 128 block size, 813 creation date,
// which serves as the identifier.
func iso9660(head []byte) *guest.Filesystem {
	const descriptor = 32 << 10
	if len(head) < descriptor+2048 || !at(head, descriptor+1, "CD001") {
		return nil
	}
	d := head[descriptor:]
	fs := &guest.Filesystem{Type: "iso9660", Label: text(d[40:72]), Size: sized(uint64(le.Uint32(d[80:])), int64(le.Uint16(d[128:])))}
	if date := printable(string(d[813:829])); len(date) == 16 && strings.Trim(date, "0123456789") == "" {
		fs.UUID = strings.Join([]string{date[:4], date[4:6], date[6:8], date[8:10], date[10:12], date[12:14], date[14:]}, "-")
	}
	return fs
}
