package linux

import (
	"context"
	"path"
	"slices"
	"strings"
)

// planExtlinux edits the menus of the SYSLINUX family.
func planExtlinux(ctx context.Context, c *cmdlines) error {
	names := []string{
		"/boot/extlinux.conf", "/boot/extlinux/extlinux.conf", "/boot/syslinux/syslinux.cfg", "/boot/syslinux/extlinux.conf", "/boot/syslinux.cfg",
		"/extlinux.conf", "/syslinux.cfg",
	}
	for _, esp := range espDirs(c.devices.system) {
		names = append(names, path.Join(esp, "syslinux.cfg"), path.Join(esp, "EFI/syslinux/syslinux.cfg"))
	}
	return c.edit(ctx, names, c.extlinuxConfig)
}

// extlinuxConfig edits the APPEND lines: those of an entry, and one before all entries, which is for each without its own.
func (c *cmdlines) extlinuxConfig(name, content string) string {
	lines := slices.Collect(strings.Lines(content))
	entry := make([]int, len(lines)) // by line, 0 = before all entries
	initrd := map[int]bool{}
	everywhere := true
	at := 0
	for i, line := range lines {
		word, rest := extlinuxWord(line)
		switch word {
		case "label":
			at++
		case "initrd":
			initrd[at] = true
		case "append":
			if strings.Contains(rest, "initrd=") {
				initrd[at] = true
			}
		}
		entry[i] = at
	}
	for n := 1; n <= at; n++ {
		everywhere = everywhere && (initrd[n] || initrd[0])
	}
	initrd[0] = initrd[0] || everywhere && at > 0
	for i, line := range lines {
		if word, rest := extlinuxWord(line); word == "append" {
			lines[i] = line[:len(line)-len(rest)] + c.line(name, rest, bootEntry{initrd: initrd[entry[i]], kernel: true})
		}
	}
	return strings.Join(lines, "")
}

// extlinuxWord returns a line's keyword in lower case and what follows it.
func extlinuxWord(line string) (word, rest string) {
	word, rest = bootField(line)
	return strings.ToLower(word), rest
}
