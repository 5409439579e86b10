package linux

import (
	"context"
	"path"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// networkdNet is systemd-networkd: systemd.network(5), systemd.netdev(5), and the .link files of systemd-udevd beside them.
type networkdNet struct{}

func (networkdNet) name() string { return "networkd" }

func (networkdNet) files(ctx context.Context, tree guest.FS) ([]string, error) {
	return netFiles(ctx, tree, linkDir, func(n string) bool {
		return slices.Contains([]string{".network", ".netdev", ".link"}, path.Ext(n)) && !strings.HasPrefix(n, linkPrefix)
	})
}

func (networkdNet) read(file string, text []byte) ([]netEntry, error) {
	f := parseINI(text)
	switch path.Ext(file) {
	case ".netdev":
		e := netEntry{virtual: true, dhcp: true}
		e.Name = f.get("NetDev", "Name")
		return []netEntry{e}, nil
	case ".network":
		return readNetworkd(f), nil
	}
	return nil, nil // a .link file is a namePin
}

// readNetworkd returns an entry for each name that [Match] lists.
func readNetworkd(f *iniFile) []netEntry {
	var e netEntry
	macs := slices.Concat(f.matches("MACAddress"), f.matches("PermanentMACAddress"))
	if len(macs) == 1 {
		e.MAC = normalMAC(macs[0])
	}
	for _, v := range slices.Concat(f.all("Network", "Address"), f.all("Address", "Address")) {
		if v != "" {
			e.Static = true
			if e.Address == "" {
				e.Address = v
			}
		}
	}
	switch strings.ToLower(f.get("Network", "DHCP")) {
	case "yes", "true", "1", "on", "ipv4", "ipv6", "both", "v4", "v6":
		e.dhcp = true
	}
	port := f.has("Network", "Bond") || f.has("Network", "Bridge") || f.has("Network", "VLAN") || f.has("Network", "MACVLAN")
	kind := f.get("Match", "Type") + f.get("Match", "Kind")
	e.virtual = kind != "" && !strings.Contains(kind, "ether")
	names := f.matches("Name")
	if len(names) == 0 || strings.HasPrefix(names[0], "!") { // any, or any but these
		if port {
			e.dhcp = true
		}
		return []netEntry{e}
	}
	var entries []netEntry
	for _, n := range names {
		one := e
		one.Name = n
		one.pattern = strings.ContainsAny(n, "*?[!")
		if port {
			one.members = []string{n}
		}
		if parent, _, ok := strings.Cut(n, "."); ok {
			one.virtual, one.members = true, []string{parent}
		}
		entries = append(entries, one)
	}
	return entries
}

// sourceHypervisors are systemd's names of what a guest may come from.
var sourceHypervisors = []string{"vmware", "microsoft", "oracle", "xen", "parallels"}

func (networkdNet) edit(file string, text []byte, plan netPlan) ([]byte, []string, error) {
	ext := path.Ext(file)
	if ext == ".netdev" {
		return text, nil, nil
	}
	f := parseINI(text)
	var why []string
	f.rewrite("Match", "Driver", func(value string) (string, bool) {
		if !namesDriver(value) || strings.Contains(value, virtualNICDrivers[0]) || strings.HasPrefix(value, "!") {
			return value, true
		}
		why = append(why, "it matches the driver of another hypervisor's card")
		return value + " " + strings.Join(virtualNICDrivers, " "), true
	})
	f.rewrite("Match", "Virtualization", func(value string) (string, bool) {
		if !slices.Contains(sourceHypervisors, value) {
			return value, true
		}
		why = append(why, "it holds on another hypervisor alone")
		return "vm", true
	})
	name := f.get("Link", "Name")
	if ext == ".network" {
		name = ""
		if names := f.matches("Name"); len(names) == 1 {
			name = names[0]
		}
	}
	for _, key := range []string{"MACAddress", "PermanentMACAddress"} {
		f.rewrite("Match", key, func(value string) (string, bool) {
			macs, gone := strings.Fields(value), 0
			for i, had := range macs {
				mac := normalMAC(had)
				switch fate, with := plan.fate(name, mac); fate {
				case macChanges:
					macs[i] = likeMAC(with, had)
					why = append(why, fate.why(mac, with))
				case macGoes:
					gone++
					why = append(why, fate.why(mac, with))
				}
			}
			if gone > 0 && gone == len(macs) {
				return value, false
			}
			if slices.Equal(macs, strings.Fields(value)) {
				return value, true // its own spacing
			}
			return strings.Join(macs, " "), true
		})
	}
	if len(why) > 0 && !f.matchesSomething() {
		f.add("Match", "Driver", strings.Join(virtualNICDrivers, " ")) // an empty [Match] would take the loopback too
	}
	if ext == ".network" {
		entries := readNetworkd(f)
		if !slices.ContainsFunc(entries, func(e netEntry) bool { return !plan.wantsDHCP(e) }) && !f.has("Network", "DHCP") && !f.has("Network", "LinkLocalAddressing") {
			f.add("Network", "DHCP", "yes")
			why = append(why, "the interface has no address of its own and asks for none")
		}
	}
	return f.bytes(), why, nil
}

// matchesSomething reports whether [Match] still says what to match.
func (f *iniFile) matchesSomething() bool {
	return slices.ContainsFunc(f.lines, func(l iniLine) bool { return l.section == "Match" && l.key != "" })
}
