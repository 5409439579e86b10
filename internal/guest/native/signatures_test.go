package native

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hyper2kvm/internal/guest"
)

func TestSignatures(t *testing.T) {
	lvm := superblock(512, map[int]string{0: "LABELONE", 20: "\x20\x00\x00\x00LVM2 001", 32: "abcdefghijklmnopqrstuvwxyzABCDEF", 64: "\x00\x00\x10"})
	md := func(version byte, sector uint64) []byte {
		b := superblock(512, map[int]string{0: mdraidMagic, 4: string(version), 16: id16, 32: "host:0"})
		binary.LittleEndian.PutUint64(b[144:], sector)
		return b
	}
	iso := superblock(2048, map[int]string{0: "\x01CD001\x01", 40: "LIVE CD                         ", 80: "\x00\x02\x00\x00", 128: "\x00\x08", 813: "2024010203040506"})
	ntfs := superblock(512, map[int]string{0: "\xeb\x52\x90NTFS    \x00\x02\x08", 40: "\xff\x07", 72: "\xef\xcd\xab\x89\x67\x45\x23\x01", 510: "\x55\xaa"})
	const size = 2 * mib
	for _, c := range []struct {
		name string
		off  int64
		b    []byte
		want string
		os   bool
	}{
		{"ext2", 1024, superblock(1024, map[int]string{4: "\x00\x08", 56: "\x53\xef", 104: id16, 120: "root"}), "ext2(" + idText + " root 2097152)", true},
		{"ext3", 1024, superblock(1024, map[int]string{4: "\x00\x08", 56: "\x53\xef", 92: "\x04"}), "ext3(  2097152)", true},
		{"ext4", 1024, superblock(1024, map[int]string{4: "\x00\x02", 24: "\x02", 56: "\x53\xef", 92: "\x04", 96: "\x40"}), "ext4(  2097152)", true},
		{"journal", 1024, superblock(1024, map[int]string{56: "\x53\xef", 96: "\x08"}), "jbd(  0)", false},
		{"btrfs", 64 << 10, superblock(4096, map[int]string{32: id16, 64: "_BHRfS_M", 209: "\x00\x00\x20", 299: "pool"}), "btrfs(" + idText + " pool 2097152)", true},
		{"xfs", 0, xfsBlock(512), "xfs(" + idText + " root 2097152)", true},
		{"f2fs", 1024, superblock(4096, map[int]string{0: "\x10\x20\xf5\xf2", 16: "\x0c", 36: "\x00\x02", 108: id16, 124: "a\x00b\x00"}), "f2fs(" + idText + " ab 2097152)", true},
		{"reiserfs", 64 << 10, superblock(4096, map[int]string{0: "\x00\x02", 44: "\x00\x10", 52: "ReIsEr2Fs", 84: id16, 100: "old"}), "reiserfs(" + idText + " old 2097152)", true},
		{"jfs", 32 << 10, superblock(4096, map[int]string{0: "JFS1", 136: id16, 152: "j"}), "jfs(" + idText + " j 0)", true},
		{"ufs", 64<<10 + 1372, []byte("\x19\x01\x54\x19"), "ufs(  0)", true},
		{"swap", 0, superblock(4096, map[int]string{1024: "\x01", 1028: "\xff\x01", 1036: id16, 1052: "sw", 4086: "SWAPSPACE2"}), "swap(" + idText + " sw 2097152)", false},
		{"swap of 64 KiB pages", 0, superblock(65536, map[int]string{1024: "\x01", 1028: "\x1f", 65526: "SWAPSPACE2"}), "swap(  2097152)", false},
		{"LUKS1", 0, superblock(512, map[int]string{0: "LUKS\xba\xbe\x00\x01", 168: idText}), "luks(" + idText + "  0)", true},
		{"LUKS2", 0, superblock(512, map[int]string{0: "LUKS\xba\xbe\x00\x02", 24: "crypt", 168: idText}), "luks(" + idText + " crypt 0)", true},
		{"LVM", 512, lvm, "lvm2(abcdef-ghij-klmn-opqr-stuv-wxyz-ABCDEF  1048576)", true},
		{"md 1.0", size - 8192, md(1, (size-8192)/512), "mdraid(" + idText + " host:0 0)", true},
		{"md 1.1", 0, md(1, 0), "mdraid(" + idText + " host:0 0)", true},
		{"md 1.2", 4096, md(1, 8), "mdraid(" + idText + " host:0 0)", true},
		{"md 0.90", size - 64<<10, superblock(4096, map[int]string{0: mdraidMagic, 8: "\x5a", 20: "\x01", 52: "\x02", 56: "\x03", 60: "\x04"}), "mdraid(00000001-0000-0002-0000-000300000004  0)", true},
		{"md at a wrong place", 4096, md(1, 9), "", false},
		{"NTFS", 0, ntfs, "ntfs(0123456789ABCDEF  1048576)", true},
		{"BitLocker", 0, superblock(512, map[int]string{0: "\xeb\x58\x90-FVE-FS-", 510: "\x55\xaa"}), "bitlocker(  0)", false},
		{"BitLocker To Go", 0, superblock(512, map[int]string{0: "\xeb\x58\x90MSWIN4.1", 424: "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01", 510: "\x55\xaa"}), "bitlocker(  0)", false},
		{"exFAT", 0, superblock(512, map[int]string{0: "\xeb\x76\x90EXFAT   ", 72: "\x00\x10", 100: "\x78\x56\x34\x12", 108: "\x09", 510: "\x55\xaa"}), "exfat(1234-5678  2097152)", true},
		{"FAT32", 0, fat32(4096), "vfat(23A0-8FEB BOOT 2097152)", true},
		{"FAT16", 0, superblock(512, map[int]string{0: "\xeb\x3c\x90mkfs.fat\x00\x02\x04\x01\x00\x02\x00\x02\x00\x10\xf8\x10\x00", 38: "\x29\x78\x56\x34\x12NO NAME    FAT16   ", 510: "\x55\xaa"}), "vfat(1234-5678  2097152)", true},
		{"ISO 9660", 32 << 10, iso, "iso9660(2024-01-02-03-04-05-06 LIVE CD 1048576)", false},
		{"ZFS", 128<<10 + 5*1024, []byte("\x0c\xb1\xba\x00\x00\x00\x00\x00"), "zfs(  0)", true},
		{"ZFS of a big-endian host", 128 << 10, []byte("\x00\x00\x00\x00\x00\xba\xb1\x0c"), "zfs(  0)", true},
		{"VMFS", mib, []byte("\x0d\xd0\x01\xc0"), "vmfs(  0)", false},
		{"hostile label", 1024, superblock(1024, map[int]string{4: "\x00\x08", 56: "\x53\xef", 120: "\x1b[2J\xff"}), "ext2( \ufffd[2J\ufffd 2097152)", true},
		{"size beyond 63 bits", 0, xfsBlock(math.MaxUint64), "xfs(" + idText + " root 0)", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := look(t, newImage(size).put(c.off, c.b)).Disks[0]
			got := ""
			if fs := d.Filesystem; fs != nil {
				got = fmt.Sprintf("%s(%s %s %d)", fs.Type, fs.UUID, fs.Label, fs.Size)
			}
			if got != c.want || d.HasGuestOS != c.os {
				t.Errorf("got %s %v, want %s %v", got, d.HasGuestOS, c.want, c.os)
			}
			// The same inside a partition, and cut off where the signature ends.
			part := newImage(8*mib).put(0, mbr("", entry{0, 0x83, 2048, size / 512})).put(mib+c.off, c.b)
			if d := look(t, part).Disks[0]; (d.Partitions[0].Filesystem == nil) != (c.want == "") || d.HasGuestOS != c.os {
				t.Errorf("in a partition: %s", describe(d))
			}
		})
	}
}

// TestMkfs holds the signatures against what the real programs write.
func TestMkfs(t *testing.T) {
	for _, c := range []struct{ program, args, want string }{
		{"mkfs.ext2", "-q -F -L rootfs -U 12345678-9abc-def0-0123-456789abcdef", "ext2"},
		{"mkfs.ext3", "-q -F -L rootfs -U 12345678-9abc-def0-0123-456789abcdef", "ext3"},
		{"mkfs.ext4", "-q -F -L rootfs -U 12345678-9abc-def0-0123-456789abcdef", "ext4"},
		{"mkswap", "-q -L rootfs -U 12345678-9abc-def0-0123-456789abcdef", "swap"},
		{"mkfs.xfs", "-q -f -L rootfs -m uuid=12345678-9abc-def0-0123-456789abcdef", "xfs"},
		{"mkfs.btrfs", "-q -f -L rootfs -U 12345678-9abc-def0-0123-456789abcdef", "btrfs"},
	} {
		t.Run(c.program, func(t *testing.T) {
			program, err := exec.LookPath(c.program)
			if err != nil {
				for _, dir := range []string{"/sbin/", "/usr/sbin/"} {
					if _, e := os.Stat(dir + c.program); e == nil {
						program, err = dir+c.program, nil
					}
				}
			}
			if err != nil {
				t.Skipf("SKIPPED: %s is not installed, its file system is held against hand-made bytes only", c.program)
			}
			const size = 512 * mib
			file := filepath.Join(t.TempDir(), "volume")
			f, err := os.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := f.Truncate(size); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), program, append(strings.Fields(c.args), file)...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			facts, err := Inspect(t.Context(), []Disk{{R: f, Size: size}})
			if err != nil {
				t.Fatal(err)
			}
			want := guest.Filesystem{Type: c.want, UUID: idText, Label: "rootfs", Size: size}
			if got := facts.Disks[0].Filesystem; got == nil || *got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
