package linux

import (
	"context"
	"path"
	"slices"
	"strings"
)

// planGrub2 edits the menus of GRUB 2. A grub.cfg on the EFI system partition that only leads to another one has no command line, and so
// nothing in it changes.
func planGrub2(ctx context.Context, c *cmdlines) error {
	names := []string{"/boot/grub/grub.cfg", "/boot/grub2/grub.cfg", "/boot/grub/custom.cfg", "/boot/grub2/custom.cfg"}
	custom, err := c.files.list(ctx, "/etc/grub.d", "_custom")
	if err != nil {
		return err
	}
	names = append(names, custom...)
	for _, esp := range espDirs(c.devices.system) {
		vendors, err := c.files.list(ctx, path.Join(esp, "EFI"), "")
		if err != nil {
			return err
		}
		for _, vendor := range vendors {
			names = append(names, path.Join(vendor, "grub.cfg"))
		}
	}
	return c.edit(ctx, names, c.grubConfig)
}

// planGrub1 edits the menus of GRUB 0.97. Debian's update-grub makes them anew from comments in them; those count too.
func planGrub1(ctx context.Context, c *cmdlines) error {
	names := []string{"/boot/grub/menu.lst", "/boot/grub/grub.conf", "/etc/grub.conf"}
	for _, esp := range espDirs(c.devices.system) {
		vendors, err := c.files.list(ctx, path.Join(esp, "EFI"), "")
		if err != nil {
			return err
		}
		for _, vendor := range vendors {
			names = append(names, path.Join(vendor, "grub.conf"))
		}
	}
	return c.edit(ctx, names, func(name, content string) string {
		return c.grubMagic(name, c.grubConfig(name, content))
	})
}

// grubLine is what a line of a menu is, as far as it matters here.
type grubLine int

const (
	grubOther  grubLine = iota
	grubEntry           // begins an entry
	grubKernel          // loads a kernel, with its command line
	grubInitrd          // loads an initramfs
)

// grubKind says what a line is. Xen's modules are a kernel where they have a root=, else an initramfs.
func grubKind(line string) grubLine {
	word, rest := cutField(strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t"))
	switch word {
	case "menuentry", "submenu", "title":
		return grubEntry
	case "linux", "linux16", "linuxefi", "kernel":
		return grubKernel
	case "initrd", "initrd16", "initrdefi":
		return grubInitrd
	case "module", "module2":
		if strings.Contains(rest, " root=") {
			return grubKernel
		}
		return grubInitrd
	}
	return grubOther
}

// grubConfig returns a menu with the command lines of all its kernels edited.
func (c *cmdlines) grubConfig(name, content string) string {
	lines := slices.Collect(strings.Lines(content))
	initrd := make([]bool, len(lines)) // by line of a kernel
	has := false
	for i, line := range slices.Backward(lines) {
		switch grubKind(line) {
		case grubInitrd:
			// One that is named by a variable is there for some of the kernels that are started by the entry, as on Photon.
			has = !strings.Contains(line, "$") || c.allInitrds()
		case grubKernel:
			initrd[i], has = has, false
		case grubEntry:
			has = false
		}
	}
	roots := map[string]bool{} // variables that are root=, and whether all kernels with them have an initramfs
	for i, line := range lines {
		if grubKind(line) != grubKernel {
			continue
		}
		for word := range strings.FieldsSeq(line) {
			if v, ok := strings.CutPrefix(word, "root=$"); ok {
				v = strings.Trim(v, "{}")
				before, seen := roots[v]
				roots[v] = initrd[i] && (before || !seen)
			}
		}
	}
	for i, line := range lines {
		switch {
		case grubKind(line) == grubKernel:
			e := bootEntry{initrd: initrd[i], kernel: !strings.Contains(line, "memtest") && !strings.Contains(line, "/xen")}
			at := len(line) - len(strings.TrimLeft(line, " \t"))
			_, args := cutField(line[at:])
			lines[i] = line[:len(line)-len(args)] + c.line(name, args, e)
		case strings.HasPrefix(strings.TrimLeft(line, " \t"), "set "):
			lines[i] = c.grubVariable(name, line, roots)
		}
	}
	return strings.Join(lines, "")
}

// grubVariable edits a line that sets a variable which is a command line, or a device that kernels get as root=.
func (c *cmdlines) grubVariable(name, line string, roots map[string]bool) string {
	head, value, ok := strings.Cut(line, "=")
	if !ok {
		return line
	}
	variable := strings.TrimSpace(strings.TrimPrefix(strings.TrimLeft(head, " \t"), "set "))
	body := strings.TrimRight(value, " \t\r\n")
	end := value[len(body):]
	quote := shellStyle(body)
	if quote == shellMixed {
		return line
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(body, quote), quote)
	initrd, isRoot := roots[variable]
	switch {
	case variable == "kernelopts" || variable == "default_kernelopts":
		inner = c.line(name, inner, c.always())
	case isRoot && c.rename:
		changed := c.value(name, "root", inner, bootEntry{initrd: initrd}, false)
		c.renamed = c.renamed || changed != inner
		inner = changed
	}
	return head + "=" + quote + inner + quote + end
}

// grubMagic edits the comments from which Debian's update-grub of GRUB 0.97 makes the menu: those with one # and no blank after the name.
func (c *cmdlines) grubMagic(name, content string) string {
	var out strings.Builder
	for line := range strings.Lines(content) {
		if rest, ok := strings.CutPrefix(line, "# "); ok {
			key, value, ok := strings.Cut(rest, "=")
			if ok && (key == "xenkopt" || strings.HasPrefix(key, "kopt") && !strings.ContainsAny(key, " \t")) {
				e := c.always()
				e.kernel = key != "xenkopt"
				line = "# " + key + "=" + c.line(name, value, e)
			}
		}
		out.WriteString(line)
	}
	return out.String()
}
