package linux

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/initramfs"
)

// kernelLook is what was found of one kernel: its modules, its initramfs, and what they make of the drivers.
type kernelLook struct {
	kernel  guest.Kernel
	modules kernelModules
	image   initramfs.Contents // of its initramfs; empty where there is none or it cannot be read
	failed  error              // why it cannot be read
	drivers KernelDrivers
}

// lookKernel reads a kernel's modules and its initramfs. An initramfs that is not readable is not an error of the look; one that the
// guest's file system does not give is.
func lookKernel(ctx context.Context, tree guest.FS, k guest.Kernel) (kernelLook, error) {
	look := kernelLook{kernel: k}
	var err error
	if look.modules, err = readKernelModules(ctx, tree, k.Version); err != nil {
		return look, err
	}
	if k.Initrd != "" {
		look.image, look.failed, err = listImage(ctx, tree, k.Initrd)
		if err != nil {
			return look, err
		}
	}
	return look, look.sum(ctx, tree)
}

// listImage reads an initramfs; failed says what is wrong with it.
func listImage(ctx context.Context, tree guest.FS, name string) (c initramfs.Contents, failed, err error) {
	f, err := tree.Open(ctx, name)
	if err != nil {
		if absent(err) {
			return c, err, nil
		}
		return c, nil, err
	}
	defer f.Close()
	c, err = initramfs.List(ctx, f, f.Size())
	for _, kind := range []error{initramfs.ErrFormat, initramfs.ErrCorrupt, initramfs.ErrUnsupported, initramfs.ErrLimit} {
		if errors.Is(err, kind) {
			return c, err, nil
		}
	}
	return c, nil, err
}

// sum sorts the drivers by where they are.
func (l *kernelLook) sum(ctx context.Context, tree guest.FS) error {
	d := KernelDrivers{
		Version: l.kernel.Version, Initrd: l.kernel.Initrd, Rescue: rescueKernel(l.kernel), Early: []string{}, Later: []string{}, Missing: []string{},
	}
	if l.failed != nil {
		d.Error = l.failed.Error()
	}
	for _, name := range virtioDrivers {
		if l.loads(name) {
			d.Early = append(d.Early, name)
			continue
		}
		later, err := l.modules.complete(ctx, tree, name)
		if err != nil {
			return err
		}
		if later {
			d.Later = append(d.Later, name)
		} else {
			d.Missing = append(d.Missing, name)
		}
	}
	l.drivers = d
	return nil
}

// complete reports whether a driver and all that it needs are there as files or built in.
func (m *kernelModules) complete(ctx context.Context, tree guest.FS, name string) (bool, error) {
	for _, n := range append([]string{name}, m.needs(name)...) {
		if has, err := m.has(ctx, tree, n); err != nil || !has {
			return false, err
		}
	}
	return true, nil
}

// loads reports whether a driver can be loaded before the root is mounted: it is built in, or it and all that it needs are in the
// initramfs. modules.dep names all that a module needs, not only the next.
func (l *kernelLook) loads(name string) bool {
	if l.modules.builtin[name] {
		return true
	}
	if !l.image.Has(l.kernel.Version, name) {
		return false
	}
	return len(l.without(name)) == 0
}

// without returns what the initramfs lacks for a driver that it has.
func (l *kernelLook) without(name string) []string {
	return slices.DeleteFunc(l.modules.needs(name), func(n string) bool { return l.image.Has(l.kernel.Version, n) })
}

// early reports whether all of names can be loaded before the root is mounted.
func (l *kernelLook) early(names ...string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(l.drivers.Early, n) })
}

// has reports whether all of names are there, early or later.
func (l *kernelLook) has(names ...string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(l.drivers.Missing, n) })
}

// lacks says in a line what keeps the kernel from virtio disks; "" where nothing does.
func (l *kernelLook) lacks() string {
	var parts []string
	for _, name := range []string{"virtio_blk", "virtio_pci"} {
		switch {
		case l.early(name):
		case l.image.Has(l.kernel.Version, name):
			parts = append(parts, fmt.Sprintf("%s without %s", name, strings.Join(l.without(name), ", ")))
		default:
			parts = append(parts, name)
		}
	}
	switch {
	case len(parts) == 0:
		return ""
	case l.failed != nil:
		return fmt.Sprintf("kernel %s: %s cannot be read: %v", fact(l.kernel.Version), fact(l.kernel.Initrd), l.failed)
	case l.kernel.Initrd == "":
		return fmt.Sprintf("kernel %s has no initramfs, and not built in: %s", fact(l.kernel.Version), strings.Join(parts, ", "))
	case !l.has("virtio_blk", "virtio_pci"):
		return fmt.Sprintf("kernel %s has no %s", fact(l.kernel.Version), strings.Join(parts, ", "))
	case slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(p, " ") }):
		return fmt.Sprintf("the initramfs of kernel %s has %s", fact(l.kernel.Version), strings.Join(parts, ", "))
	}
	return fmt.Sprintf("the initramfs of kernel %s lacks %s", fact(l.kernel.Version), strings.Join(parts, ", "))
}
