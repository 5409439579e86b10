package linux

import (
	"context"
	"fmt"
	"path"
	"strings"

	"hyper2kvm/internal/guest"
)

// initramfsFixers puts virtio into the initramfs of every kernel that lacks it.
func initramfsFixers(o Options) []guest.Fixer {
	if !o.Initramfs {
		return nil
	}
	return []guest.Fixer{initramfsFixer{}}
}

// initramfsFixer has the guest's own tool build the images anew of those kernels that do not find their disk on virtio, and of those
// whose image names the old disk. Everything else it leaves alone: an image that was not built anew is one that cannot have got worse.
type initramfsFixer struct{}

func (initramfsFixer) Name() string { return "initramfs" }

// buildDir is where images are built: not in /boot, which is small, and never under a name that starts.
const buildDir = "/var/tmp"

// rebuild is one image to be built.
type rebuild struct {
	look    kernelLook
	path    string   // of the image that stands there, without links
	modules []string // the virtio modules that the kernel has, in the order in which they load
	stale   []string // arguments in the old image that name the old disk
	root    []string // modules of the old image that / stands on
	oldSize int64
	// rescueSize is the size of the image of a rescue kernel; 0 = there is none.
	rescueSize int64
}

// Plan implements guest.Fixer.
func (initramfsFixer) Plan(ctx context.Context, system guest.System, tree guest.FS) (guest.Proposal, error) {
	var p guest.Proposal
	var todo []rebuild
	rescue, err := rescueImage(ctx, system, tree)
	if err != nil {
		return p, err
	}
	for _, k := range system.Kernels {
		if !startable(k) || k.Modules == "" && rescueKernel(k) {
			continue // nothing starts it; or its modules are gone, and an image cannot be built
		}
		look, err := lookKernel(ctx, tree, k)
		if err != nil {
			return p, err
		}
		r := rebuild{look: look, stale: staleArguments(look.image)}
		if r.why() == "" {
			continue
		}
		if warning, ok := cannot(look, r.why()); ok {
			p.Warnings = append(p.Warnings, warning)
			continue
		}
		if r.path, err = guest.Resolve(ctx, tree, k.Initrd); err != nil {
			return p, err
		}
		info, err := tree.Stat(ctx, r.path)
		if err != nil {
			return p, err
		}
		r.oldSize, r.modules, r.rescueSize = info.Size, look.modules.virtioModules(), rescue
		r.root = rootModules(system, look)
		todo = append(todo, r)
	}
	if len(todo) == 0 {
		return p, nil
	}
	tool, err := findTool(ctx, tree, todo[0].look.image)
	if err != nil {
		return p, err
	}
	if tool == nil {
		for _, r := range todo {
			hint := "see that the boot entry of this kernel names its root by UUID"
			if r.look.lacks() != "" {
				hint = "install dracut, initramfs-tools, mkinitcpio or mkinitfs in the guest and build it with virtio_blk and virtio_pci; " + sataHint
			}
			p.Warnings = append(p.Warnings, guest.Warning{Message: "no tool that builds an initramfs is in the guest: " + r.why(), Hint: hint})
		}
		return p, nil
	}
	return p, tool.plan(ctx, tree, todo, &p)
}

// rescueImage returns the size of the image of a rescue kernel; 0 for none.
func rescueImage(ctx context.Context, system guest.System, tree guest.FS) (int64, error) {
	for _, k := range system.Kernels {
		if !rescueKernel(k) || k.Initrd == "" {
			continue
		}
		info, _, err := lookStat(ctx, tree, k.Initrd)
		return info.Size, err
	}
	return 0, nil
}

// sataHint says what becomes of a machine whose kernels do not find virtio disks.
const sataHint = "until then the machine gets SATA disks, which every kernel finds"

// cannot says why nothing is built for a kernel.
func cannot(look kernelLook, why string) (guest.Warning, bool) {
	k := look.kernel
	switch {
	case unifiedKernel(k):
		return guest.Warning{
			Message: fmt.Sprintf("%s is kernel and initramfs in one, perhaps signed, and is left as it is: %s", fact(k.Image), why),
			Hint:    "build it anew in the guest with virtio_blk and virtio_pci (dracut --uefi, ukify, mkinitcpio -U); " + sataHint,
		}, true
	case k.Initrd == "":
		return guest.Warning{Message: why, Hint: "no boot entry loads an initramfs for it; " + sataHint}, true
	case !look.has("virtio_blk", "virtio_pci"):
		return guest.Warning{Message: why + ", so that no initramfs can have it", Hint: "install a kernel with virtio; " + sataHint}, true
	case look.failed != nil && !damagedImage(look.failed):
		return guest.Warning{Message: why + ": a new one could not be proved either", Hint: sataHint}, true
	case !plainVersion(k.Version):
		return guest.Warning{Message: fmt.Sprintf("%s: %q is no version that a command can be given", why, fact(k.Version)), Hint: sataHint}, true
	}
	return guest.Warning{}, false
}

// why says what a rebuild is good for.
func (r rebuild) why() string {
	why := r.look.lacks()
	if len(r.stale) > 0 {
		stale := fmt.Sprintf("the initramfs of kernel %s waits for the old disk: %s", r.look.kernel.Version, fact(strings.Join(r.stale, " ")))
		if why == "" {
			return stale
		}
		why += "; " + stale
	}
	return why
}

// makesName is the file below buildDir that a rebuild makes.
func (r rebuild) makesName() string {
	if rescueKernel(r.look.kernel) {
		return path.Join(buildDir, "hyper2kvm-rescue-"+r.look.kernel.Version+".img")
	}
	return path.Join(buildDir, "hyper2kvm-"+r.look.kernel.Version+".img")
}

// virtioModules returns the virtio modules that the kernel has as modules, what others stand on first.
func (m *kernelModules) virtioModules() []string {
	var out []string
	for _, name := range []string{"virtio", "virtio_ring", "virtio_pci", "virtio_blk", "virtio_scsi", "virtio_net"} {
		if _, ok := m.files[name]; ok && !m.builtin[name] {
			out = append(out, name)
		}
	}
	return out
}
