package native

import (
	"hyper2kvm/internal/guest"
)

// ext reads the superblock of ext2, ext3 and ext4 at 1024 (Linux Documentation/filesystems/ext4/super.rst): 4 blocks, 24 log of
// the block size, 56 magic, 92, 96 and 100 features, 104 UUID, 120 label, 0x150 high blocks.
func ext(head []byte) *guest.Filesystem {
	const (
		hasJournal     = 0x4
		isJournal      = 0x8
		ext4Incompat   = 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x10000 // extents, 64bit, mmp, flex_bg, ...
		ext4ROCompat   = 0x8 | 0x10 | 0x20 | 0x40 | 0x100 | 0x200 | 0x400                                  // huge_file, gdt_csum, ...
		wide           = 0x80
		maxLogBlock    = 6 // 64 KiB
		superblockSize = 1024
	)
	if len(head) < 2*superblockSize || !at(head, 1024+56, "\x53\xef") {
		return nil
	}
	s := head[1024:2048]
	compat, incompat, ro := le.Uint32(s[92:]), le.Uint32(s[96:]), le.Uint32(s[100:])
	log := le.Uint32(s[24:])
	if log > maxLogBlock {
		return nil
	}
	blocks := uint64(le.Uint32(s[4:]))
	if incompat&wide != 0 {
		blocks |= uint64(le.Uint32(s[0x150:])) << 32
	}
	fs := &guest.Filesystem{Type: "ext2", UUID: uuid(s[104:]), Label: text(s[120:136]), Size: sized(blocks, 1024<<log)}
	switch {
	case incompat&isJournal != 0:
		fs.Type = "jbd"
	case incompat&ext4Incompat != 0 || ro&ext4ROCompat != 0:
		fs.Type = "ext4"
	case compat&hasJournal != 0:
		fs.Type = "ext3"
	}
	return fs
}

// xfs reads the superblock at 0, big endian (XFS Algorithms & Data Structures): 4 block size, 8 blocks, 32 UUID, 108 label.
func xfs(head []byte) *guest.Filesystem {
	if len(head) < 512 || !at(head, 0, "XFSB") {
		return nil
	}
	block := be.Uint32(head[4:])
	if block < 512 || block > 65536 || block&(block-1) != 0 {
		return nil
	}
	return &guest.Filesystem{Type: "xfs", UUID: uuid(head[32:]), Label: text(head[108:120]), Size: sized(be.Uint64(head[8:]), int64(block))}
}

// btrfs reads the superblock at 64 KiB (btrfs wiki, On-disk Format): 32 UUID, 64 magic, 299 label. The size is that of this
// device (dev_item at 201, its total at +8), not of the file system over several.
func btrfs(head []byte) *guest.Filesystem {
	const super = 64 << 10
	if len(head) < super+4096 || !at(head, super+64, "_BHRfS_M") {
		return nil
	}
	s := head[super:]
	return &guest.Filesystem{Type: "btrfs", UUID: uuid(s[32:]), Label: text(s[299:555]), Size: sized(le.Uint64(s[209:]), 1)}
}

// f2fs reads the superblock at 1024 (linux/f2fs_fs.h): 16 log of the block size, 36 blocks, 108 UUID, 124 label in UTF-16.
func f2fs(head []byte) *guest.Filesystem {
	if len(head) < 4096 || !at(head, 1024, "\x10\x20\xf5\xf2") {
		return nil
	}
	s := head[1024:]
	log := le.Uint32(s[16:])
	if log < 9 || log > 16 {
		return nil
	}
	return &guest.Filesystem{Type: "f2fs", UUID: uuid(s[108:]), Label: utf16Text(s[124 : 124+1024]), Size: sized(le.Uint64(s[36:]), 1<<log)}
}

// reiserfs reads the superblock at 64 KiB: 0 blocks, 44 block size, 52 magic, 84 UUID, 100 label.
func reiserfs(head []byte) *guest.Filesystem {
	const super = 64 << 10
	for _, magic := range []string{"ReIsErFs", "ReIsEr2Fs", "ReIsEr3Fs"} {
		if len(head) >= super+204 && at(head, super+52, magic) {
			s := head[super:]
			return &guest.Filesystem{
				Type: "reiserfs", UUID: uuid(s[84:]), Label: text(s[100:116]),
				Size: sized(uint64(le.Uint32(s)), int64(le.Uint16(s[44:]))),
			}
		}
	}
	return nil
}

// jfs reads the superblock at 32 KiB: 8 size in sectors of 512, 136 UUID, 152 label.
func jfs(head []byte) *guest.Filesystem {
	const super = 32 << 10
	if len(head) < super+184 || !at(head, super, "JFS1") {
		return nil
	}
	s := head[super:]
	return &guest.Filesystem{Type: "jfs", UUID: uuid(s[136:]), Label: text(s[152:168])}
}

// ufs finds the superblocks of UFS1 at 8 KiB and UFS2 at 64 KiB by their magic at 1372.
func ufs(head []byte) *guest.Filesystem {
	if at(head, 64<<10+1372, "\x19\x01\x54\x19") || at(head, 8<<10+1372, "\x54\x19\x01\x00") {
		return &guest.Filesystem{Type: "ufs"}
	}
	return nil
}

// swap finds the signature in the last ten bytes of the first page, whose size is the CPU's (mm/swapfile.c, union swap_header):
// 1024 version, 1028 last page, 1036 UUID, 1052 label.
func swap(head []byte) *guest.Filesystem {
	for _, page := range []int{4096, 8192, 16384, 65536} {
		if !at(head, page-10, "SWAPSPACE2") && !at(head, page-10, "SWAP-SPACE") {
			continue
		}
		fs := &guest.Filesystem{Type: "swap"}
		if at(head, page-10, "SWAPSPACE2") && le.Uint32(head[1024:]) == 1 {
			fs.UUID, fs.Label = uuid(head[1036:]), text(head[1052:1068])
			fs.Size = sized(uint64(le.Uint32(head[1028:]))+1, int64(page))
		}
		return fs
	}
	return nil
}
