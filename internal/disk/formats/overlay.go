package formats

import (
	"context"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/qcow2"
)

// CreateOverlay makes t an empty qcow2 overlay of size bytes above the raw backing file that qemu opens by the name backing, such as
// nbd+unix:///?socket=/run/x/nbd.sock. See qcow2.CreateOverlay.
func CreateOverlay(ctx context.Context, t disk.Target, size int64, backing string) error {
	return qcow2.CreateOverlay(ctx, t, size, qcow2.OverlayOptions{Backing: backing, BackingFormat: rawFormat.Name})
}

// OpenOver opens the qcow2 overlay in f above backing, and never what it names. It owns both. See qcow2.OpenOver.
func OpenOver(ctx context.Context, f disk.File, backing disk.Image) (disk.Image, error) {
	return opened(qcow2.OpenOver(ctx, f, backing))
}
