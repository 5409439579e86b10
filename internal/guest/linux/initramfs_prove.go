package linux

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/initramfs"
)

// damagedImage reports whether an image that cannot be read is none, or broken: a new one would be better. A format that is not
// supported would be that of the new one too.
func damagedImage(err error) bool {
	return errors.Is(err, initramfs.ErrCorrupt) || errors.Is(err, initramfs.ErrFormat)
}

// prove returns what looks into the image that a command made: the drivers must be in it, with all that they need, for that kernel.
func (r rebuild) prove(makes string) func(ctx context.Context, tree guest.FS) error {
	return func(ctx context.Context, tree guest.FS) error {
		look := kernelLook{kernel: r.look.kernel, modules: r.look.modules}
		look.kernel.Initrd = makes
		var err error
		if look.image, look.failed, err = listImage(ctx, tree, makes); err != nil {
			return err
		}
		if err := look.sum(ctx, tree); err != nil {
			return err
		}
		if look.failed != nil {
			return fmt.Errorf("%s cannot be read: %w", makes, look.failed)
		}
		if why := look.lacks(); why != "" {
			return fmt.Errorf("the new image: %s", why)
		}
		lost := slices.DeleteFunc(slices.Clone(r.root), func(m string) bool { return look.image.Has(r.look.kernel.Version, m) })
		if len(lost) > 0 {
			return fmt.Errorf("the new image lacks what the file system of / stands on: %s", strings.Join(lost, ", "))
		}
		if stale := staleArguments(look.image); len(stale) > 0 {
			return fmt.Errorf("the new image still names the old disk: %s", fact(strings.Join(stale, " ")))
		}
		return nil
	}
}

// layerModules are the modules below a root that stands on such a volume.
var layerModules = map[string][]string{
	"LVM2_member": {"dm_mod"}, "crypto_LUKS": {"dm_mod", "dm_crypt"}, "linux_raid_member": {"raid0", "raid1", "raid10", "raid456"},
}

// rootModules returns the modules of the old image that / stands on, as far as they may be those: its file system, and what is below it.
// Old tools take in what they see of the machine that they run on, and that is the appliance. An image with virtio and without these
// finds its disk, and no root on it.
func rootModules(system guest.System, look kernelLook) []string {
	root, _ := system.VolumeByDevice(system.Root)
	names := []string{root.Type}
	if root.Disk < 0 {
		for _, v := range system.Volumes {
			names = append(names, layerModules[v.Type]...)
		}
	}
	names = slices.DeleteFunc(names, func(m string) bool { return !look.image.Has(look.kernel.Version, m) })
	slices.Sort(names)
	return slices.Compact(names)
}

// oldDevices are beginnings of names that a disk has on one controller and loses on another.
var oldDevices = []string{"/dev/sd", "/dev/hd", "/dev/vd", "/dev/xvd", "/dev/nvme", "/dev/disk/by-path/", "/dev/disk/by-id/", "/dev/cciss/"}

// keptIDs are beginnings of by-id names of what lies on a disk: they are the same on every controller.
var keptIDs = []string{"dm-name-", "dm-uuid-", "lvm-pv-uuid-", "md-name-", "md-uuid-"}

// namesOldDevice reports whether an argument's value is, or holds, such a name.
func namesOldDevice(value string) bool {
	for _, id := range keptIDs {
		value = strings.ReplaceAll(value, "/dev/disk/by-id/"+id, "")
	}
	for _, d := range oldDevices {
		if strings.Contains(value, d) {
			return true
		}
	}
	return false
}

// imageArguments returns the kernel arguments that an image brings along (dracut.cmdline(7), /etc/cmdline.d).
func imageArguments(c initramfs.Contents) []string {
	var out []string
	for name, content := range c.Files {
		if !strings.HasPrefix(name, "etc/cmdline.d/") {
			continue
		}
		for line := range strings.Lines(content) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
				out = append(out, strings.Fields(line)...)
			}
		}
	}
	return out
}

// waitsFor returns the devices without which dracut's queue does not end in an image for one machine: it stops in a shell, wherever the
// root is. Their names stand in those of the hooks, with their slashes as \x2f (wait_for_dev of dracut).
func waitsFor(c initramfs.Contents) []string {
	var out []string
	for name := range c.Files {
		if _, device, ok := strings.Cut(path.Base(name), "devexists-"); ok {
			out = append(out, strings.ReplaceAll(strings.TrimSuffix(device, ".sh"), `\x2f`, "/"))
		}
	}
	slices.Sort(out)
	return out
}

// staleArguments returns what makes the image wait for a disk that is gone: its root or what it resumes from, by an old name, or any
// other disk that it waits for.
func staleArguments(c initramfs.Contents) []string {
	out := slices.DeleteFunc(waitsFor(c), func(device string) bool { return !namesOldDevice(device) })
	for _, a := range imageArguments(c) {
		key, value, _ := strings.Cut(a, "=")
		if (key == "root" || key == "resume") && namesOldDevice(value) {
			out = append(out, a)
		}
	}
	return out
}
