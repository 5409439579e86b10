package linux

import (
	"fmt"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// onKVM returns the kernel's name that a disk or partition has on KVM: a virtio disk without a serial number has no by-id name. only: it
// is the only one named.
func (d *devices) onKVM(name string, only bool) (string, error) {
	short, ok := strings.CutPrefix(name, "/dev/")
	if !ok {
		return name, nil
	}
	n, isDisk := parseDiskName(short)
	if base, part, ok := d.splitAlias(name); ok && base != "" {
		n, isDisk = diskName{disk: -1, part: part}, true
		if only || d.disks == 1 {
			n.disk = d.bootDisk()
		}
	}
	switch {
	case !isDisk:
		return name, nil // an array or a volume: its name stays
	case n.disk < 0:
		return "", fmt.Errorf("which of the %d disks it names cannot be told", d.disks)
	case n.disk >= d.disks:
		return "", fmt.Errorf("the VM has no such disk")
	case n.disk >= 26:
		return "", fmt.Errorf("disk %d is more than the letters of the alphabet", n.disk+1)
	}
	kind := "vd"
	if !d.virtio() {
		kind = "sd"
	}
	to := fmt.Sprintf("/dev/%s%c", kind, 'a'+n.disk)
	if n.part > 0 {
		to += fmt.Sprint(n.part)
	}
	return to, nil
}

// virtio reports whether the disks can be on virtio, as far as the kernels are known. A guest with a kernel that cannot gets SATA, or
// keeps its SCSI controller.
func (d *devices) virtio() bool {
	return !slices.ContainsFunc(d.system.Kernels, func(k guest.Kernel) bool {
		return startable(k) && !rescueKernel(k) && (!slices.Contains(k.Virtio, "virtio_blk") || !slices.Contains(k.Virtio, "virtio_pci"))
	})
}

// bootDisk is the disk of /boot or of what holds it, -1 where that cannot be told.
func (d *devices) bootDisk() int {
	if d.disks == 1 {
		return 0
	}
	for _, point := range []string{"/boot/efi", "/boot", "/"} {
		for _, m := range d.system.Mounts {
			if v, ok := d.system.VolumeByDevice(m.Device); ok && m.Point == point && v.Disk >= 0 {
				return v.Disk
			}
		}
	}
	return -1
}
