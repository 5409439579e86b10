package linux

import (
	"slices"

	"hyper2kvm/internal/guest"
)

// Levels of the network repair; see the reference of network_fix_level.
const (
	NetworkConservative = "conservative"
	NetworkModerate     = "moderate"
	NetworkAggressive   = "aggressive"
)

// Modes of the repair of fstab and its like.
const (
	FstabStabilizeAll = "stabilize-all" // every /dev/* name becomes a stable one
	FstabBypathOnly   = "bypath-only"   // only /dev/disk/by-path and by-id names
	FstabNoop         = "noop"          // fstab is left alone
)

// Options say which repairs a guest gets. The zero value asks for none.
type Options struct {
	FstabMode     string      `json:"fstab_mode,omitempty"` // "" is noop
	BootLoader    bool        `json:"boot_loader,omitempty"`
	SerialConsole bool        `json:"serial_console,omitempty"` // the kernels also talk on ttyS0
	Initramfs     bool        `json:"initramfs,omitempty"`
	Network       string      `json:"network,omitempty"` // one of the levels; "" leaves the network alone
	NICs          []guest.NIC `json:"nics,omitempty"`    // that the VM will have, in order
	RemoveTools   bool        `json:"remove_tools,omitempty"`
	AgentPackages []string    `json:"agent_packages,omitempty"` // guest paths of qemu-guest-agent packages that were put there; empty = none
}

// Fixers returns the repairs in the order in which they are made: first what names disks, then what starts the kernel, then the
// network and the tools, and the initramfs last, so that it takes in what the others wrote.
func Fixers(o Options) []guest.Fixer {
	return slices.Concat(
		storageFixers(o),   // fstab, crypttab, units, and what names disks and breaks weeks later
		bootFixers(o),      // grub2, BLS, grub1, systemd-boot, extlinux, the EFI fallback
		networkFixers(o),   // one for each way of configuring interfaces, and the pins of their names
		toolFixers(o),      // tools of other hypervisors, the guest agent
		initramfsFixers(o), // one command for each kernel that lacks virtio
	)
}
