package linux

import (
	"context"
	"slices"

	"hyper2kvm/internal/guest"
)

// bootFixers returns the repairs of what starts the kernel. They edit what stands in the files and run nothing: a mkconfig of the guest
// would write what it sees in the appliance.
func bootFixers(o Options) []guest.Fixer {
	if !o.BootLoader && !o.SerialConsole {
		return nil
	}
	fixers := []guest.Fixer{
		bootFixer{"grub2", o, planGrub2},
		bootFixer{"grubenv", o, planGrubenv},
		bootFixer{"bls", o, planBLS},
		bootFixer{"kernel-cmdline", o, planKernelCmdline},
		bootFixer{"default-grub", o, planGrubDefaults},
		bootFixer{"grub1", o, planGrub1},
		bootFixer{"extlinux", o, planExtlinux},
	}
	if o.BootLoader {
		fixers = append(fixers, deviceMapFixer{}, debconfFixer{}, installDeviceFixer{}, efiFixer{})
	}
	return fixers
}

// bootFixer edits the kernels' command lines in the files of one boot loader.
type bootFixer struct {
	name    string
	options Options
	plan    func(ctx context.Context, c *cmdlines) error
}

// Name implements guest.Fixer.
func (f bootFixer) Name() string { return f.name }

// Plan implements guest.Fixer.
func (f bootFixer) Plan(ctx context.Context, system guest.System, tree guest.FS) (guest.Proposal, error) {
	files := &fileSet{tree: tree}
	d, err := newDevices(ctx, files, system)
	if err != nil {
		return guest.Proposal{}, err
	}
	c := &cmdlines{devices: d, files: files, mode: FstabStabilizeAll, rename: f.options.BootLoader}
	if f.options.SerialConsole {
		c.serial = serialConsole(system.Arch)
	}
	err = f.plan(ctx, c)
	return files.proposal, err
}

// bootEntry is what is known of the place where a command line stands.
type bootEntry struct {
	initrd bool   // the kernel gets an initramfs: without one it knows partitions, but no file systems
	kernel bool   // it is what a kernel is started with, and may get a console
	around string // further text in which a console may be named already
}

// always is the entry of settings from which command lines are made.
func (c *cmdlines) always() bootEntry { return bootEntry{initrd: c.initrds(), kernel: true} }

// initrds reports whether the guest's kernels are started with an initramfs, as far as it is known.
func (c *cmdlines) initrds() bool {
	kernels := c.devices.system.Kernels
	for _, k := range kernels {
		if k.Initrd != "" {
			return true
		}
	}
	return len(kernels) == 0
}

// allInitrds reports whether each of the guest's kernels is started with an initramfs, as far as it is known.
func (c *cmdlines) allInitrds() bool {
	return !slices.ContainsFunc(c.devices.system.Kernels, func(k guest.Kernel) bool { return startable(k) && k.Initrd == "" })
}

// edit gives files to change, each once, and says of each why it changed.
func (c *cmdlines) edit(ctx context.Context, names []string, change func(name, content string) string) error {
	seen := map[string]bool{}
	for _, name := range names {
		at, b, err := c.files.read(ctx, name)
		if err != nil {
			return err
		}
		if at == "" || seen[at] {
			continue
		}
		seen[at] = true
		c.renamed, c.spoken = false, false
		content := change(at, string(b))
		why := "the kernel is told of its disks by what stays the same on virtio"
		switch {
		case c.renamed && c.spoken:
			why += ", and talks on the serial console too"
		case c.spoken:
			why = "the kernel talks on the serial console too"
		}
		if err := c.files.put(ctx, at, why, content); err != nil {
			return err
		}
	}
	return nil
}

// espDirs are the directories under which the EFI system partition may be mounted, those first where it is.
func espDirs(system guest.System) []string {
	var dirs []string
	for _, m := range system.Mounts {
		if m.Type == "vfat" || m.Type == "msdos" {
			dirs = append(dirs, m.Point)
		}
	}
	return append(dirs, "/boot/efi", "/efi", "/boot")
}
