package native

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/guest"
)

// look inspects images as one machine's disks.
func look(t *testing.T, images ...*image) guest.Facts {
	t.Helper()
	var disks []Disk
	for i, im := range images {
		disks = append(disks, Disk{Name: fmt.Sprintf("disk%d", i+1), R: im, Size: im.size})
	}
	f, err := Inspect(t.Context(), disks)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// describe writes the facts of a disk in one line: table/sector, boot code, whole file system, partitions as
// number:start+size type=file system, past the end.
func describe(d guest.DiskFacts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%d", d.Table, d.Sector)
	if d.BootCode != "" {
		fmt.Fprintf(&b, " code %s", d.BootCode)
	}
	volume := func(fs *guest.Filesystem) {
		if fs != nil {
			fmt.Fprintf(&b, "=%s(%s %s %d)", fs.Type, fs.UUID, fs.Label, fs.Size)
		}
	}
	volume(d.Filesystem)
	for _, p := range d.Partitions {
		name := p.TypeName
		if name == "" {
			name = p.Type
		}
		fmt.Fprintf(&b, " %d:%d+%d %s", p.Number, p.Start, p.Size, name)
		if p.Bootable {
			b.WriteString("*")
		}
		volume(p.Filesystem)
	}
	if d.PastEnd {
		fmt.Fprintf(&b, " needs %d", d.NeedBytes)
	}
	return b.String()
}

const mib = 1 << 20

func TestTables(t *testing.T) {
	linux, esp, bios := "0fc63daf-8483-4772-8e79-3d69d8477de4", gptESP, gptBIOSBoot
	disk := func() *image { return newImage(16*mib).gpt(512, 16*mib, "", part{linux, 2048, 4095, "root"}) }
	spoil := func(im *image, off int64) *image { // changes one byte of the first image that holds it
		b := im.bytesOf()
		b[off] ^= 0xff
		return newImage(im.size).put(0, b)
	}
	for _, c := range []struct {
		name     string
		im       *image
		want     string
		warnings []string
	}{
		{"blank", newImage(16 * mib), "empty/0", nil},
		{"nothing", newImage(0), "empty/0", nil},
		{"less than a sector", newImage(100), "empty/0", nil},
		{"noise", newImage(mib).put(0, bytes.Repeat([]byte("noise "), 1000)), "empty/0", nil},
		{"GPT", disk(), "gpt/512 1:1048576+1048576 Linux filesystem", nil},
		{"GPT of 4096", newImage(16*mib).gpt(4096, 16*mib, "", part{linux, 256, 511, ""}).put(mib, xfsBlock(256)),
			"gpt/4096 1:1048576+1048576 Linux filesystem=xfs(" + idText + " root 1048576)", nil},
		{"half-copied GPT", newImage(8*mib).gpt(512, 16*mib, "", part{linux, 2048, 4095, ""}), "gpt/512 1:1048576+1048576 Linux filesystem needs 16777216", nil},
		{"half-copied GPT with a partition that is cut", newImage(8*mib).gpt(512, 32*mib, "", part{linux, 2048, 20479, ""}),
			"gpt/512 1:1048576+9437184 Linux filesystem needs 33554432", nil},
		{"grown disk", newImage(32*mib).gpt(512, 16*mib, "", part{linux, 2048, 4095, ""}), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"larger than its GPT"}},
		{"damaged primary header", spoil(disk(), 512+60), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"primary GPT is damaged (the checksum of its header"}},
		{"missing primary", disk().put(512, make([]byte, 512)), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"it is missing"}},
		{"damaged primary entries", spoil(disk(), 1024+5), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"checksum of its entries"}},
		{"damaged backup header", spoil(disk(), 16*mib-512+60), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"backup GPT at 0xfffe00 is damaged"}},
		{"missing backup", disk().put(16*mib-512, make([]byte, 512)), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"backup GPT at 0xfffe00 is missing"}},
		{"both damaged", spoil(spoil(disk(), 512+60), 16*mib-512+60), "gpt/0", []string{"primary GPT is damaged", "neither it nor its backup"}},
		{"stale GPT", disk().put(0, mbr("", entry{0x80, 0x83, 4096, 2048})), "mbr/512 1:2097152+1048576 Linux*", []string{"left over"}},
		{"stale backup of a disk without a table", newImage(16*mib).put(16*mib-512, disk().parts[16*mib-512]), "empty/0", nil},
		{"hybrid", disk().put(0, mbr("", entry{0, 0xee, 1, 2047}, entry{0x80, 0x83, 2048, 2048})), "gpt/512 1:1048576+1048576 Linux filesystem", []string{"hybrid"}},
		{"overlap", newImage(16*mib).gpt(512, 16*mib, "", part{esp, 2048, 4095, ""}, part{bios, 4000, 4200, ""}),
			"gpt/512 1:1048576+1048576 EFI system 2:2048000+102912 BIOS boot", []string{"1 and 2 overlap"}},
		{"impossible partitions", newImage(16*mib).gpt(512, 16*mib, "", part{linux, 5, 4, ""}, part{linux, 1, math.MaxUint64, ""}, part{linux, 2048, 2048, ""}),
			"gpt/512 3:1048576+512 Linux filesystem", []string{"partition 1", "partition 2"}},
		{"partition at the end of 63 bits", newImage(16*mib).gpt(512, 16*mib, "", part{linux, 2048, math.MaxInt64/512 - 1, ""}),
			fmt.Sprintf("gpt/512 1:1048576+%d Linux filesystem needs %d", (math.MaxInt64/512-2048)*512, math.MaxInt64/512*512), nil},
		{"MBR", newImage(16*mib).put(0, mbr("", entry{0x80, 7, 2048, 2048}, entry{0, 0x83, 4096, 2048})), "mbr/512 1:1048576+1048576 NTFS or exFAT* 2:2097152+1048576 Linux", nil},
		{"MBR with sectors of 4096", newImage(64*mib).put(0, mbr("", entry{0, 0x83, 256, 256})).put(mib, xfsBlock(256)),
			"mbr/4096 1:1048576+1048576 Linux=xfs(" + idText + " root 1048576)", nil},
		{"half-copied MBR", newImage(2*mib).put(0, mbr("", entry{0x80, 0x83, 2048, 8192})), "mbr/512 1:1048576+4194304 Linux* needs 5242880", nil},
		{"partition beyond the disk", newImage(2*mib).put(0, mbr("", entry{0, 0x83, 0xffffffff, 0xffffffff})), "mbr/512 1:2199023255040+2199023255040 Linux needs 4398046510080", nil},
		{"MBR without partitions", newImage(mib).put(0, mbr("")), "mbr/512", nil},
		{"flags that are none", newImage(mib).put(0, mbr("", entry{0x41, 0x83, 1, 1})), "empty/0", nil},
		{"logical partitions", newImage(16*mib).put(0, mbr("", entry{0, 0x83, 64, 64}, entry{0, 5, 128, 1024})).
			put(128*512, mbr("", entry{0, 0x82, 8, 50}, entry{0, 5, 64, 64})).put(192*512, mbr("", entry{0x80, 0x83, 8, 50})),
			"mbr/512 1:32768+32768 Linux 2:65536+524288 Extended 5:69632+25600 Linux swap 6:102400+25600 Linux*", nil},
		{"chain that turns back", newImage(16*mib).put(0, mbr("", entry{0, 5, 128, 1024})).
			put(128*512, mbr("", entry{0, 0x83, 8, 50}, entry{0, 5, 64, 64})).put(192*512, mbr("", entry{0, 0x83, 8, 50}, entry{0, 5, 0, 64})),
			"mbr/512 1:65536+524288 Extended 5:69632+25600 Linux 6:102400+25600 Linux", []string{"turns back"}},
		{"damaged chain", newImage(16*mib).put(0, mbr("", entry{0, 5, 128, 1024})), "mbr/512 1:65536+524288 Extended", []string{"chain of logical partitions is damaged"}},
		{"chain past the end", newImage(mib).put(0, mbr("", entry{0, 0xf, 4096, 1024})), "mbr/512 1:2097152+524288 Extended (LBA) needs 2621440", nil},
		{"bare file system", newImage(mib).put(0, xfsBlock(256)), "none/0=xfs(" + idText + " root 1048576)", nil},
		{"half-copied bare file system", newImage(mib).put(0, xfsBlock(1024)), "none/0=xfs(" + idText + " root 4194304) needs 4194304", nil},
		{"floppy with a boot sector", newImage(mib).put(0, fat32(2048)), "none/0 code unknown=vfat(23A0-8FEB BOOT 1048576)", nil},
		{"file system larger than its partition", newImage(16*mib).put(0, mbr("", entry{0, 0x83, 2048, 1024})).put(mib, xfsBlock(256)),
			"mbr/512 1:1048576+524288 Linux=xfs(" + idText + " root 1048576)", []string{"has 1048576 bytes, the partition has 524288"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := look(t, c.im).Disks[0]
			if got := describe(d); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if len(d.Warnings) != len(c.warnings) {
				t.Fatalf("warnings %q, want %q", d.Warnings, c.warnings)
			}
			for i, w := range c.warnings {
				if !strings.Contains(d.Warnings[i], w) {
					t.Errorf("warning %q, want %q", d.Warnings[i], w)
				}
			}
			if (d.Table == tableEmpty) != (d.BlankReason != "") {
				t.Errorf("blank reason %q of %s", d.BlankReason, d.Table)
			}
		})
	}
}

// TestLoopsEnd proves that chains and tables made to be endless are not followed.
func TestLoopsEnd(t *testing.T) {
	many := newImage(1<<40).put(0, mbr("", entry{0, 5, 128, 1 << 30}))
	for i := range int64(400) {
		many.put((128+64*i)*512, mbr("", entry{0, 0x83, 8, 50}, entry{0, 5, uint32(64 * (i + 1)), 64}))
	}
	d := look(t, many).Disks[0]
	if len(d.Partitions) != 1+maxLogical || len(d.Warnings) != 1 {
		t.Errorf("%d partitions, warnings %q", len(d.Partitions), d.Warnings)
	}
	self := newImage(16*mib).put(0, mbr("", entry{0, 5, 128, 1024})).put(128*512, mbr("", entry{0, 0x83, 8, 50}, entry{0, 5, 0, 64}))
	if d := look(t, self).Disks[0]; len(d.Partitions) != 2 {
		t.Errorf("record that names itself: %s", describe(d))
	}
}

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

func TestBoot(t *testing.T) {
	linux := "0fc63daf-8483-4772-8e79-3d69d8477de4"
	data := func() *image { return newImage(16*mib).gpt(512, 16*mib, "", part{linux, 2048, 4095, ""}) }
	withESP := func(code string, more ...part) *image {
		return newImage(16*mib).gpt(512, 16*mib, code, append([]part{{gptESP, 2048, 4095, ""}}, more...)...).put(mib, fat32(2048))
	}
	grub := newImage(16*mib).put(0, mbr("\xeb\x63\x90 GRUB Geom Hard Disk Read Error", entry{0, 0x83, 2048, 2048}))
	windows := func(flag byte) *image {
		return newImage(16*mib).put(0, mbr("\x33\xc0 Invalid partition table", entry{flag, 7, 2048, 2048}))
	}
	for _, c := range []struct {
		name     string
		disks    []*image
		firmware string
		boot     int
		why      string
	}{
		{"no disk", nil, "", -1, ""},
		{"data only", []*image{data()}, "", -1, ""},
		{"GRUB on an MBR disk", []*image{data(), grub}, guest.FirmwareBIOS, 1, "GRUB"},
		{"active Windows", []*image{windows(0), windows(0x80)}, guest.FirmwareBIOS, 1, "active"},
		{"generic code alone starts nothing", []*image{windows(0)}, "", -1, ""},
		{"ESP", []*image{data(), withESP("")}, guest.FirmwareUEFI, 1, "EFI system"},
		{"ESP wins over the code of an installer", []*image{withESP("\x33\xc0 Invalid partition table")}, guest.FirmwareUEFI, 0, "EFI system"},
		{"ESP wins over GRUB on another disk", []*image{grub, withESP("")}, guest.FirmwareUEFI, 1, "EFI system"},
		{"BIOS boot partition", []*image{newImage(16*mib).gpt(512, 16*mib, "GRUB", part{gptBIOSBoot, 2048, 4095, ""})}, guest.FirmwareBIOS, 0, "BIOS boot"},
		{"BIOS boot partition without code", []*image{newImage(16*mib).gpt(512, 16*mib, "", part{gptBIOSBoot, 2048, 4095, ""})}, guest.FirmwareBIOS, 0, "BIOS boot"},
		{"both, with code", []*image{withESP("GRUB", part{gptBIOSBoot, 8192, 9000, ""})}, guest.FirmwareBIOS, 0, "BIOS boot"},
		{"both, without code", []*image{withESP("", part{gptBIOSBoot, 8192, 9000, ""})}, guest.FirmwareUEFI, 0, "EFI system"},
		{"ESP without FAT", []*image{newImage(16*mib).gpt(512, 16*mib, "", part{gptESP, 2048, 4095, ""})}, guest.FirmwareUEFI, 0, "no FAT"},
		{"ESP without FAT beside GRUB", []*image{newImage(16*mib).gpt(512, 16*mib, "", part{gptESP, 2048, 4095, ""}), grub}, guest.FirmwareBIOS, 1, "GRUB"},
		{"MBR with an ESP", []*image{newImage(16*mib).put(0, mbr("", entry{0, 0xef, 2048, 2048})).put(mib, fat32(2048))}, guest.FirmwareUEFI, 0, "EFI system"},
		{"hybrid ISO with an ESP and code", []*image{newImage(16*mib).put(0, mbr("isolinux", entry{0x80, 0x17, 64, 2048}, entry{0, 0xef, 4096, 2048})).put(2*mib, fat32(2048))}, guest.FirmwareBIOS, 0, "active"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := look(t, c.disks...)
			if f.Firmware != c.firmware || f.BootDisk != c.boot || !strings.Contains(f.Why, c.why) || (c.why == "") != (f.Why == "") {
				t.Errorf("%s, disk %d, %q; want %s, disk %d, %q", f.Firmware, f.BootDisk, f.Why, c.firmware, c.boot, c.why)
			}
		})
	}
}

func TestHybridISO(t *testing.T) {
	iso := superblock(2048, map[int]string{0: "\x01CD001\x01", 40: "LIVE"})
	d := look(t, newImage(16*mib).put(0, mbr("code", entry{0x80, 0x17, 64, 2048})).put(32<<10, iso)).Disks[0]
	if d.Table != tableMBR || d.Filesystem == nil || d.Filesystem.Type != "iso9660" || len(d.Partitions) != 1 {
		t.Errorf("%s", describe(d))
	}
}

// brokenReader fails from an offset on.
type brokenReader struct{ from int64 }

var errBroken = errors.New("medium error")

func (b brokenReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.from {
		return 0, errBroken
	}
	return len(p), nil
}

func TestReadErrors(t *testing.T) {
	for _, from := range []int64{0, 4096, 64 << 10} {
		f, err := Inspect(t.Context(), []Disk{{Name: "bad\x1b", R: brokenReader{from}, Size: mib}})
		if !errors.Is(err, errBroken) || len(f.Disks) != 0 || !strings.Contains(err.Error(), `"bad\x1b"`) {
			t.Errorf("from %d: %v %v", from, f, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Inspect(ctx, []Disk{{R: newImage(mib), Size: mib}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
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

// unpacked returns the content of a raw or qcow2 fixture.
func unpacked(t *testing.T, name string) []byte {
	t.Helper()
	b := readFixture(t, name)
	switch filepath.Ext(name) {
	case ".gz":
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	case ".qcow2":
		program, err := exec.LookPath("qemu-img")
		if err != nil {
			t.Skip("SKIPPED: qemu-img is not installed, the qcow2 fixture cannot be unpacked")
		}
		out := filepath.Join(t.TempDir(), "raw")
		if msg, err := exec.CommandContext(t.Context(), program, "convert", "-O", "raw", filepath.Join(fixtures(t), name), out).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, msg)
		}
		if b, err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestFixtures(t *testing.T) {
	for name, c := range map[string]struct {
		want, firmware string
		boot           int
	}{
		"raw/trivy-AmazonLinux2.img.gz":        {"gpt/512 1:1048576+1048576 EFI system 2:2097152+39828992 Linux filesystem=xfs(1b1bcec8-c7eb-4ff3-bfd5-1fadcd95ee46  39825408)", guest.FirmwareUEFI, 0},
		"raw/libguestfs-mbr-ext2-empty.img.gz": {"mbr/512 1:512+1474048 Linux=ext2(cccd2e04-8376-48cf-9e6d-cabee3fd503e  1470464)", "", -1},
		"raw/dfvfs-ext2.raw.gz":                {"none/0=ext2(f00050bb-07ee-46a3-83a6-a405ee0db51f ext2_test 4194304)", "", -1},
		"raw/dfvfs-mbr.raw.gz": {"mbr/512 1:512+66048 Linux=ext2(ef72775f-21ef-488c-a6cc-01c3fa1a1b43 ext3_test 65536) 2:66560+4127744 Extended" +
			" 5:67072+66048 Linux=ext4(1b4c0a74-16d2-4777-934d-5ca2664e89a4 ext4_test 65536)", "", -1},
		"raw/r2-gpt.img":              {"gpt/512 1:1048576+536870912 EFI system 2:537919488+116037517312 Linux filesystem 3:116575436800+8493465600 Linux swap needs 125069950976", guest.FirmwareUEFI, 0},
		"raw/openpreserve-floppy.img": {"empty/0", "", -1},
		"qcow2/cdi-cirros.qcow2": {"gpt/512 code GRUB 1:9437184+36683264 Linux filesystem=ext3(e65b9425-9b57-4801-bc6b-a1a34826dca7 cirros-rootfs 33554432)" +
			" 15:1048576+8388608 EFI system=vfat(23A0-8FEB  8388608)", guest.FirmwareUEFI, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := unpacked(t, name)
			f, err := Inspect(t.Context(), []Disk{{R: bytes.NewReader(b), Size: int64(len(b))}})
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(f.Disks[0]); got != c.want || f.Firmware != c.firmware || f.BootDisk != c.boot {
				t.Errorf("got  %s %s %d\nwant %s %s %d", got, f.Firmware, f.BootDisk, c.want, c.firmware, c.boot)
			}
		})
	}
}

// checkFacts holds what must be true of the facts of any content.
func checkFacts(t interface{ Fatalf(string, ...any) }, f guest.Facts, size int64) {
	if f.BootDisk < -1 || f.BootDisk >= len(f.Disks) || (f.BootDisk >= 0) != (f.Firmware != "") || (f.Firmware != "") != (f.Why != "") {
		t.Fatalf("boot disk %d, firmware %q, why %q", f.BootDisk, f.Firmware, f.Why)
	}
	for _, d := range f.Disks {
		if len(d.Partitions) > MaxPartitions || len(d.Warnings) > MaxWarnings {
			t.Fatalf("%d partitions, %d warnings", len(d.Partitions), len(d.Warnings))
		}
		for _, p := range d.Partitions {
			if p.Start < 0 || p.Size <= 0 || p.Start+p.Size < p.Start || (p.Start+p.Size > size && !d.PastEnd) {
				t.Fatalf("partition %+v of %d bytes", p, size)
			}
			if p.Filesystem != nil && (p.Filesystem.Size < 0 || p.Filesystem.Type == "") {
				t.Fatalf("file system %+v", p.Filesystem)
			}
		}
		if d.PastEnd != (d.NeedBytes > size) {
			t.Fatalf("past end %v, needs %d of %d bytes", d.PastEnd, d.NeedBytes, size)
		}
		if d.Table == "" || (d.Table == tableEmpty) != (d.BlankReason != "") || (d.Table == tableNone) != (d.Filesystem != nil && d.Table != tableMBR) {
			t.Fatalf("%+v", d)
		}
	}
	if b, err := json.Marshal(f); err != nil || bytes.ContainsAny(b, "\x1b\x00") {
		t.Fatalf("facts as JSON: %q %v", b, err)
	}
}

// TestSpoiledTables changes random bytes of the tables of a good disk.
func TestSpoiledTables(t *testing.T) {
	good := newImage(2*mib).gpt(512, 2*mib, "GRUB", part{gptESP, 64, 500, "boot"}, part{"0fc63daf-8483-4772-8e79-3d69d8477de4", 1024, 2047, ""}).
		put(64*512, fat32(437)).put(512<<10, xfsBlock(128)).bytesOf()
	logical := newImage(2*mib).put(0, mbr("x", entry{0x80, 0x83, 64, 64}, entry{0, 5, 128, 1024})).
		put(128*512, mbr("", entry{0, 0x82, 8, 50}, entry{0, 5, 64, 64})).put(192*512, mbr("", entry{0x80, 0x83, 8, 50})).bytesOf()
	rapid.Check(t, func(t *rapid.T) {
		b := bytes.Clone(rapid.SampledFrom([][]byte{good, logical}).Draw(t, "disk"))
		offsets := rapid.OneOf(rapid.IntRange(mbrSignature, 2048), rapid.IntRange(64*512, 64*512+512), rapid.IntRange(128*512+440, 193*512), rapid.IntRange(len(b)-1024, len(b)-1))
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			b[offsets.Draw(t, "offset")] = rapid.Byte().Draw(t, "byte")
		}
		b = b[:rapid.SampledFrom([]int{len(b), len(b) / 2, 40_000, 700, 0}).Draw(t, "length")]
		f, err := Inspect(context.Background(), []Disk{{R: bytes.NewReader(b), Size: int64(len(b))}})
		if err != nil {
			t.Fatal(err)
		}
		checkFacts(t, f, int64(len(b)))
	})
}

func FuzzInspect(f *testing.F) {
	for _, im := range []*image{
		newImage(64<<10).gpt(512, 64<<10, "GRUB", part{gptESP, 40, 60, "x"}),
		newImage(128<<10).gpt(4096, 128<<10, "", part{gptBIOSBoot, 8, 10, "x"}),
		newImage(40<<10).put(0, mbr("x", entry{0x80, 0x83, 8, 16}, entry{0, 5, 32, 40})).put(32*512, mbr("", entry{0, 0x83, 1, 4}, entry{0, 5, 8, 8})).put(8*512, xfsBlock(2)),
		newImage(8<<10).put(0, fat32(16)), newImage(70<<10).put(64<<10, superblock(4096, map[int]string{64: "_BHRfS_M"})),
		newImage(40<<10).put(32<<10, superblock(2048, map[int]string{0: "\x01CD001\x01"})), newImage(4096).put(1024, superblock(1024, map[int]string{56: "\x53\xef"})),
	} {
		f.Add(im.bytesOf(), uint32(0))
	}
	f.Fuzz(func(t *testing.T, b []byte, more uint32) {
		im := newImage(int64(len(b))+int64(more)).put(0, b)
		facts, err := Inspect(t.Context(), []Disk{{Name: "fuzz", R: im, Size: im.size}})
		if err != nil {
			t.Fatal(err)
		}
		checkFacts(t, facts, im.size)
	})
}
