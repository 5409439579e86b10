package linux

import (
	"context"
	"path"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"hyper2kvm/internal/guest"
)

// cloudInitFixer changes nothing. It tells of cloud-init where that writes the network's files anew: on KVM it finds neither VMware's
// nor the OVF's data, takes the machine for a new one, and falls back to DHCP.
type cloudInitFixer struct{}

func (cloudInitFixer) Name() string { return "cloud-init" }

func (cloudInitFixer) Plan(ctx context.Context, _ guest.System, tree guest.FS) (guest.Proposal, error) {
	var p guest.Proposal
	installed, err := netExists(ctx, tree, "/etc/cloud/cloud.cfg")
	if !installed || err != nil {
		return p, err
	}
	off, err := netExists(ctx, tree, "/etc/cloud/cloud-init.disabled")
	if off || err != nil {
		return p, err
	}
	files, err := netFiles(ctx, tree, "/etc/cloud/cloud.cfg.d", func(n string) bool { return path.Ext(n) == ".cfg" })
	if err != nil {
		return p, err
	}
	for _, f := range append([]string{"/etc/cloud/cloud.cfg"}, files...) {
		text, err := tree.ReadFile(ctx, f)
		if err != nil {
			if netUnreadable(err) {
				continue
			}
			return p, err
		}
		var settings struct {
			Network struct {
				Config  any `yaml:"config"`
				Version any `yaml:"version"`
			} `yaml:"network"`
		}
		if yaml.Unmarshal(text, &settings) != nil {
			continue
		}
		if settings.Network.Config == "disabled" {
			return p, nil
		}
		// Ubuntu's installer leaves a configuration here: cloud-init writes the same from it anywhere, were it not for its MACs.
		if settings.Network.Version != nil && !cloudInitMAC.Match(text) {
			return p, nil
		}
	}
	lines, err := kernelCommandLines(ctx, tree)
	if err != nil || allHave(lines, "cloud-init=disabled") || allHave(lines, "network-config=disabled") {
		return p, err
	}
	written, err := cloudInitWrites(ctx, tree)
	if written == "" || err != nil {
		return p, err
	}
	p.Warnings = append(p.Warnings, guest.Warning{
		Message: "cloud-init wrote " + written + " and may write it anew on KVM, where it does not find the data that VMware gave it",
		Hint:    "in the guest, write \"network: {config: disabled}\" to /etc/cloud/cloud.cfg.d/99-disable-network-config.cfg before the first start, or give the VM a data source",
	})
	return p, nil
}

// cloudInitMAC is how both versions of cloud-init's network configuration find a card by its MAC.
var cloudInitMAC = regexp.MustCompile(`mac_?address`)

// cloudInitWrites returns a file of the network that cloud-init has written, "" for none.
func cloudInitWrites(ctx context.Context, tree guest.FS) (string, error) {
	for _, f := range []string{"/etc/netplan/50-cloud-init.yaml", interfacesDir + "/50-cloud-init", interfacesDir + "/50-cloud-init.cfg"} {
		if ok, err := netExists(ctx, tree, f); ok || err != nil {
			return f, err
		}
	}
	for _, b := range []netBackend{ifcfgNet{}, keyfileNet{}, networkdNet{}} {
		files, err := b.files(ctx, tree)
		if err != nil {
			return "", err
		}
		for _, f := range files {
			if strings.HasPrefix(path.Base(f), "10-cloud-init-") {
				return f, nil // of networkd's, which have no head
			}
			text, err := tree.ReadFile(ctx, f)
			if err != nil {
				if netUnreadable(err) {
					continue
				}
				return "", err
			}
			head := string(text[:min(len(text), 512)])
			if strings.Contains(head, "Created by cloud-init") || strings.Contains(head, "enerated by cloud-init") {
				return f, nil
			}
		}
	}
	return "", nil
}
