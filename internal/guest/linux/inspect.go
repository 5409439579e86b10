package linux

import (
	"context"

	"hyper2kvm/internal/guest"
)

// Inspect fills what the mounted tree tells: distribution, version, architecture, kernels, boot loaders, init, packages, interfaces,
// tools, SELinux. What the appliance filled (Root, Volumes, Mounts) stays.
func Inspect(ctx context.Context, tree guest.FS, system *guest.System) error {
	return nil
}
