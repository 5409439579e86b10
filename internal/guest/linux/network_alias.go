package linux

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// nicAliasFixer puts the driver of KVM's card into old modprobe files that name one for each interface, and tells of a blacklist that
// keeps the card from working.
type nicAliasFixer struct{}

func (nicAliasFixer) Name() string { return "modprobe-network" }

var (
	nicAliasLine     = regexp.MustCompile(`^(\s*alias\s+eth[0-9]+\s+)(\S+)(\s*)$`)
	nicBlacklistLine = regexp.MustCompile(`^\s*blacklist\s+(virtio_net|virtio-net|virtio_pci|virtio-pci)\s*$`)
	aliasDrivers     = append([]string{"e1000", "e1000e"}, sourceNICDrivers...)
)

func (nicAliasFixer) Plan(ctx context.Context, _ guest.System, tree guest.FS) (guest.Proposal, error) {
	var p guest.Proposal
	files, err := netFiles(ctx, tree, "/etc/modprobe.d", func(n string) bool { return path.Ext(n) == ".conf" || !strings.Contains(n, ".") })
	if err != nil {
		return p, err
	}
	files = append([]string{"/etc/modprobe.conf", "/etc/modprobe.conf.local", "/etc/modules.conf"}, files...)
	for _, named := range files {
		file, err := guest.Resolve(ctx, tree, named)
		if err != nil {
			return p, err
		}
		text, err := tree.ReadFile(ctx, file)
		if err != nil {
			if netUnreadable(err) {
				continue
			}
			return p, err
		}
		var b strings.Builder
		for line := range strings.Lines(string(text)) {
			body := strings.TrimRight(line, "\r\n")
			if m := nicBlacklistLine.FindStringSubmatch(body); m != nil {
				p.Warnings = append(p.Warnings, guest.Warning{
					Message: fmt.Sprintf("%s keeps the kernel from loading %s", file, m[1]),
					Hint:    "take the line out, or the guest has no network on virtio",
				})
			}
			if m := nicAliasLine.FindStringSubmatch(body); m != nil && slices.Contains(aliasDrivers, m[2]) {
				line = m[1] + virtualNICDrivers[0] + m[3] + line[len(body):]
			}
			b.WriteString(line)
		}
		c, ok, err := guest.Edit(ctx, tree, file, "an interface is bound to the driver of another hypervisor's card", []byte(b.String()))
		if err != nil {
			return p, err
		}
		if ok {
			p.Changes = append(p.Changes, c)
		}
	}
	return p, nil
}
