package linux

import (
	"context"
	"fmt"
	"strings"

	"hyper2kvm/internal/guest"
)

// Readiness says whether a guest starts on virtio. It speaks of the kernels that a boot entry may start: those with an image, but for
// kernels of Xen alone, and for rescue kernels, which nobody starts but in an emergency and which can be given other disks then.
type Readiness struct {
	Block   bool            `json:"block"` // every kernel that may be started finds virtio_blk (and virtio_pci) before its root is mounted
	SCSI    bool            `json:"scsi"`  // the same for virtio_scsi, with the driver of SCSI disks
	Net     bool            `json:"net"`   // every such kernel has virtio_net and virtio_pci, in its initramfs or in its modules
	Why     string          `json:"why"`   // one line: what is missing, or what proves it
	Kernels []KernelDrivers `json:"kernels"`
}

// KernelDrivers is what one kernel has of virtio. A driver counts where everything that it is loaded with is there too.
type KernelDrivers struct {
	Version string   `json:"version"`
	Initrd  string   `json:"initrd,omitempty"`
	Rescue  bool     `json:"rescue,omitempty"`
	Early   []string `json:"early"`   // in its initramfs or built in
	Later   []string `json:"later"`   // only as modules of the root file system
	Missing []string `json:"missing"` // nowhere
	Error   string   `json:"error,omitempty"`
}

// Virtio opens the initramfs of every installed kernel and says what is proved.
func Virtio(ctx context.Context, tree guest.FS, system guest.System) (Readiness, error) {
	r := Readiness{Kernels: []KernelDrivers{}}
	var lacking []string
	block, scsi, network, counted := true, true, true, 0
	for _, k := range system.Kernels {
		if !startable(k) {
			continue
		}
		look, err := lookKernel(ctx, tree, k)
		if err != nil {
			return Readiness{}, err
		}
		r.Kernels = append(r.Kernels, look.drivers)
		if look.drivers.Rescue {
			continue
		}
		counted++
		block = block && look.early("virtio_blk", "virtio_pci")
		scsi = scsi && look.early("virtio_scsi", "virtio_pci") && look.loads("sd_mod")
		network = network && look.has("virtio_net", "virtio_pci")
		if why := look.lacks(); why != "" {
			lacking = append(lacking, why)
		}
	}
	switch {
	case counted == 0:
		r.Why = "no installed kernel was found"
		return r, nil
	case len(lacking) > 0:
		r.Why = strings.Join(lacking, "; ")
	default:
		r.Why = fmt.Sprintf("virtio_blk and virtio_pci are in the initramfs of, or built into, each of %d kernels", counted)
		if counted == 1 {
			r.Why = "virtio_blk and virtio_pci are in the kernel's initramfs or built in"
		}
	}
	r.Block, r.SCSI, r.Net = block, scsi, network
	return r, nil
}
