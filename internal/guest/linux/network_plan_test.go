package linux

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
)

// drawnGuest is a guest with up to four cards in whatever backends, and a VM with up to four.
func drawnGuest(t *rapid.T) (*guesttest.Tree, Options) {
	tree := guesttest.NewTree()
	mac := rapid.SampledFrom([]string{"", "00:50:56:aa:bb:01", "00:50:56:aa:bb:02", "00:50:56:AA:BB:03", "00:0c:29:11:22:33", "00:0c:29:11:22:44"})
	name := rapid.SampledFrom([]string{"eth0", "eth1", "eth10", "ens160", "ens192", "ens19", "lan0", "wg-home"})
	systemd := rapid.SampledFrom([]string{"none", "old", "new"}).Draw(t, "systemd")
	if systemd != "none" {
		tree.Text("/usr/lib/systemd/systemd-udevd", "x")
		tree.Text("/usr/lib/udev/rules.d/80-net-setup-link.rules", "x")
	} else if rapid.Bool().Draw(t, "udev") {
		tree.Text("/sbin/udevd", "x")
	}
	if systemd == "new" {
		tree.Text("/usr/lib/systemd/libsystemd-shared-255.so", "x")
	}
	switch rapid.IntRange(0, 5).Draw(t, "oddity") {
	case 0:
		tree.Text("/usr/bin/udevinfo", "x")
	case 1:
		tree.Text(linkDir+"/10-all.link", "[Match]\nDriver=vmxnet3\n[Link]\nNamePolicy=slot\n")
	case 2:
		tree.Text(linkDir+"/10-any.network", "[Match]\nName=ens*\n[Network]\nDHCP=yes\n")
	}
	var interfaces, netplan strings.Builder
	for i := range rapid.IntRange(0, 4).Draw(t, "interfaces") {
		n, m := name.Draw(t, "name"), mac.Draw(t, "mac")
		pin := func(format string) string {
			if m == "" {
				return ""
			}
			return fmt.Sprintf(format, m)
		}
		switch rapid.IntRange(0, 5).Draw(t, "backend") {
		case 0:
			tree.Text("/etc/sysconfig/network-scripts/ifcfg-"+n, "DEVICE="+n+"\n"+pin("HWADDR='%s'\n"))
		case 1:
			tree.Text(fmt.Sprintf("%s/%d.nmconnection", keyfileDir, i), "[connection]\ntype=ethernet\ninterface-name="+n+"\n[ethernet]\n"+pin("mac-address=%s\n"))
		case 2:
			fmt.Fprintf(&netplan, "    c%d:\n%s", i, pin("      match:\n        macaddress: %s\n      set-name: "+n+"\n")+"      optional: true\n")
		case 3:
			interfaces.WriteString("auto " + n + "\niface " + n + " inet static\n" + pin("  hwaddress ether %s\n"))
		case 4:
			tree.Text(fmt.Sprintf("%s/%d.network", linkDir, i), "[Match]\nName="+n+"\n"+pin("MACAddress=%s\n")+"[Network]\n")
		case 5:
			if m != "" {
				old, _ := tree.Get(rulesFile)
				driver := rapid.SampledFrom([]string{"?*", "vmxnet3"}).Draw(t, "driver")
				kernel := rapid.SampledFrom([]string{"", `KERNEL=="eth*", `}).Draw(t, "kernel")
				tree.Text(rulesFile, string(old.Data)+strings.NewReplacer("?*", driver, "NAME=", kernel+"NAME=").Replace(ruleText(n, m))+"\n")
			}
		}
	}
	if interfaces.Len() > 0 {
		tree.Text(interfacesFile, interfaces.String())
	}
	if netplan.Len() > 0 {
		tree.Text("/etc/netplan/x.yaml", "network:\n  version: 2\n  ethernets:\n"+netplan.String())
	}
	o := Options{Network: rapid.SampledFrom([]string{NetworkConservative, NetworkModerate, NetworkAggressive}).Draw(t, "level")}
	known := rapid.Bool().Draw(t, "known")
	for i := range rapid.IntRange(0, 4).Draw(t, "cards") {
		nic := guest.NIC{Slot: rapid.SampledFrom([]int{0, 160, 192, 33}).Draw(t, "slot")}
		if known {
			nic.MAC = fmt.Sprintf("00:50:56:aa:bb:%02x", i+1)
		}
		o.NICs = append(o.NICs, nic)
	}
	return tree, o
}

// TestNetworkOfAnyGuest: whatever a guest looks like, no card gets two names and no name two cards, no MAC is written that the VM does
// not have, no address goes, and a second run has nothing to do.
func TestNetworkOfAnyGuest(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		tree, o := drawnGuest(r)
		before := tree.Clone()
		work, err := guest.NewWork(t.Context(), guest.System{}, tree, networkFixers(o))
		if err != nil {
			r.Fatal(err)
		}
		if _, err := guest.Apply(t.Context(), tree, work.Changes, toolJournal{}, time.Now); err != nil {
			r.Fatal(err)
		}
		again, err := guest.NewWork(t.Context(), guest.System{}, tree, networkFixers(o))
		if err != nil {
			r.Fatal(err)
		}
		for _, c := range again.Changes {
			r.Errorf("the second run wants %s: %s\n%s", c.Fixer, c.Why, c.Diff())
		}
		checkNames(r, tree, o)
		for _, name := range tree.Files() {
			had, _ := before.Get(name)
			got, _ := tree.Get(name)
			for word := range strings.FieldsSeq(strings.NewReplacer("=", " ", "'", " ", `"`, " ").Replace(string(got.Data))) {
				if m := normalMAC(word); m != "" && !strings.Contains(strings.ToLower(string(had.Data)), m) &&
					!slices.ContainsFunc(o.NICs, func(n guest.NIC) bool { return n.MAC == m }) {
					r.Errorf("%s holds the MAC %s, which neither it nor the VM had", name, m)
				}
			}
		}
	})
}

// checkNames looks at the names that our own links give.
func checkNames(t *rapid.T, tree *guesttest.Tree, o Options) {
	t.Helper()
	cards := map[string]string{}
	for _, f := range tree.Files() {
		if path.Dir(f) != linkDir || !strings.HasPrefix(path.Base(f), "70-hyper2kvm-") {
			continue
		}
		text, _ := tree.Get(f)
		for _, pin := range parseLink(f, text.Data) {
			if other, twice := cards[pin.mac]; twice {
				t.Errorf("the card %q is called %s and %s", pin.mac, other, pin.name)
			}
			cards[pin.mac] = pin.name
			if pin.mac == "" && len(o.NICs) > 1 {
				t.Errorf("one of %d cards is called %s by its driver", len(o.NICs), pin.name)
			}
		}
	}
}
