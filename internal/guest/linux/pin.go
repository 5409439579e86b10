package linux

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// namePin is what gives a card a name at each start: a .link file of systemd-udevd, or a rule of udev.
type namePin struct {
	file   string
	line   int // of a udev rule, from 0; -1 = a .link file
	name   string
	mac    string // "" = the card is found by something else
	driver string
	kernel string // of a udev rule, what the card's name must be before it
}

// foreign reports whether a pin with the right MAC does not hold on KVM: a rule asks for another driver, or for the name that the
// kernel gives while the udev of an initramfs with virtio_net has changed that by then.
func (p namePin) foreign(n naming) bool {
	return p.line >= 0 && (p.driver != "" && !strings.Contains(p.driver, virtualNICDrivers[0]) || p.kernel != "" && !n.kernel)
}

// readNamePins reads them all. Those of packages are left out: they follow policies, not single cards.
func readNamePins(ctx context.Context, tree guest.FS) ([]namePin, error) {
	var pins []namePin
	links, err := netFiles(ctx, tree, linkDir, func(n string) bool { return path.Ext(n) == ".link" })
	if err != nil {
		return nil, err
	}
	for _, f := range links {
		text, err := tree.ReadFile(ctx, f)
		if err != nil {
			if netUnreadable(err) {
				continue
			}
			return nil, err
		}
		pins = append(pins, parseLink(f, text)...)
	}
	rules, err := netFiles(ctx, tree, rulesDir, func(n string) bool { return path.Ext(n) == ".rules" })
	if err != nil {
		return nil, err
	}
	for _, f := range rules {
		text, err := tree.ReadFile(ctx, f)
		if err != nil {
			if netUnreadable(err) {
				continue
			}
			return nil, err
		}
		pins = append(pins, parseNameRules(f, text)...)
	}
	return pins, nil
}

// nicNameFixer gives each card of the VM the name under which the guest configures it. KVM puts cards elsewhere on the bus, so that
// ens192 would be called enp1s0, and nothing of what is configured would apply.
type nicNameFixer struct{ o Options }

func (nicNameFixer) Name() string { return "interface-names" }

func (f nicNameFixer) Plan(ctx context.Context, _ guest.System, tree guest.FS) (guest.Proposal, error) {
	var p guest.Proposal
	scene, err := lookAtNetwork(ctx, tree)
	if err != nil {
		return p, err
	}
	plan := newNetPlan(scene, f.o)
	p.Warnings = append(p.Warnings, plan.warnings...)
	p.Warnings = append(p.Warnings, patternWarnings(scene, plan)...)
	edits := newRuleEdits(scene.pins)
	for _, s := range plan.subjects {
		if s.nic < 0 || s.name == "" || alreadyNamed(scene, plan, s) {
			continue
		}
		nic := plan.nics[s.nic]
		why := fmt.Sprintf("the card keeps the name %s on KVM: %s", s.name, s.how)
		switch old := edits.find(s.name); {
		case old != nil && scene.naming.rules && (!scene.naming.sysfs || old.mac != "" && nic.MAC != "" && !old.foreign(scene.naming)):
			edits.replace(*old, ruleEdit{name: s.name, mac: nic.MAC, anew: old.foreign(scene.naming), why: why})
		case scene.naming.kernel && s.name == fmt.Sprintf("eth%d", s.nic):
			// the kernel counts cards in the order of the VM's bus, which is theirs in the domain
		case scene.naming.links:
			c, ok, err := guest.Create(ctx, tree, linkFile(s.name), why, linkText(s.name, nic.MAC), 0o644)
			if err != nil {
				return p, err
			}
			if ok {
				p.Changes = append(p.Changes, c)
			}
		case scene.naming.rules && !scene.naming.sysfs:
			edits.add(s.name, nic.MAC, why)
		case scene.naming.sysfs && namedByHWADDR(scene, plan, s):
			// ifup of that time renames the card itself
		default:
			p.Warnings = append(p.Warnings, guest.Warning{
				Message: fmt.Sprintf("nothing in the guest gives names to network cards: %s may be called otherwise on KVM", s.name),
				Hint:    "after the first start compare `ip link` with the guest's network configuration",
			})
		}
	}
	edits.dropStale(plan)
	changes, err := edits.changes(ctx, tree)
	p.Changes = append(p.Changes, changes...)
	return p, err
}

// alreadyNamed reports whether a link or rule, or the configuration itself, gives the card of s its name.
func alreadyNamed(scene netScene, plan netPlan, s netSubject) bool {
	mac := plan.nics[s.nic].MAC
	for _, pin := range scene.pins {
		if fate, _ := plan.fate(pin.name, pin.mac); pin.line < 0 && pin.name == s.name && fate == macChanges {
			return true // the file gets the card's MAC with the others of networkd
		}
		if pin.name == s.name && !pin.foreign(scene.naming) && (mac != "" && pin.mac == mac || mac == "" && pin.mac == "" && strings.Contains(pin.driver, virtualNICDrivers[0])) {
			return true
		}
	}
	return slices.ContainsFunc(scene.entries, func(e netEntry) bool {
		return e.renames && e.Name == s.name && mac != "" && e.MAC == mac
	})
}

// namedByHWADDR reports whether Red Hat's file for the card says its MAC, or does so when that is changed with the others.
func namedByHWADDR(scene netScene, plan netPlan, s netSubject) bool {
	return slices.ContainsFunc(scene.entries, func(e netEntry) bool {
		fate, _ := plan.fate(e.Name, e.MAC)
		return path.Dir(e.File) == redHatIfcfg && e.Name == s.name && e.MAC != "" && (e.MAC == plan.nics[s.nic].MAC || fate == macChanges)
	})
}

// patternWarnings speaks of configurations for names such as ens*, that no card on KVM will have and that tell no name to keep.
func patternWarnings(scene netScene, plan netPlan) []guest.Warning {
	var warnings []guest.Warning
	for _, e := range scene.entries {
		if !e.pattern || e.MAC != "" || e.virtual || scene.naming.kernel {
			continue
		}
		if !slices.ContainsFunc(strings.Fields(e.Name), func(p string) bool { return strings.HasPrefix(p, "e") }) || e.matchesOnKVM() {
			continue // wl*, veth* and cali* never meant a wired card
		}
		if slices.ContainsFunc(plan.subjects, func(s netSubject) bool {
			return s.nic >= 0 && slices.ContainsFunc(strings.Fields(e.Name), func(p string) bool { return patternMatches(p, s.name) })
		}) {
			continue
		}
		warnings = append(warnings, guest.Warning{
			Message: fmt.Sprintf("%q configures cards called %q; on KVM they are called enp1s0, enp2s0 and so on", e.File, e.Name),
			Hint:    "make the pattern en* in the guest",
		})
	}
	return warnings
}

// matchesOnKVM reports whether one of the entry's patterns fits the names that systemd gives to cards there.
func (e netEntry) matchesOnKVM() bool {
	return slices.ContainsFunc(strings.Fields(e.Name), func(p string) bool { return patternMatches(p, "enp1s0") && patternMatches(p, "enp7s0") })
}

// patternMatches matches as a shell does; a pattern that is none matches nothing.
func patternMatches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
