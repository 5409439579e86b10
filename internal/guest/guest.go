// Package guest says what is known about the operating system inside the disks.
//
// native reads partition tables and signatures straight from the image and needs nothing from outside. It never mounts a
// file system.
package guest

// Firmware evidence found on disks.
const (
	FirmwareBIOS = "bios"
	FirmwareUEFI = "uefi"
)

// Facts is what INSPECT found over all disks of one VM.
type Facts struct {
	Disks    []DiskFacts `json:"disks"`
	Firmware string      `json:"firmware,omitempty"` // bios, uefi or "" where nothing tells; an ESP wins, a BIOS-boot partition means BIOS
	Why      string      `json:"firmware_evidence,omitempty"`
	BootDisk int         `json:"boot_disk"` // index into Disks, -1 if no disk looks bootable
}

// DiskFacts is what one disk holds.
type DiskFacts struct {
	Table       string      `json:"table"`            // gpt, mbr, none (a bare file system) or empty (nothing recognised)
	Sector      int         `json:"sector,omitempty"` // logical sector size that the table uses: 512 or 4096
	BootCode    string      `json:"boot_code,omitempty"`
	Partitions  []Partition `json:"partitions,omitempty"`
	Filesystem  *Filesystem `json:"filesystem,omitempty"` // on the whole disk
	Warnings    []string    `json:"warnings,omitempty"`   // a damaged backup table, an overlap
	PastEnd     bool        `json:"past_end,omitempty"`   // a partition, or the backup table, lies beyond the disk: half-copied
	NeedBytes   int64       `json:"need_bytes,omitempty"` // with PastEnd: the size that the table speaks of
	HasGuestOS  bool        `json:"has_guest_os"`         // something that a repair could look at: a file system, LVM, LUKS, md
	BlankReason string      `json:"blank_reason,omitempty"`
}

// Partition is one entry of a partition table.
type Partition struct {
	Number     int         `json:"number"`
	Start      int64       `json:"start"` // bytes
	Size       int64       `json:"size"`  // bytes
	Type       string      `json:"type"`  // GUID in lower case, or the MBR type as 0x83
	TypeName   string      `json:"type_name,omitempty"`
	Name       string      `json:"name,omitempty"`
	UUID       string      `json:"uuid,omitempty"`
	Bootable   bool        `json:"bootable,omitempty"`
	Filesystem *Filesystem `json:"filesystem,omitempty"`
}

// Filesystem is what a signature tells.
type Filesystem struct {
	Type  string `json:"type"` // ext4, xfs, btrfs, ntfs, vfat, swap, lvm2, luks, mdraid, bitlocker, iso9660 ...
	UUID  string `json:"uuid,omitempty"`
	Label string `json:"label,omitempty"`
	Size  int64  `json:"size,omitempty"` // bytes, where the superblock says
}
