package native

import (
	"strings"
	"testing"

	"hyper2kvm/internal/guest"
)

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
