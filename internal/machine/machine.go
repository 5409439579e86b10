// Package machine describes a virtual machine neutrally: firmware, processors, memory, disks in order, network cards.
//
// ovf and vmx read a source's description into a Machine, domxml writes one as a libvirt domain. Nothing here opens a disk.
package machine

import "errors"

// The kinds of errors of the packages below; tested with errors.Is.
var (
	ErrDescriptor  = errors.New("description is not valid")      // syntax, missing parts, values out of range
	ErrUnsupported = errors.New("description is not supported")  // well formed, but of a kind that this program does not read
	ErrChecksum    = errors.New("checksum does not match")       // a .mf names another digest
	ErrMember      = errors.New("archive member is not allowed") // outside name, link, duplicate, device
	ErrMissing     = errors.New("file is missing")               // a file that the description names is not there
	ErrTruncated   = errors.New("file is truncated")             // of an OVA that ends early; such an error is an ErrDescriptor too
	ErrLimit       = errors.New("limit exceeded")
)

// Bus is a kind of disk controller.
type Bus string

// The disk buses. BusUnknown leaves the choice to the writer.
const (
	BusUnknown Bus = ""
	BusIDE     Bus = "ide"
	BusSATA    Bus = "sata"
	BusSCSI    Bus = "scsi"
	BusNVMe    Bus = "nvme"
	BusVirtio  Bus = "virtio"
)

// Firmware is how the machine starts.
type Firmware string

// The firmwares. FirmwareUnknown is resolved by what is found on the disks, then BIOS.
const (
	FirmwareUnknown Firmware = ""
	FirmwareBIOS    Firmware = "bios"
	FirmwareUEFI    Firmware = "uefi"
)

// Machine is a virtual machine. Zero values mean that the description does not say.
type Machine struct {
	Name       string   `json:"name"`
	ID         string   `json:"id,omitempty"` // identifier in the description, to tell several systems apart
	CPUs       int      `json:"cpus,omitempty"`
	Sockets    int      `json:"sockets,omitempty"`
	MemoryMiB  int64    `json:"memory_mib,omitempty"`
	Firmware   Firmware `json:"firmware,omitempty"`
	SecureBoot bool     `json:"secure_boot,omitempty"`
	OSType     string   `json:"os_type,omitempty"` // as the description states it: ubuntu64Guest, 94, Debian_64
	Disks      []Disk   `json:"disks"`             // in order of controller, then address: the order in which the guest sees them
	NICs       []NIC    `json:"nics"`
	Notes      []string `json:"notes,omitempty"` // what was found and not carried over (sound, USB, CD drives with files), for the report
}

// Disk is one disk of a Machine.
type Disk struct {
	ID         string `json:"id,omitempty"`          // identifier in the description
	File       string `json:"file,omitempty"`        // file name relative to the description; "" for a blank disk
	FileBytes  int64  `json:"file_bytes,omitempty"`  // stated size of the file; 0 = not stated
	Capacity   int64  `json:"capacity,omitempty"`    // virtual size in bytes; 0 = not stated
	Gzip       bool   `json:"gzip,omitempty"`        // the file is gzip-compressed as a whole (OVF compression="gzip")
	ChunkBytes int64  `json:"chunk_bytes,omitempty"` // the file comes in pieces File.000000000, ... of this size; 0 = whole
	Parent     string `json:"parent,omitempty"`      // ID of the parent disk (OVF parentRef)
	Bus        Bus    `json:"bus,omitempty"`
	Controller int    `json:"controller"`      // number of the controller on its bus
	Unit       int    `json:"unit"`            // address on the controller
	Model      string `json:"model,omitempty"` // controller as stated: lsilogic, VirtualSCSI, AHCI
}

// Blank reports whether the disk is to be created empty: the description gives it a capacity and no file.
func (d Disk) Blank() bool { return d.File == "" }

// NIC is one network card of a Machine.
type NIC struct {
	Name    string `json:"name,omitempty"`
	MAC     string `json:"mac,omitempty"`     // 00:50:56:ab:cd:ef, lower case; "" = not stated
	Network string `json:"network,omitempty"` // name of the source network
	Model   string `json:"model,omitempty"`   // vmxnet3, e1000, E1000E ... as stated
	Slot    int    `json:"slot,omitempty"`    // PCI slot number where stated (VMX ethernetN.pciSlotNumber)
}
