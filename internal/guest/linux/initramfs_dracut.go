package linux

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/initramfs"
)

// dracutConfig is the file for later kernels.
const dracutConfig = "/etc/dracut.conf.d/hyper2kvm-virtio.conf"

func configureDracut(ctx context.Context, tree guest.FS, modules []string, p *guest.Proposal) error {
	if len(modules) == 0 {
		return nil
	}
	return editConfig(ctx, tree, p, dracutConfig, laterKernels(modules), true, func(string) string {
		return "# Written by hyper2kvm: this machine's disks and network are virtio.\nadd_drivers+=\" " + strings.Join(modules, " ") + " \"\n"
	})
}

// dracutCall builds an image for every machine, not one for this machine. In hostonly mode dracut takes in what it sees in /sys, the
// mounts and the database of udev, and the guest's tree is mounted in an appliance: the disks there have other names and drivers, the
// volumes may be opened under other names, and udev's database is not the guest's. An image made that way may lack the root's file
// system, LVM, RAID or encryption. The generic one has all of them that the guest has tools for. What the old image says of this
// machine is carried over, as far as it still holds: without rd.lvm, rd.md and rd.luks arguments dracut activates nothing (dracut.cmdline(7),
// rd.auto), and some distributions have them in the image alone.
func dracutCall(ctx context.Context, tree guest.FS, t *imageTool, r rebuild, p *guest.Proposal) (toolCall, error) {
	script, err := readScript(ctx, tree, t.found)
	if err != nil {
		return toolCall{}, err
	}
	args := []string{t.found, "--force"}
	for _, option := range []string{"--no-hostonly", "--no-hostonly-cmdline", "--mdadmconf", "--lvmconf"} {
		if knowsOption(script, option) {
			args = append(args, option)
		}
	}
	kept := keptArguments(r.look.image)
	luks, err := luksArguments(ctx, tree, r.look.image)
	if err != nil {
		return toolCall{}, err
	}
	if kept = append(kept, missingWords(luks, kept)...); len(kept) > 0 {
		if knowsOption(script, "--kernel-cmdline") {
			args = append(args, "--kernel-cmdline", strings.Join(kept, " "))
		} else {
			p.Warnings = append(p.Warnings, guest.Warning{
				Message: fmt.Sprintf("the initramfs of kernel %s brings arguments along that its dracut cannot put into the new one: %s", r.look.kernel.Version, fact(strings.Join(kept, " "))),
				Hint:    "see that the boot entries have them",
			})
		}
	}
	if len(r.modules) > 0 {
		args = append(args, "--add-drivers", strings.Join(r.modules, " "))
	}
	return toolCall{args: append(args, r.makesName(), r.look.kernel.Version), need: r.genericRoom()}, nil
}

// readScript reads a tool that is a script, to see which options it knows; nil where it is a program.
func readScript(ctx context.Context, tree guest.FS, name string) ([]byte, error) {
	b, _, err := lookFile(ctx, tree, name)
	if !bytes.HasPrefix(b, []byte("#!")) {
		return nil, err
	}
	return b, err
}

// knowsOption reports whether a script mentions an option. dracut refuses one that it does not know, and the versions of twelve years
// differ. What is no script is new, and knows them all.
func knowsOption(script []byte, option string) bool {
	return script == nil || bytes.Contains(script, []byte(option))
}

// keptArguments are those of the old image that hold for the machine on other disks: all that do not name a disk by its old name.
func keptArguments(c initramfs.Contents) []string {
	var out []string
	for _, a := range imageArguments(c) {
		if !namesOldDevice(a) && !strings.ContainsAny(a, "\"'`$\\") && fact(a) == a && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	slices.Sort(out)
	return out
}

// luksArguments says in arguments what the crypttab of the old image says (systemd-cryptsetup-generator(8)): an image for every machine
// has no crypttab. A device that the image has by an old name is the one that the guest's crypttab has under the same name now.
func luksArguments(ctx context.Context, tree guest.FS, c initramfs.Contents) ([]string, error) {
	var out []string
	now, _, err := lookFile(ctx, tree, "/etc/crypttab")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(c.Files["etc/crypttab"]) {
		f := strings.Fields(line)
		if len(f) < 2 || strings.HasPrefix(f[0], "#") {
			continue
		}
		spec := f[1]
		if namesOldDevice(spec) {
			for l := range strings.Lines(string(now)) {
				if g := strings.Fields(l); len(g) > 1 && g[0] == f[0] {
					spec = g[1]
				}
			}
		}
		uuid, ok := strings.CutPrefix(spec, "UUID=")
		if uuid = strings.Trim(uuid, `"`); ok && fact(uuid) == uuid {
			out = append(out, "rd.luks.name="+uuid+"="+f[0])
			// A key in the image opens the root without a person at the console. dracut alone, without systemd, reads another form.
			if len(f) > 2 && strings.HasPrefix(f[2], "/") && !strings.HasPrefix(f[2], "/dev/") && fact(f[2]) == f[2] && c.Is(initramfs.KindSystemd) {
				out = append(out, "rd.luks.key="+uuid+"="+f[2])
			}
		}
	}
	return out, nil
}
