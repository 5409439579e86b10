package native

import (
	"encoding/binary"

	"hyper2kvm/internal/guest"
)

// headBytes is how much of a volume is read for its signatures: up to UFS's and btrfs's superblocks behind 64 KiB.
const headBytes = 80 << 10

// signatures are tried in this order. Containers come first, for what stands in them may show through: a RAID1 with its
// superblock at the end begins like the file system in it.
var signatures = []func(head []byte) *guest.Filesystem{
	luks, mdraidHead, lvm2, bitlocker, btrfs, xfs, ext, f2fs, ntfs, exfat, iso9660, reiserfs, jfs, ufs, swap, fat,
}

// probe returns what a known signature says about the volume of size bytes at off; nil if there is none.
func (in *inspection) probe(off, size int64) (*guest.Filesystem, error) {
	if size <= 0 {
		return nil, nil
	}
	for _, at := range mdraidTails(size) {
		b, err := in.read(off+at, min(4096, size-at))
		if err != nil {
			return nil, err
		}
		if fs := mdraid(b, at); fs != nil {
			return fs, nil
		}
	}
	head, err := in.read(off, min(size, headBytes))
	if err != nil {
		return nil, err
	}
	for _, signature := range signatures {
		if fs := signature(head); fs != nil {
			return fs, nil
		}
	}
	// Two that lie far from the start.
	b, err := in.read(off+zfsUberblocks, min(128<<10, max(size-zfsUberblocks, 0)))
	if err != nil {
		return nil, err
	}
	if fs := zfs(b); fs != nil {
		return fs, nil
	}
	b, err = in.read(off+vmfsVolume, min(512, max(size-vmfsVolume, 0)))
	if err != nil {
		return nil, err
	}
	return vmfs(b), nil
}

// at reports whether a signature stands at an offset.
func at(b []byte, off int, signature string) bool {
	return len(b) >= off+len(signature) && string(b[off:off+len(signature)]) == signature
}

// sized multiplies what a superblock says, 0 where that is no possible size.
func sized(count uint64, unit int64) int64 {
	const most = 1 << 60 // bytes; beyond every file system, and far from an overflow
	if unit <= 0 || count > uint64(most/unit) {
		return 0
	}
	return int64(count) * unit
}

var (
	le = binary.LittleEndian
	be = binary.BigEndian
)
