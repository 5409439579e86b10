package linux

import (
	"context"
	"strings"
)

// planGrubDefaults edits the settings from which the guest makes its menus: the next mkconfig in the guest must not bring the old names
// back.
func planGrubDefaults(ctx context.Context, c *cmdlines) error {
	drops, err := c.files.list(ctx, "/etc/default/grub.d", ".cfg")
	if err != nil {
		return err
	}
	names := append([]string{"/etc/default/grub"}, drops...)
	var around strings.Builder
	for _, name := range names {
		text, err := c.files.text(ctx, name)
		if err != nil {
			return err
		}
		around.WriteString(" " + grubConsoles(text))
	}
	if err := c.edit(ctx, names, func(name, content string) string {
		return c.grubDefaults(name, content, around.String())
	}); err != nil {
		return err
	}
	return c.edit(ctx, []string{"/etc/sysconfig/bootloader", "/etc/update-extlinux.conf"}, func(name, content string) string {
		return c.bootSettings(name, content)
	})
}

// grubConsoles returns the command lines of a file of settings, in one line.
func grubConsoles(text string) string {
	vars := parseShellVars([]byte(text))
	var all []string
	for _, key := range vars.Keys() {
		if strings.HasPrefix(key, "GRUB_CMDLINE_LINUX") {
			value, _ := vars.Get(key)
			all = append(all, value)
		}
	}
	return strings.Join(all, " ")
}

// grubDefaults edits /etc/default/grub. The console goes into GRUB_CMDLINE_LINUX alone, which is for every entry.
func (c *cmdlines) grubDefaults(name, content, around string) string {
	vars := parseShellVars([]byte(content))
	for _, key := range vars.Keys() {
		if strings.HasPrefix(key, "GRUB_CMDLINE_LINUX") {
			c.variable(vars, name, key, bootEntry{initrd: c.initrds(), kernel: key == "GRUB_CMDLINE_LINUX" && name == "/etc/default/grub", around: around})
		}
	}
	if _, ok := vars.Get("GRUB_CMDLINE_LINUX"); !ok && c.serial != "" && name == "/etc/default/grub" {
		if line := addConsole("", around, c.serial); line != "" {
			vars.Set("GRUB_CMDLINE_LINUX", line)
			c.spoken = true
		}
	}
	if c.rename {
		c.device(vars, name, "GRUB_DEVICE")
		// With it the next mkconfig would name the root by the kernel's name of the day. A root by UUID needs an initramfs.
		if off, _ := vars.Get("GRUB_DISABLE_LINUX_UUID"); off == "true" && c.initrds() {
			c.renamed = vars.Comment("GRUB_DISABLE_LINUX_UUID") || c.renamed
		}
	}
	return string(vars.Bytes())
}

// bootSettings edits SUSE's and Alpine's settings of boot loaders.
func (c *cmdlines) bootSettings(name, content string) string {
	vars := parseShellVars([]byte(content))
	for _, key := range vars.Keys() {
		switch {
		case strings.HasSuffix(key, "_APPEND") && !strings.HasPrefix(key, "XEN_"), key == "default_kernel_opts":
			c.variable(vars, name, key, c.always())
		case key == "root" && c.rename:
			vars.Rewrite(key, func(written string) string {
				changed := c.value(name, "root", written, c.always(), false)
				c.renamed = c.renamed || changed != written
				return changed
			})
		}
	}
	return string(vars.Bytes())
}

// variable edits a shell variable that is a command line. Where it is assigned several times, the console goes to the first one that
// is taken.
func (c *cmdlines) variable(vars *shellVars, name, key string, e bootEntry) {
	whole, _ := vars.Get(key)
	e.around += " " + whole
	ok := vars.Rewrite(key, func(written string) string {
		changed := c.line(name, written, e)
		e.around += " " + changed
		return changed
	})
	if !ok && namesDisks(whole) {
		c.files.warn("Name the disk by UUID in the guest.", "%q: %s is written in a way that is not understood, and kept", name, key)
	}
}

// device edits a shell variable that is a device; a path is what is expected there.
func (c *cmdlines) device(vars *shellVars, name, key string) {
	vars.Rewrite(key, func(written string) string {
		u := use{spec: written, root: c.sole()}
		changed := c.devices.stable(c.files, name, u, c.devices.aliases([]use{u}), idForm{path: true})
		c.renamed = c.renamed || changed != written
		return changed
	})
}
