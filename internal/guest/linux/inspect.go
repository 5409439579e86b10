package linux

import (
	"context"

	"hyper2kvm/internal/guest"
)

// Inspect fills what the mounted tree tells: distribution, version, architecture, kernels, boot loaders, init, packages, interfaces,
// tools, SELinux. What the appliance filled (Root, Volumes, Mounts) stays.
func Inspect(ctx context.Context, tree guest.FS, system *guest.System) error {
	if system.Family == "" {
		system.Family = guest.FamilyLinux
	}
	for _, look := range []func(context.Context, guest.FS, *guest.System) error{
		inspectRelease, inspectArch, inspectHost, inspectInit, inspectPackages, inspectSELinux, inspectBootLoaders, inspectKernels,
		inspectInterfaces, inspectTools, inspectOrder,
	} {
		if err := look(ctx, tree, system); err != nil {
			return err
		}
	}
	return nil
}

// inspectOrder says whether the guest counted its disks otherwise than the VM does; what an earlier look found stays.
func inspectOrder(ctx context.Context, tree guest.FS, system *guest.System) error {
	d, err := newDevices(ctx, &fileSet{tree: tree}, *system)
	if err == nil {
		system.Renumbered = d.mixed
	}
	return err
}

// inspectKernels fills the kernels, with the virtio drivers that each has.
func inspectKernels(ctx context.Context, tree guest.FS, system *guest.System) error {
	kernels, err := findKernels(ctx, tree)
	if err != nil {
		return err
	}
	for i := range kernels {
		m, err := readKernelModules(ctx, tree, kernels[i].Version)
		if err != nil {
			return err
		}
		kernels[i].Virtio = []string{}
		for _, name := range virtioDrivers {
			has, err := m.has(ctx, tree, name)
			if err != nil {
				return err
			}
			if has {
				kernels[i].Virtio = append(kernels[i].Virtio, name)
			}
		}
	}
	system.Kernels = kernels
	return nil
}
