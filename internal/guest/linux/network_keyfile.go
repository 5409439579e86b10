package linux

import (
	"context"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// keyfileNet is NetworkManager's own format, nm-settings-keyfile(5).
type keyfileNet struct{}

const keyfileDir = "/etc/NetworkManager/system-connections"

func (keyfileNet) name() string { return "networkmanager" }

func (keyfileNet) files(ctx context.Context, tree guest.FS) ([]string, error) {
	return netFiles(ctx, tree, keyfileDir, func(n string) bool {
		return !strings.HasPrefix(n, ".") && !ifcfgLeftover.MatchString(n)
	})
}

// ethernetSections are the names of the section on the card, today's and the older.
var ethernetSections = []string{"ethernet", "802-3-ethernet"}

func (keyfileNet) read(_ string, text []byte) ([]netEntry, error) {
	return []netEntry{readKeyfile(parseINI(text))}, nil
}

func readKeyfile(f *iniFile) netEntry {
	var e netEntry
	e.Name = f.get("connection", "interface-name")
	e.virtual = !slices.Contains(ethernetSections, f.get("connection", "type"))
	for _, section := range ethernetSections {
		if m := normalMAC(f.get(section, "mac-address")); m != "" {
			e.MAC = m
		}
	}
	if match := f.get("match", "interface-name"); e.Name == "" && match != "" {
		e.Name, e.pattern = strings.Join(keyfileList(match), " "), true
	}
	if f.get("connection", "master") != "" || f.get("connection", "controller") != "" {
		e.dhcp = true // its addresses are those of the bond or bridge
		if e.Name != "" {
			e.members = append(e.members, e.Name)
		}
	}
	if parent := f.get("vlan", "parent"); cardName(parent) {
		e.members = append(e.members, parent)
	}
	for _, family := range []string{"ipv4", "ipv6"} {
		method := f.get(family, "method")
		e.Static = e.Static || method == "manual"
		e.dhcp = e.dhcp || method != "manual" // without a method NetworkManager asks for an address
		for _, key := range []string{"address1", "addresses", "addresses1"} {
			if e.Address == "" {
				e.Address, _, _ = strings.Cut(f.get(family, key), ",")
			}
		}
	}
	return e
}

func keyfileList(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ';' || r == ',' })
}

func (keyfileNet) edit(_ string, text []byte, plan netPlan) ([]byte, []string, error) {
	f := parseINI(text)
	e := readKeyfile(f)
	var why []string
	f.rewrite("match", "driver", func(value string) (string, bool) {
		words := strings.Split(value, ";")
		for i, w := range words {
			if bare := strings.TrimLeft(w, "|&"); slices.Contains(sourceNICDrivers, bare) {
				words[i] = w[:len(w)-len(bare)] + virtualNICDrivers[0]
				why = append(why, "it matches the driver of another hypervisor's card")
			}
		}
		return strings.Join(words, ";"), true
	})
	fate, with := plan.fate(e.Name, e.MAC)
	if e.virtual {
		fate = macStays
	}
	for _, section := range ethernetSections {
		f.rewrite(section, "mac-address", func(value string) (string, bool) {
			if fate == macStays || normalMAC(value) != e.MAC {
				return value, true
			}
			why = append(why, fate.why(e.MAC, with))
			return likeMAC(with, value), fate == macChanges
		})
	}
	if plan.level != NetworkConservative && !e.virtual && (e.Name != "" || e.MAC != "") {
		f.rewrite("match", "path", func(value string) (string, bool) {
			if strings.Contains(value, "pci-") {
				why = append(why, "the card is at another place of the bus")
				return value, false
			}
			return value, true
		})
	}
	return f.bytes(), why, nil
}
