package guest

import "slices"

// Families of guests.
const (
	FamilyLinux   = "linux"
	FamilyWindows = "windows"
	FamilyOther   = "other" // recognised as an operating system, and none that is repaired
)

// System is the operating system found on the disks of one VM, and what it stands on. The appliance fills what it sees (Root,
// Volumes, Mounts, Family); the family's own inspection fills the rest from the mounted tree.
type System struct {
	Family  string `json:"family,omitempty"`  // one of the Family constants; "" = no operating system was found
	Distro  string `json:"distro,omitempty"`  // ID of os-release, or what older files tell: debian, ubuntu, rhel, centos, sles, photon ...
	Like    string `json:"like,omitempty"`    // ID_LIKE of os-release
	Name    string `json:"name,omitempty"`    // for people: Debian GNU/Linux 12 (bookworm)
	Version string `json:"version,omitempty"` // VERSION_ID
	Arch    string `json:"arch,omitempty"`    // x86_64, i386, aarch64 ...: of what is installed
	Host    string `json:"host,omitempty"`    // host name

	Root    string   `json:"root,omitempty"`   // volume that holds /; one of Volumes
	Subvol  string   `json:"subvol,omitempty"` // btrfs subvolume that is /
	Roots   []string `json:"roots,omitempty"`  // other volumes or subvolumes that look like a system: snapshots, a second system
	Volumes []Volume `json:"volumes"`          // everything that holds a file system, swap or a layer, over all disks
	Mounts  []Mount  `json:"mounts"`           // as mounted in the tree, / first

	Firmware    string       `json:"firmware,omitempty"` // as in Facts
	Init        string       `json:"init,omitempty"`     // systemd, sysvinit, openrc, upstart ...
	Packages    string       `json:"packages,omitempty"` // package database: dpkg, rpm, apk, pacman
	Kernels     []Kernel     `json:"kernels,omitempty"`  // installed, the newest first
	BootLoaders []BootLoader `json:"boot_loaders,omitempty"`
	Interfaces  []Interface  `json:"interfaces,omitempty"` // configured network interfaces
	Tools       []string     `json:"tools,omitempty"`      // packages or installations that serve another hypervisor, and qemu-guest-agent
	SELinux     string       `json:"selinux,omitempty"`    // enforcing, permissive, disabled; "" = none

	// Renumbered: the guest's kernel counted its disks in another order than the VM's, as fstab tells as long as it has kernel names, which
	// the repair takes away.
	Renumbered bool `json:"renumbered,omitempty"`

	Hibernated bool   `json:"hibernated,omitempty"` // Windows: hiberfil or fast start; Linux: a swap with an image
	Dirty      bool   `json:"dirty,omitempty"`      // a file system that was not unmounted and cannot be written safely
	DirtyWhy   string `json:"dirty_why,omitempty"`
}

// Volume is something with content: a partition, a whole disk, a logical volume, an array, an opened LUKS container.
type Volume struct {
	Device    string `json:"device"`              // as the appliance names it: /dev/sda1, /dev/vg0/root, /dev/md127, /dev/mapper/luks-...
	Disk      int    `json:"disk"`                // index into the VM's disks; -1 for what stands on several or on another volume
	Partition int    `json:"partition,omitempty"` // number in the table; 0 = the whole disk
	Type      string `json:"type"`                // ext4, xfs, btrfs, vfat, ntfs, swap, LVM2_member, crypto_LUKS, linux_raid_member, "" = unknown
	UUID      string `json:"uuid,omitempty"`      // as blkid prints it
	Label     string `json:"label,omitempty"`
	PartUUID  string `json:"partuuid,omitempty"`
	PartLabel string `json:"partlabel,omitempty"`
	Size      int64  `json:"size"`           // bytes
	Free      int64  `json:"free,omitempty"` // bytes, of a mounted file system
	// Names are those that a guest may use for the volume beside Device: /dev/mapper/vg0-root.
	Names []string `json:"names,omitempty"`
}

// Mount is one mounted file system.
type Mount struct {
	Point   string `json:"point"`  // /, /boot, /boot/efi
	Device  string `json:"device"` // Device of a Volume
	Type    string `json:"type"`
	Options string `json:"options,omitempty"` // subvol=@
	Free    int64  `json:"free"`              // bytes
}

// Kernel is one installed kernel.
type Kernel struct {
	Version string   `json:"version"` // name below /lib/modules
	Image   string   `json:"image"`   // /boot/vmlinuz-6.1.0-18-amd64; "" where only modules are there
	Initrd  string   `json:"initrd,omitempty"`
	Modules string   `json:"modules"` // /lib/modules/6.1.0-18-amd64
	Virtio  []string `json:"virtio"`  // virtio drivers that it has, built in or as modules: virtio_blk, virtio_scsi, virtio_pci, virtio_net
}

// BootLoader is one that is configured in the guest.
type BootLoader struct {
	Kind   string `json:"kind"`   // grub2, grub1, systemd-boot, extlinux
	Config string `json:"config"` // its main file
}

// Interface is a network interface that a guest's files configure.
type Interface struct {
	Name    string `json:"name"`
	Backend string `json:"backend"` // ifcfg, networkmanager, netplan, ifupdown, networkd, wicked
	File    string `json:"file"`
	MAC     string `json:"mac,omitempty"` // lower case, where a file pins it
	Static  bool   `json:"static,omitempty"`
	Address string `json:"address,omitempty"` // first static address
}

// NIC is a network card that the VM will have: what the description of the machine says of it.
type NIC struct {
	MAC   string `json:"mac,omitempty"`   // lower case; "" = not known, libvirt will choose
	Model string `json:"model,omitempty"` // at the source: vmxnet3, e1000
	Slot  int    `json:"slot,omitempty"`  // VMware's PCI slot number; 0 = not stated
}

// VolumeByDevice returns the volume of that device name, under any of its names.
func (s System) VolumeByDevice(device string) (Volume, bool) {
	for _, v := range s.Volumes {
		if v.Device == device || slices.Contains(v.Names, device) {
			return v, true
		}
	}
	return Volume{}, false
}
