package linux

import (
	"context"
	"errors"
	"path"
	"strings"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/initramfs"
)

// warnUnified names unified kernel images whose own command line names disks in a way that does not last. They are signed and built as
// a whole, and no edit of a file helps.
func (c *cmdlines) warnUnified(ctx context.Context) error {
	if !c.rename {
		return nil
	}
	seen := map[string]bool{}
	for _, esp := range espDirs(c.devices.system) {
		images, err := c.files.list(ctx, path.Join(esp, "EFI/Linux"), ".efi")
		if err != nil {
			return err
		}
		for _, name := range images {
			if seen[name] {
				continue
			}
			seen[name] = true
			line, err := unifiedCmdline(ctx, c.files.tree, name)
			if err != nil {
				return err
			}
			for word := range strings.FieldsSeq(line) {
				key, spec, _ := strings.Cut(word, "=")
				if key != "root" && key != "resume" || !strings.HasPrefix(spec, "/dev/") {
					continue
				}
				u := use{spec: spec, want: "any"}
				if f := c.devices.find(u, c.devices.aliases([]use{u})); f.fate == fateFound || f.fate == fateLost {
					c.files.warn("Build the image anew in the guest, with UUIDs in /etc/kernel/cmdline.", "%q has a command line of its own, with %q: that name is gone on virtio", name, clip(word))
				}
			}
		}
	}
	return nil
}

// unifiedCmdline reads the command line of a unified kernel image, "" of a file that is none.
func unifiedCmdline(ctx context.Context, tree guest.FS, name string) (string, error) {
	info, err := tree.Stat(ctx, name)
	if err != nil || !info.Mode.IsRegular() {
		return "", err
	}
	content, err := tree.Open(ctx, name)
	if err != nil {
		return "", err
	}
	defer content.Close()
	image, err := initramfs.ReadUnified(content, content.Size())
	if errors.Is(err, initramfs.ErrFormat) || errors.Is(err, initramfs.ErrLimit) || errors.Is(err, initramfs.ErrCorrupt) {
		return "", nil // some other program
	}
	return image.Cmdline, err
}
