package linux

import (
	"context"
	"path"
	"slices"
	"strings"
)

// planBLS edits the entries of the Boot Loader Specification, which GRUB 2 of Red Hat's kin and systemd-boot read, each in its own
// directory.
func planBLS(ctx context.Context, c *cmdlines) error {
	var names []string
	for _, dir := range append(espDirs(c.devices.system), "/boot") {
		entries, err := c.files.list(ctx, path.Join(dir, "loader/entries"), ".conf")
		if err != nil {
			return err
		}
		names = append(names, entries...)
	}
	if err := c.warnUnified(ctx); err != nil {
		return err
	}
	return c.edit(ctx, names, c.blsEntry)
}

// blsEntry edits one entry: its options, which may stand on several lines. Those that come from a variable of GRUB are edited there.
func (c *cmdlines) blsEntry(name, content string) string {
	lines := slices.Collect(strings.Lines(content))
	e := bootEntry{}
	var around strings.Builder
	last := -1
	for i, line := range lines {
		switch word, rest := bootField(line); word {
		case "initrd", "efi", "uki":
			e.initrd = true
		case "options":
			around.WriteString(rest + " ")
			last = i
		}
	}
	e.around = around.String()
	for i, line := range lines {
		word, rest := bootField(line)
		if word != "options" {
			continue
		}
		e.kernel = i == last && !strings.Contains(e.around, "$kernelopts") && !strings.Contains(e.around, "${kernelopts}")
		lines[i] = line[:len(line)-len(rest)] + c.line(name, rest, e)
	}
	return strings.Join(lines, "")
}

// bootField returns a line's key and what follows it, with the line end.
func bootField(line string) (key, rest string) {
	body := strings.TrimLeft(line, " \t")
	n := strings.IndexAny(body, " \t\r\n")
	if n < 0 {
		n = len(body)
	}
	return body[:n], body[n:]
}

// planKernelCmdline edits the command line from which kernel-install and mkinitcpio make entries for kernels to come.
func planKernelCmdline(ctx context.Context, c *cmdlines) error {
	drops, err := c.files.list(ctx, "/etc/cmdline.d", ".conf")
	if err != nil {
		return err
	}
	var around strings.Builder
	for _, name := range drops {
		text, err := c.files.text(ctx, name)
		if err != nil {
			return err
		}
		around.WriteString(" " + text)
	}
	return c.edit(ctx, append([]string{"/etc/kernel/cmdline"}, drops...), func(name, content string) string {
		lines := slices.Collect(strings.Lines(content))
		comment := func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") }
		last := -1
		for i, line := range lines {
			if !comment(line) && strings.TrimSpace(line) != "" {
				last = i
			}
		}
		e := bootEntry{initrd: c.initrds(), around: around.String() + " " + content}
		for i, line := range lines {
			if comment(line) {
				continue
			}
			e.kernel = i == last && name == "/etc/kernel/cmdline"
			lines[i] = c.line(name, line, e)
		}
		return strings.Join(lines, "")
	})
}
