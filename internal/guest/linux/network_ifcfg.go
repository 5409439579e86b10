package linux

import (
	"context"
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// ifcfgNet is a file ifcfg-NAME for each interface, in the dialects of Red Hat and of SUSE (ifcfg(5), wicked's too).
type ifcfgNet struct{}

const (
	redHatIfcfg = "/etc/sysconfig/network-scripts"
	suseIfcfg   = "/etc/sysconfig/network"
)

// ifcfgLeftover is what the tools themselves pass over.
var ifcfgLeftover = regexp.MustCompile(`(~|\.(bak|old|orig|rpmnew|rpmsave|rpmorig|scpmbackup|template))$`)

// ifcfgByMAC is SUSE's file name, until release 10, for the card with a MAC.
var ifcfgByMAC = regexp.MustCompile(`^(?:eth-)?id-([0-9a-fA-F:]{17})$`)

// ifcfgOfCard is a file name that stands for DEVICE= where that is not stated: eth0, but no range of addresses (eth0-range0) and no
// profile for any card (Profile_1).
var ifcfgOfCard = regexp.MustCompile(`^[a-z]+[0-9][a-z0-9]*$`)

func (ifcfgNet) name() string { return "ifcfg" }

func (ifcfgNet) files(ctx context.Context, tree guest.FS) ([]string, error) {
	keep := func(n string) bool {
		return strings.HasPrefix(n, "ifcfg-") && n != "ifcfg-lo" && !ifcfgLeftover.MatchString(n)
	}
	redHat, err := netFiles(ctx, tree, redHatIfcfg, keep)
	if err != nil {
		return nil, err
	}
	suse, err := netFiles(ctx, tree, suseIfcfg, keep)
	return append(redHat, suse...), err
}

func (ifcfgNet) read(file string, text []byte) ([]netEntry, error) {
	return []netEntry{readIfcfg(file, parseShellVars(text))}, nil
}

func readIfcfg(file string, vars *shellVars) netEntry {
	get := func(key string) string { v, _ := vars.Get(key); return strings.TrimSpace(v) }
	yes := func(key string) bool { return strings.EqualFold(get(key), "yes") }
	suffix, suse := strings.TrimPrefix(path.Base(file), "ifcfg-"), path.Dir(file) == suseIfcfg
	var e netEntry
	e.Name, e.MAC = get("DEVICE"), normalMAC(get("HWADDR"))
	if m := ifcfgByMAC.FindStringSubmatch(suffix); suse && m != nil {
		e.Name, e.MAC = "", normalMAC(m[1])
	} else if suse || e.Name == "" && e.MAC == "" && ifcfgOfCard.MatchString(suffix) && cardName(suffix) {
		e.Name = suffix
	}
	switch strings.ToLower(get("TYPE")) {
	case "", "ethernet", "ovsport":
	default:
		e.virtual = !namesDriver(get("TYPE"))
	}
	e.virtual = e.virtual || yes("VLAN") || yes("BONDING_MASTER") || yes("BRIDGE") || get("BONDING_OPTS") != "" || get("ETHERDEVICE") != "" ||
		get("TEAM_CONFIG") != "" || strings.EqualFold(get("DEVICETYPE"), "team") || e.Name != "" && !cardName(e.Name)
	e.members = strings.Fields(get("BRIDGE_PORTS") + " " + get("ETHERDEVICE") + " " + get("PHYSDEV"))
	for _, key := range vars.Keys() {
		if strings.HasPrefix(key, "BONDING_SLAVE") {
			e.members = append(e.members, get(key))
		}
		if (strings.HasPrefix(key, "IPADDR") || key == "IPV6ADDR") && get(key) != "" {
			e.Static = true
			if e.Address == "" {
				e.Address = get(key)
			}
		}
	}
	if parent, _, ok := strings.Cut(e.Name, "."); ok {
		e.members = append(e.members, parent)
	}
	if e.Name != "" && (get("MASTER") != "" || get("TEAM_MASTER") != "" || get("OVS_BRIDGE") != "" || get("BRIDGE") != "" && !yes("BRIDGE") && !strings.EqualFold(get("BRIDGE"), "no")) {
		e.members = append(e.members, e.Name) // it is a port itself
	}
	proto := strings.ToLower(get("BOOTPROTO"))
	e.dhcp = slices.ContainsFunc([]string{"dhcp", "bootp", "auto", "ibft", "shared"}, func(p string) bool { return strings.HasPrefix(proto, p) }) ||
		yes("IPV6_AUTOCONF") || yes("DHCPV6C")
	return e
}

// ifcfgDriverKeys may hold the name of a driver.
var ifcfgDriverKeys = []string{"DEVICE", "TYPE", "ETHTOOL_OPTS", "ETHTOOL_OPTIONS", "OPTIONS", "DRIVER", "MODULE"}

// namesDriver reports whether one of the words is the driver of another hypervisor's card.
func namesDriver(value string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(strings.ToLower(value), func(r rune) bool { return strings.ContainsRune(" \t,;=", r) }),
		func(w string) bool { return slices.Contains(sourceNICDrivers, w) })
}

func (ifcfgNet) edit(file string, text []byte, plan netPlan) ([]byte, []string, error) {
	vars := parseShellVars(text)
	var why []string
	for _, key := range ifcfgDriverKeys {
		if v, ok := vars.Get(key); ok && namesDriver(v) {
			vars.Comment(key)
			why = append(why, key+" names the driver of another hypervisor's card")
		}
	}
	e := readIfcfg(file, vars)
	name := e.Name
	if e.virtual {
		name = "" // what stands in a VLAN's file is the MAC of its card, and ifup refuses the VLAN with any other
	}
	fate, with := plan.fate(name, e.MAC)
	had, pinned := vars.Get("HWADDR")
	switch {
	case fate == macStays:
	case !pinned:
		return nil, nil, errors.New("its name holds a MAC that no card of the VM has")
	case fate == macChanges:
		vars.Set("HWADDR", likeMAC(with, had))
		why = append(why, fate.why(e.MAC, with))
	default:
		vars.Comment("HWADDR")
		why = append(why, fate.why(e.MAC, with))
	}
	if plan.wantsDHCP(e) {
		vars.Set("BOOTPROTO", "dhcp")
		why = append(why, "the interface has no address of its own and asks for none")
	}
	return vars.Bytes(), why, nil
}
