package linux

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

// slotName is the name that Linux gives a card by VMware's PCI slot number: 160 is ens160, 192 ens192, 1184 ens161. The number is
// function, bus and device as FFF.BBBBB.DDDDD (Broadcom article 2047927); the name counts the bridge's slot, and its functions from
// there. 0 is no slot.
func slotName(slot int) string {
	if slot < 32 || slot >= 1<<13 { // below 32 it is a device of the root bus, named by its path
		return ""
	}
	return "ens" + strconv.Itoa(slot&0x3ff+slot>>10)
}

// compareSlots orders slots as a kernel finds them on VMware's bus: by the bridge, its function, and the place behind it.
func compareSlots(a, b int) int {
	return cmp.Or(cmp.Compare(a>>5&0x1f, b>>5&0x1f), cmp.Compare(a>>10, b>>10), cmp.Compare(a&0x1f, b&0x1f))
}

// notCards are names that guests give to what is no wired card.
var notCards = regexp.MustCompile(`^(lo|(bond|team|br|virbr|docker|veth|tun|tap|wg|ppp|sit|gre|dummy|vlan|vmbr|wlan|ib|lxcbr|lxdbr|cni|flannel|ovs)[0-9].*|wl.+|ww.+|veth.+|br-.+|docker.*|default|all)$`)

// wiredName is what systemd, biosdevname and the kernel call wired cards.
var wiredName = regexp.MustCompile(`^(eth|en[opsx]|em|p[0-9]+p)[0-9a-f]+`)

// kernelName is what the kernel alone calls them.
var kernelName = regexp.MustCompile(`^eth[0-9]+$`)

// deviceName is what the kernel allows, without what could be misread in a file.
var deviceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,15}$`)

// cardName reports whether an interface of that name can be a wired card: no VLAN (eth0.7), no alias (eth0:1), none of the usual
// virtual ones.
func cardName(name string) bool { return deviceName.MatchString(name) && !notCards.MatchString(name) }

// hardwareAddress is six bytes in hexadecimal with separators.
var hardwareAddress = regexp.MustCompile(`^[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}[:-]){4}[0-9A-Fa-f]{2}$`)

// normalMAC returns a MAC in lower case with colons, "" for what is none.
func normalMAC(s string) string {
	s = strings.TrimSpace(s)
	if !hardwareAddress.MatchString(s) {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(s, "-", ":"))
}

// likeMAC writes mac in the letters and separators of the one that stands in a file.
func likeMAC(mac, had string) string {
	if strings.Contains(had, "-") {
		mac = strings.ReplaceAll(mac, ":", "-")
	}
	if had == strings.ToUpper(had) && strings.ContainsAny(had, "ABCDEF") {
		mac = strings.ToUpper(mac)
	}
	return mac
}

// compareNatural orders names with their numbers as numbers: eth2 before eth10. "" comes last.
func compareNatural(a, b string) int {
	if (a == "") != (b == "") {
		return cmp.Compare(b, a)
	}
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na > 0 && nb > 0 {
			da, db := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if c := cmp.Or(cmp.Compare(len(da), len(db)), cmp.Compare(da, db)); c != 0 {
				return c
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(a, b)
}

// digits is how many digits s starts with.
func digits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}
