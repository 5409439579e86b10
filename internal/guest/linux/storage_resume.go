package linux

import (
	"context"
	"strings"

	"hyper2kvm/internal/guest"
)

// resumeFixer names the swap that an initramfs of initramfs-tools resumes from by what stays the same. A name that is gone makes every
// start wait for it.
type resumeFixer struct{ mode string }

// Name implements guest.Fixer.
func (resumeFixer) Name() string { return "resume" }

// Plan implements guest.Fixer.
func (f resumeFixer) Plan(ctx context.Context, system guest.System, tree guest.FS) (guest.Proposal, error) {
	files := &fileSet{tree: tree}
	d, err := newDevices(ctx, files, system)
	if err != nil {
		return guest.Proposal{}, err
	}
	names, err := files.list(ctx, "/etc/initramfs-tools/conf.d", "")
	if err != nil {
		return guest.Proposal{}, err
	}
	names = append([]string{"/etc/initramfs-tools/initramfs.conf"}, names...)
	err = files.edit(ctx, names, "the initramfs resumes from what stays the same on virtio", func(name, content string) string {
		vars := parseShellVars([]byte(content))
		for _, key := range []string{"RESUME", "ROOT"} {
			vars.Rewrite(key, func(written string) string {
				u := use{spec: written, root: key == "ROOT"}
				if key == "RESUME" {
					u.want = "swap"
				}
				if !touches(f.mode, written) {
					return written
				}
				return d.stable(files, name, u, d.aliases([]use{u}), idForm{})
			})
		}
		return string(vars.Bytes())
	})
	return files.proposal, err
}

// stable returns the name that u's device gets in a file, and its own where it stays, with a warning where that may go wrong.
func (d *devices) stable(files *fileSet, name string, u use, aliases map[string]int, form idForm) string {
	found := d.find(u, aliases)
	switch found.fate {
	case fateFound:
		if id, ok := d.write(found.volume, form); ok {
			return id
		}
		files.warn("Give the file system an id of its own.", "%q keeps %q: it has no id that is its own and can be written there", name, u.spec)
	case fateLost:
		files.warn("Look at the file in the guest.", "%q keeps %q: %s", name, u.spec, found.why)
	}
	return u.spec
}

// dracutFixer names the devices that dracut's configuration forces into every image by what stays the same, and the command lines
// in it.
type dracutFixer struct{ mode string }

// Name implements guest.Fixer.
func (dracutFixer) Name() string { return "dracut" }

// Plan implements guest.Fixer.
func (f dracutFixer) Plan(ctx context.Context, system guest.System, tree guest.FS) (guest.Proposal, error) {
	files := &fileSet{tree: tree}
	d, err := newDevices(ctx, files, system)
	if err != nil {
		return guest.Proposal{}, err
	}
	names, err := files.list(ctx, "/etc/dracut.conf.d", ".conf")
	if err != nil {
		return guest.Proposal{}, err
	}
	names = append([]string{"/etc/dracut.conf"}, names...)
	err = files.edit(ctx, names, "dracut is told of devices by what stays the same on virtio", func(name, content string) string {
		vars := parseShellVars([]byte(content))
		for _, key := range []string{"add_device", "add_devices"} {
			vars.Rewrite(key, func(written string) string { return f.devices(d, files, name, written) })
		}
		lines := &cmdlines{devices: d, files: files, mode: f.mode, rename: true}
		vars.Rewrite("kernel_cmdline", func(written string) string { return lines.line(name, written, bootEntry{initrd: true}) })
		return string(vars.Bytes())
	})
	return files.proposal, err
}

// devices returns a list of devices with stable names; the udev paths are what every dracut understands.
func (f dracutFixer) devices(d *devices, files *fileSet, name, written string) string {
	return mapWords(written, func(word string) string {
		if !touches(f.mode, word) {
			return word
		}
		u := use{spec: word, want: "any"}
		return d.stable(files, name, u, d.aliases([]use{u}), idForm{path: true})
	})
}

// mapWords changes the words of a line and keeps the blanks between them.
func mapWords(line string, change func(word string) string) string {
	var out strings.Builder
	for line != "" {
		rest := strings.TrimLeft(line, " \t\r\n")
		out.WriteString(line[:len(line)-len(rest)])
		end := wordEnd(rest)
		if end > 0 {
			out.WriteString(change(rest[:end]))
		}
		line = rest[end:]
	}
	return out.String()
}

// wordEnd is where the word ends that s starts with; blanks inside of double quotes belong to it.
func wordEnd(s string) int {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(" \t\r\n", s[i]) >= 0, s[i] == '\n':
			return i
		}
	}
	return len(s)
}
