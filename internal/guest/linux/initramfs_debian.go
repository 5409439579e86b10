package linux

import (
	"context"
	"path"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/initramfs"
)

// Files of initramfs-tools (initramfs.conf(5), mkinitramfs(8)). Those below conf.d are read in order, and the last word counts.
const (
	debianConfig  = "/etc/initramfs-tools/initramfs.conf"
	debianConfigs = "/etc/initramfs-tools/conf.d"
	debianModules = "/etc/initramfs-tools/modules"
	debianMost    = debianConfigs + "/zz-hyper2kvm-build"
)

func configureInitramfsTools(ctx context.Context, tree guest.FS, modules []string, p *guest.Proposal) error {
	return editConfig(ctx, tree, p, debianModules, laterKernels(modules), true, func(content string) string {
		var have []string
		for line := range strings.Lines(content) {
			if f := strings.Fields(line); len(f) > 0 && !strings.HasPrefix(f[0], "#") {
				have = append(have, f[0])
			}
		}
		return configLines(content, missingWords(modules, have)...)
	})
}

func mkinitramfsCall(ctx context.Context, tree guest.FS, t *imageTool, r rebuild, p *guest.Proposal) (toolCall, error) {
	if err := keepCrypttab(ctx, tree, r.look.image, p); err != nil {
		return toolCall{}, err
	}
	need := r.sameRoom()
	if dep, err := dependentModules(ctx, tree); err != nil {
		return toolCall{}, err
	} else if dep {
		need = r.genericRoom()
	}
	return toolCall{args: []string{t.found, "-o", r.makesName(), r.look.kernel.Version}, need: need}, nil
}

// dependentModules reports whether images hold only the modules that this machine needs (MODULES=dep).
func dependentModules(ctx context.Context, tree guest.FS) (bool, error) {
	names, err := lookDir(ctx, tree, debianConfigs)
	if err != nil {
		return false, err
	}
	files := []string{debianConfig}
	for _, n := range names {
		if n != path.Base(debianMost) {
			files = append(files, path.Join(debianConfigs, n))
		}
	}
	mode := ""
	for _, f := range files {
		b, _, err := lookFile(ctx, tree, f)
		if err != nil {
			return false, err
		}
		if v, ok := parseShellVars(b).Get("MODULES"); ok {
			mode = v
		}
	}
	return mode == "dep", nil
}

// mostModules has images hold all modules while they are built, where they hold only those that this machine needs: mkinitramfs looks
// for the disk of / in /sys to know them, and what it sees is the appliance's disk, or it gives up. Afterwards the guest decides again.
func mostModules(ctx context.Context, tree guest.FS) (before, after []guest.Change, err error) {
	dep, err := dependentModules(ctx, tree)
	if err != nil || !dep {
		return nil, nil, err
	}
	f := &guest.File{Data: []byte("MODULES=most\n"), Mode: 0o644}
	before = []guest.Change{{Path: debianMost, Why: "MODULES=dep would look for the disks of the machine that builds the image", After: f}}
	after = []guest.Change{{Path: debianMost, Why: "only the images that are built now need it", Before: f}}
	return before, after, nil
}

// keepCrypttab marks the lines of crypttab that the old image has, so that the new one has them too (crypttab(5), initramfs): the hook of
// cryptsetup tells them by the device that / is mounted from, and in the appliance that has another name.
func keepCrypttab(ctx context.Context, tree guest.FS, image initramfs.Contents, p *guest.Proposal) error {
	var names []string
	for line := range strings.Lines(image.Files["cryptroot/crypttab"]) {
		if f := strings.Fields(line); len(f) > 0 {
			names = append(names, f[0])
		}
	}
	for field := range strings.SplitSeq(strings.ReplaceAll(image.Files["conf/conf.d/cryptroot"], "\n", ","), ",") {
		if name, ok := strings.CutPrefix(field, "target="); ok {
			names = append(names, name)
		}
	}
	if len(names) == 0 || slices.ContainsFunc(p.Changes, func(c guest.Change) bool { return path.Base(c.Path) == "crypttab" }) {
		return nil
	}
	return editConfig(ctx, tree, p, "/etc/crypttab", "the new image must open what the old one opens", false, func(content string) string {
		var b strings.Builder
		for line := range strings.Lines(content) {
			b.WriteString(markCrypttab(line, names))
		}
		return b.String()
	})
}

// markCrypttab adds the option initramfs to a line of one of names.
func markCrypttab(line string, names []string) string {
	f := strings.Fields(line)
	if len(f) < 2 || !slices.Contains(names, f[0]) || strings.HasPrefix(f[0], "#") {
		return line
	}
	text := strings.TrimRight(line, " \t\r\n")
	end := line[len(text):]
	switch {
	case len(f) == 2:
		return text + " none luks,initramfs" + end
	case len(f) == 3:
		return text + " luks,initramfs" + end
	case len(f) > 4, slices.Contains(strings.Split(f[3], ","), "initramfs"):
		return line
	}
	return text + ",initramfs" + end
}
