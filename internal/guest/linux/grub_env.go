package linux

import (
	"context"
	"errors"
	"strings"
)

// The environment block of GRUB 2: a signature, lines NAME=value with \ before \ and line ends, filled up with # to a size that never
// changes, for GRUB writes it in place.
const (
	grubenvSignature = "# GRUB Environment Block\n"
	grubenvSize      = 1024
)

var (
	errGrubenvDamaged = errors.New("it is no environment block of GRUB")
	errGrubenvFull    = errors.New("it has no room for the longer line")
)

// planGrubenv edits the command line that RHEL 8 and its like keep in the environment block.
func planGrubenv(ctx context.Context, c *cmdlines) error {
	names := []string{"/boot/grub2/grubenv", "/boot/grub/grubenv"}
	for _, esp := range espDirs(c.devices.system) {
		vendors, err := c.files.list(ctx, esp+"/EFI", "")
		if err != nil {
			return err
		}
		for _, vendor := range vendors {
			names = append(names, vendor+"/grubenv")
		}
	}
	return c.edit(ctx, names, func(name, content string) string {
		changed, err := rewriteGrubenv(content, func(value string) string { return c.line(name, value, c.always()) })
		if err != nil && strings.Contains(content, "kernelopts=") {
			c.files.warn("Run grub2-editenv in the guest.", "%q is kept: %v", name, err)
		}
		return changed
	})
}

// rewriteGrubenv gives kernelopts to change and returns the block at the same size, and the block as it was together with an error.
func rewriteGrubenv(block string, change func(value string) string) (string, error) {
	if len(block) != grubenvSize || !strings.HasPrefix(block, grubenvSignature) {
		return block, errGrubenvDamaged
	}
	body := strings.TrimRight(block, "#")
	if !strings.HasSuffix(body, "\n") {
		return block, errGrubenvDamaged
	}
	var out strings.Builder
	for i := 0; i < len(body); {
		end := grubenvLine(body[i:])
		line := body[i : i+end]
		i += end
		if value, ok := strings.CutPrefix(line, "kernelopts="); ok {
			plain := grubenvPlain(strings.TrimSuffix(value, "\n"))
			if changed := change(plain); changed != plain {
				line = "kernelopts=" + strings.NewReplacer(`\`, `\\`, "\n", "\\\n").Replace(changed) + "\n"
			}
		}
		out.WriteString(line)
	}
	if out.Len() > grubenvSize {
		return block, errGrubenvFull
	}
	return out.String() + strings.Repeat("#", grubenvSize-out.Len()), nil
}

// grubenvLine is how long the line is that s starts with; a line end behind a \ belongs to it.
func grubenvLine(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '\n':
			return i + 1
		}
	}
	return len(s)
}

// grubenvPlain takes the \ off.
func grubenvPlain(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
