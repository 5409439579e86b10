package linux

import (
	"context"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// fstabFixer gives the entries of fstab names that hold on every controller. A line that it does not change keeps every byte, and of
// one that it changes only the device does, and devices inside of the options.
type fstabFixer struct{ mode string }

// Name implements guest.Fixer.
func (fstabFixer) Name() string { return "fstab" }

// Plan implements guest.Fixer.
func (f fstabFixer) Plan(ctx context.Context, system guest.System, tree guest.FS) (guest.Proposal, error) {
	files := &fileSet{tree: tree}
	d, err := newDevices(ctx, files, system)
	if err != nil {
		return guest.Proposal{}, err
	}
	err = files.edit(ctx, []string{"/etc/fstab"}, "devices are named by what stays the same on virtio", func(_, content string) string {
		return f.rewrite(d, files, content)
	})
	return files.proposal, err
}

// rewrite returns the table with stable names.
func (f fstabFixer) rewrite(d *devices, files *fileSet, content string) string {
	var uses []use
	for line := range strings.Lines(content) {
		if l, ok := parseFstabLine(line); ok && l.device() {
			uses = append(uses, l.use())
		}
	}
	aliases := d.aliases(uses)
	var out strings.Builder
	number := 0
	for line := range strings.Lines(content) {
		number++
		if l, ok := parseFstabLine(line); ok && l.device() {
			line = f.line(d, files, aliases, number, l)
		}
		out.WriteString(line)
	}
	return out.String()
}

// line returns a line with stable names.
func (f fstabFixer) line(d *devices, files *fileSet, aliases map[string]int, number int, l fstabLine) string {
	if touches(f.mode, l.use().spec) {
		found := d.find(l.use(), aliases)
		if found.fate == fateFound && found.volume.Device == d.system.Root && l.point != "/" && found.volume.Type != "btrfs" {
			found = finding{fate: fateLost, why: "it would be the file system that holds /"}
		}
		switch {
		case found.fate == fateLost:
			files.warn("Look at /etc/fstab in the guest: without the device the system may stop while it starts.",
				"line %d of /etc/fstab is kept: %q for %q: %s", number, l.spec, fstabDecode(l.point), found.why)
		case found.fate == fateFound, found.fate == fateStable && found.volume.Device != "" && strings.HasPrefix(l.spec, "/dev/disk/"):
			if id, ok := d.write(found.volume, idForm{blank: true}); ok {
				l.replace(id)
			} else {
				files.warn("Give the file system a UUID or label of its own.",
					"line %d of /etc/fstab is kept: %q has no id that is its own", number, l.spec)
			}
		}
	}
	l.options = f.options(d, files, aliases, number, l)
	return l.String()
}

// deviceOptions are mount options whose value is a device.
var deviceOptions = []string{
	"journal_path", "logdev", "rtdev", "device", "x-systemd.requires", "x-systemd.after", "x-systemd.before", "x-systemd.wanted-by", "x-systemd.required-by",
}

// options returns the options with stable names; a path is what all of them take.
func (f fstabFixer) options(d *devices, files *fileSet, aliases map[string]int, number int, l fstabLine) string {
	if !strings.Contains(l.options, "=/dev/") {
		return l.options
	}
	options := strings.Split(l.options, ",")
	for i, o := range options {
		key, spec, _ := strings.Cut(o, "=")
		if !slices.Contains(deviceOptions, key) || !strings.HasPrefix(spec, "/dev/") || !touches(f.mode, spec) {
			continue
		}
		found := d.find(use{spec: fstabDecode(spec), want: "any"}, aliases)
		id, ok := "", false
		if found.fate == fateFound {
			id, ok = d.write(found.volume, idForm{path: true})
		}
		switch {
		case ok:
			options[i] = key + "=" + id
		case found.fate == fateFound || found.fate == fateLost:
			files.warn("Look at /etc/fstab in the guest.", "line %d of /etc/fstab: the device of the option %q is kept: it has no name that is sure to stay", number, o)
		}
	}
	return strings.Join(options, ",")
}

// touches reports whether a mode is about a name at all.
func touches(mode, spec string) bool {
	return mode == FstabStabilizeAll || byHardware(spec)
}
