package linux

import (
	"context"

	"hyper2kvm/internal/guest"
)

// Readiness says whether a guest starts on virtio.
type Readiness struct {
	Block   bool            `json:"block"` // every kernel that may be started finds virtio_blk (and virtio_pci) before its root is mounted
	SCSI    bool            `json:"scsi"`  // the same for virtio_scsi
	Net     bool            `json:"net"`   // every such kernel has virtio_net, in its initramfs or in its modules
	Why     string          `json:"why"`   // one line: what is missing, or what proves it
	Kernels []KernelDrivers `json:"kernels"`
}

// KernelDrivers is what one kernel has of virtio.
type KernelDrivers struct {
	Version string   `json:"version"`
	Initrd  string   `json:"initrd,omitempty"`
	Early   []string `json:"early"`   // in its initramfs or built in
	Later   []string `json:"later"`   // only as modules of the root file system
	Missing []string `json:"missing"` // nowhere
	Error   string   `json:"error,omitempty"`
}

// Virtio opens the initramfs of every installed kernel and says what is proved.
func Virtio(ctx context.Context, tree guest.FS, system guest.System) (Readiness, error) {
	return Readiness{Why: "not looked at"}, nil
}
