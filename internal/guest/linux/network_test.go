package linux

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
)

func caseOptions(t *testing.T, c guesttest.Case) Options {
	t.Helper()
	var o Options
	if len(c.Options) > 0 {
		if err := json.Unmarshal(c.Options, &o); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func TestNetwork(t *testing.T) {
	guesttest.RunCases(t, "testdata/network", guesttest.Setup{
		Fixers: func(t *testing.T, c guesttest.Case) []guest.Fixer {
			t.Helper()
			return networkFixers(caseOptions(t, c))
		},
	})
}

func TestInspectInterfaces(t *testing.T) {
	var system guest.System
	tree := guesttest.LoadTree(t, "testdata/network/ifcfg-bond-and-vlan/root")
	if err := inspectInterfaces(t.Context(), tree, &system); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range system.Interfaces {
		got = append(got, i.Name+" "+i.Backend+" "+i.Address)
	}
	want := []string{"bond0 ifcfg ", "bond0.7 ifcfg ", "br7 ifcfg 10.0.0.5", "ens192 ifcfg ", "ens224 ifcfg "}
	if !slices.Equal(got, want) {
		t.Errorf("interfaces are %q, want %q", got, want)
	}
	tree = guesttest.LoadTree(t, "testdata/network/netplan-two-cards/root")
	if err := inspectInterfaces(t.Context(), tree, &system); err != nil {
		t.Fatal(err)
	}
	if i := system.Interfaces[0]; len(system.Interfaces) != 2 || i.Name != "lan0" || i.MAC != "00:0c:29:11:22:33" || !i.Static || i.Address != "10.0.0.1/24" {
		t.Errorf("interfaces are %+v", system.Interfaces)
	}
}

func TestSlotName(t *testing.T) {
	for slot, want := range map[int]string{
		0: "", -1: "", 17: "", 32: "ens32", 33: "ens33", 160: "ens160", 192: "ens192", 224: "ens224", 256: "ens256",
		1184: "ens161", 1216: "ens193", 2208: "ens162", 1 << 13: "", 1 << 40: "",
	} {
		if got := slotName(slot); got != want {
			t.Errorf("slot %d is %q, want %q", slot, got, want)
		}
	}
}

func TestNaturalOrder(t *testing.T) {
	names := []string{"", "eth10", "eth2", "eth02", "ens224", "eth0", "ens1000000000000000000000", "ens160", "lan"}
	slices.SortStableFunc(names, compareNatural)
	want := []string{"ens160", "ens224", "ens1000000000000000000000", "eth0", "eth2", "eth02", "eth10", "lan", ""}
	if !slices.Equal(names, want) {
		t.Errorf("order is %q, want %q", names, want)
	}
}

func TestCardName(t *testing.T) {
	for name, want := range map[string]bool{
		"eth0": true, "ens192": true, "eno16777736": true, "lan": true, "em1": true, "bridge": true,
		"lo": false, "eth0.7": false, "eth0:1": false, "bond0": false, "br-lan": false, "virbr0": false, "docker0": false, "wlan0": false, "wlp3s0": false,
		"": false, "a b": false, "../x": false, "x\"y": false, "sixteenletterssi": false, "en*": false,
	} {
		if cardName(name) != want {
			t.Errorf("cardName(%q) is not %v", name, want)
		}
	}
}

// fuzzPlan is a VM of one card under a MAC that no seed has.
func fuzzPlan(entries []netEntry, level string) netPlan {
	return newNetPlan(netScene{entries: entries}, Options{Network: level, NICs: []guest.NIC{{MAC: "00:50:56:aa:bb:01"}}})
}

func addNetworkSeeds(f *testing.F, pattern string) {
	f.Helper()
	seeds, err := filepath.Glob("testdata/network/*/root/" + pattern)
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds for %s: %v", pattern, err)
	}
	for _, s := range seeds {
		if info, err := os.Stat(s); err == nil && !info.Mode().IsRegular() {
			continue // a folder in the place of a file
		}
		b, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// FuzzNetplan: what was edited is YAML in which nothing but MACs, drivers and DHCP differs, and a second edit finds nothing.
func FuzzNetplan(f *testing.F) {
	addNetworkSeeds(f, "etc/netplan/*.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := netplanNet{}.read("/etc/netplan/x.yaml", text)
		if err != nil {
			return
		}
		for _, level := range []string{NetworkModerate, NetworkAggressive} {
			plan := fuzzPlan(entries, level)
			edited, why, err := netplanNet{}.edit("/etc/netplan/x.yaml", text, plan)
			if err != nil {
				continue
			}
			if len(why) == 0 {
				if !bytes.Equal(edited, text) {
					t.Fatalf("changed without a reason:\n%s\n%s", text, edited)
				}
				continue
			}
			var before, after any
			if yaml.Unmarshal(text, &before) != nil {
				continue // a key twice, which nodes allow
			}
			if err := yaml.Unmarshal(edited, &after); err != nil {
				t.Fatalf("no YAML any more: %v\n%s\n%s", err, text, edited)
			}
			if a, b := netplanRest(before), netplanRest(after); !reflect.DeepEqual(a, b) {
				t.Fatalf("more than the MACs changed: %v, %v\n%s\n%s", a, b, text, edited)
			}
			again, why, err := netplanNet{}.edit("/etc/netplan/x.yaml", edited, plan)
			if err != nil || len(why) > 0 || !bytes.Equal(again, edited) {
				t.Fatalf("a second edit: %v %v\n%s", why, err, again)
			}
		}
	})
}

// netplanRest empties what an edit may change: match, and DHCP and null bodies of cards.
func netplanRest(v any) any {
	top, _ := stringKeys(v).(map[string]any)
	network, _ := top["network"].(map[string]any)
	ethernets, _ := network["ethernets"].(map[string]any)
	for id, body := range ethernets {
		m, ok := body.(map[string]any)
		if !ok && body != nil {
			continue
		}
		if m == nil {
			m = map[string]any{}
		}
		delete(m, "match")
		delete(m, "dhcp4")
		ethernets[id] = m
	}
	return top
}

// stringKeys makes every key of every mapping a string: YAML has numbers as keys too.
func stringKeys(v any) any {
	m := map[string]any{}
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			m[k] = stringKeys(x)
		}
	case map[any]any:
		for k, x := range v {
			m[fmt.Sprint(k)] = stringKeys(x)
		}
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = stringKeys(x)
		}
		return list
	default:
		return v
	}
	return m
}

// FuzzInterfaces: lines are only changed where there is a hwaddress or an iface line, and a second edit finds nothing.
func FuzzInterfaces(f *testing.F) {
	addNetworkSeeds(f, "etc/network/interfaces")
	f.Add([]byte("auto eth0\niface eth0 inet static\\\n hwaddress\n  hwaddress ether 00:0c:29:11:22:33"))
	f.Add([]byte("auto eth0\niface eth0 inet static\\\n  staticss\n  h"))
	f.Add([]byte("auto eth0 eth1\\\n"))
	f.Add([]byte("auto eth0 eth1\\\niface eth0 inet dhcp\\"))
	f.Add([]byte("auto \x8aingh c 1e\\"))
	f.Add([]byte("auto eth0\nmapping eth1 \\\n"))
	f.Add([]byte("auto eth0\nmapping eth1 \\"))
	f.Fuzz(func(t *testing.T, text []byte) {
		joined := ""
		for _, l := range splitInterfaces(text) {
			joined += l.text
		}
		if joined != string(text) {
			t.Fatalf("splitting loses: %q, %q", text, joined)
		}
		entries, _ := ifupdownNet{}.read(interfacesFile, text)
		for _, level := range []string{NetworkConservative, NetworkModerate, NetworkAggressive} {
			edited, why, err := ifupdownNet{}.edit(interfacesFile, text, fuzzPlan(entries, level))
			if err != nil {
				t.Fatal(err)
			}
			if (len(why) == 0) != bytes.Equal(edited, text) && level == NetworkConservative {
				t.Fatalf("conservative changes %q to %q", text, edited)
			}
			entries, _ := ifupdownNet{}.read(interfacesFile, edited)
			again, _, err := ifupdownNet{}.edit(interfacesFile, edited, fuzzPlan(entries, level))
			if err != nil || !bytes.Equal(again, edited) {
				t.Fatalf("a second edit changes %q to %q", edited, again)
			}
		}
	})
}

// FuzzNameRules: a rule that is written is read as it was meant, and other lines stay.
func FuzzNameRules(f *testing.F) {
	addNetworkSeeds(f, "etc/udev/rules.d/70-persistent-net.rules")
	f.Fuzz(func(t *testing.T, text []byte) {
		pins := parseNameRules(rulesFile, text)
		edits := map[int]ruleEdit{}
		for _, p := range pins {
			edits[p.line] = ruleEdit{name: p.name, mac: "00:50:56:aa:bb:01", why: "x"}
		}
		edited, _ := editRules(string(text), edits, nil)
		after := parseNameRules(rulesFile, []byte(edited))
		if len(after) != len(pins) || strings.Count(edited, "\n") != strings.Count(string(text), "\n") {
			t.Fatalf("%d rules become %d:\n%q\n%q", len(pins), len(after), text, edited)
		}
		for i, p := range after {
			if p.name != pins[i].name || p.mac != "00:50:56:aa:bb:01" {
				t.Fatalf("rule %+v, was %+v", p, pins[i])
			}
		}
	})
}

// FuzzINI: a file that is parsed and written is the same, and what is added is found.
func FuzzINI(f *testing.F) {
	addNetworkSeeds(f, "etc/systemd/network/*")
	addNetworkSeeds(f, "etc/NetworkManager/system-connections/*")
	f.Fuzz(func(t *testing.T, text []byte) {
		file := parseINI(text)
		if !bytes.Equal(file.bytes(), text) {
			t.Fatalf("%q becomes %q", text, file.bytes())
		}
		had := file.has("Match", "")
		file.rewrite("Match", "MACAddress", func(string) (string, bool) { return "x", true })
		file.add("Match", "Driver", "y")
		again := parseINI(file.bytes())
		if !again.has("Match", "Driver") || had && len(again.lines) != len(file.lines) {
			t.Fatalf("%q becomes %q", text, file.bytes())
		}
		for _, v := range again.all("Match", "MACAddress") {
			if v != "x" {
				t.Fatalf("%q becomes %q", text, file.bytes())
			}
		}
	})
}
