package native

import (
	"bytes"
	"fmt"

	"hyper2kvm/internal/guest"
)

// Loaders found in a boot sector.
const (
	codeGRUB    = "GRUB"
	codeLILO    = "LILO"
	codeGeneric = "generic" // starts the active partition: Windows, DOS, syslinux
	codeUnknown = "unknown"
)

// bootCode tells what stands in front of the partition table of a boot sector; "" for nothing. Loaders carry their error
// messages, and these name them.
func bootCode(sector []byte) string {
	if len(sector) < 512 || sector[mbrEnd] != 0x55 || sector[mbrEnd+1] != 0xaa {
		return ""
	}
	code := sector[:mbrSignature]
	switch {
	case len(bytes.TrimLeft(code, "\x00")) == 0:
		return ""
	case bytes.Contains(code, []byte("GRUB")):
		return codeGRUB
	case bytes.Contains(code, []byte("LILO")):
		return codeLILO
	}
	for _, message := range []string{"Missing operating system", "Error loading operating system", "Operating system load error", "Operating system loading error", "Invalid partition table"} {
		if bytes.Contains(code, []byte(message)) {
			return codeGeneric
		}
	}
	return codeUnknown
}

// bootEvidence is what one disk shows of how it is started.
type bootEvidence struct {
	esp      int // number of a partition that is an EFI system partition with its FAT; 0 = none
	bareESP  int // number of one in which no FAT is seen, as on a half-copied disk
	biosBoot int // number of a BIOS boot partition
	active   int // number of an active partition
	code     string
	weight   int // how strongly a BIOS start is shown
}

// evidence collects what a disk shows.
func evidence(d guest.DiskFacts) bootEvidence {
	e := bootEvidence{code: d.BootCode}
	for _, p := range d.Partitions {
		switch {
		case (p.Type == gptESP || p.Type == "0xef") && p.Filesystem != nil && p.Filesystem.Type == "vfat" && e.esp == 0:
			e.esp = p.Number
		case p.Type == gptESP && e.bareESP == 0:
			e.bareESP = p.Number
		case p.Type == gptBIOSBoot && e.biosBoot == 0:
			e.biosBoot = p.Number
		}
		if p.Bootable && e.active == 0 {
			e.active = p.Number
		}
	}
	switch {
	case len(d.Partitions) == 0 && d.Filesystem == nil:
	case e.code == codeGRUB || e.code == codeLILO:
		e.weight = 4
	case e.code != "" && e.active != 0:
		e.weight = 3
	case e.code == codeUnknown && (e.biosBoot != 0 || len(d.Partitions) > 0):
		e.weight = 1
	}
	// The BIOS boot partition holds GRUB's core, which only boot code in sector 0 can start; without it, it still tells what
	// the guest was installed for.
	switch {
	case e.biosBoot != 0 && e.code != "":
		e.weight += 4
	case e.biosBoot != 0:
		e.weight = 2
	}
	return e
}

// uefi reports whether the disk starts by UEFI: it has an EFI system partition and nothing that shows the older way. Cloud
// images carry both; there the BIOS way, complete with its code, is the one that needs no variables.
func (e bootEvidence) uefi(table string) bool {
	if e.esp == 0 || (e.biosBoot != 0 && e.code != "") {
		return false
	}
	// On an MBR disk an active partition with code to start it speaks for BIOS; GPT disks have code from their installers.
	return table == tableGPT || e.weight < 3
}

// weigh decides firmware and boot disk over all disks.
func weigh(f *guest.Facts) {
	best := 0
	for i, d := range f.Disks {
		e := evidence(d)
		if e.uefi(d.Table) {
			f.Firmware, f.BootDisk = guest.FirmwareUEFI, i
			f.Why = fmt.Sprintf("disk %d: partition %d is an EFI system partition", i+1, e.esp)
			return
		}
		if e.weight <= best {
			continue
		}
		best, f.BootDisk, f.Firmware = e.weight, i, guest.FirmwareBIOS
		switch {
		case e.biosBoot != 0 && e.code == "":
			f.Why = fmt.Sprintf("disk %d: partition %d is a BIOS boot partition", i+1, e.biosBoot)
		case e.biosBoot != 0:
			f.Why = fmt.Sprintf("disk %d: partition %d is a BIOS boot partition, and sector 0 holds boot code (%s)", i+1, e.biosBoot, e.code)
		case e.active != 0:
			f.Why = fmt.Sprintf("disk %d: sector 0 holds boot code (%s), and partition %d is active", i+1, e.code, e.active)
		default:
			f.Why = fmt.Sprintf("disk %d: sector 0 holds boot code (%s)", i+1, e.code)
		}
	}
	if f.BootDisk >= 0 {
		return
	}
	for i, d := range f.Disks {
		if e := evidence(d); e.bareESP != 0 {
			f.Firmware, f.BootDisk = guest.FirmwareUEFI, i
			f.Why = fmt.Sprintf("disk %d: partition %d is meant as an EFI system partition, though no FAT is seen in it", i+1, e.bareESP)
			return
		}
	}
}
