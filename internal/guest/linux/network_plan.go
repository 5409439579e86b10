package linux

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// virtualNICDrivers are the kernel drivers of the cards that a converted VM may have: virtio, and Intel's where virtio is not proved.
var virtualNICDrivers = []string{"virtio_net", "e1000e", "e1000"}

// sourceNICDrivers are drivers and device names of other hypervisors' cards, as configuration files name them.
var sourceNICDrivers = []string{"vmxnet", "vmxnet2", "vmxnet3", "vlance", "pcnet32", "hv_netvsc", "netvsc", "xen_netfront", "xen-netfront"}

// netPlan says which card of the VM belongs to which configured interface.
type netPlan struct {
	level    string
	kernel   bool // cards are called eth0, eth1
	nics     []guest.NIC
	subjects []netSubject    // in natural order of their names
	taken    []bool          // by index into nics: an interface or a rule has the card
	members  map[string]bool // names that a bond, bridge or VLAN takes
	named    map[string]bool // names that a rule, a .link file or the configuration gives, whatever they look like
	// entryNames are the interfaces that some file configures.
	entryNames map[string]bool
	warnings   []guest.Warning
}

// netSubject is a card as the guest's files speak of it: by a name, or by a MAC alone.
type netSubject struct {
	name string   // "" where the files know the card by its MAC only
	macs []string // that the files state for it
	nic  int      // index into nics, -1 = not known
	how  string   // evidence, for people
}

// newNetPlan weighs the evidence: a MAC that is in the files and in the VM, then VMware's slot number, then that only one of each is
// left, and last the order where the counts agree, with a warning.
func newNetPlan(scene netScene, o Options) netPlan {
	p := netPlan{
		level: o.Network, kernel: scene.naming.kernel, nics: slices.Clone(o.NICs),
		members: map[string]bool{}, named: map[string]bool{}, entryNames: map[string]bool{},
	}
	for i := range p.nics {
		p.nics[i].MAC = normalMAC(p.nics[i].MAC)
	}
	p.subjects = netSubjects(scene)
	p.addSlotSubjects(scene)
	for _, e := range scene.entries {
		p.entryNames[e.Name] = p.entryNames[e.Name] || !e.bare
		p.named[e.Name] = p.named[e.Name] || e.renames
		for _, m := range e.members {
			p.members[m] = true
		}
	}
	for _, pin := range scene.pins {
		p.named[pin.name] = true
	}
	if len(p.nics) == 0 && len(p.subjects) == 1 {
		p.nics = []guest.NIC{{}} // nothing is known of the VM's cards: a guest that configures one has one
	}
	p.taken = make([]bool, len(p.nics))
	p.assignByMAC(scene.pins)
	p.assignBySlot()
	p.assignRest()
	return p
}

// netSubjects collects the cards that the files speak of.
func netSubjects(scene netScene) []netSubject {
	virtual := map[string]bool{}
	for _, e := range scene.entries {
		if e.virtual {
			virtual[e.Name] = true
		}
	}
	var list []netSubject
	add := func(name, mac string) {
		if name != "" && (virtual[name] || !cardName(name)) || name == "" && mac == "" {
			return
		}
		i := slices.IndexFunc(list, func(s netSubject) bool {
			return name != "" && s.name == name || name == "" && slices.Contains(s.macs, mac)
		})
		if i < 0 {
			i, list = len(list), append(list, netSubject{name: name, nic: -1})
		}
		if mac != "" && !slices.Contains(list[i].macs, mac) {
			list[i].macs = append(list[i].macs, mac)
		}
	}
	for _, e := range scene.entries {
		for _, m := range e.members {
			add(m, "")
		}
		if !e.virtual && !e.pattern && e.Name != "" {
			add(e.Name, e.MAC)
		}
	}
	for _, pin := range scene.pins {
		if slices.ContainsFunc(list, func(s netSubject) bool { return s.name == pin.name }) {
			add(pin.name, pin.mac)
		}
	}
	for _, e := range scene.entries { // those without a name last: their MAC may be known by then
		if !e.virtual && (e.pattern || e.Name == "") {
			add("", e.MAC)
		}
	}
	slices.SortStableFunc(list, func(a, b netSubject) int { return compareNatural(a.name, b.name) })
	return list
}

// addSlotSubjects adds the names that the VM's cards had by their slots, where only a pattern such as ens* speaks of them and would not
// fit the names that they get on KVM, or no file that is known speaks of any card, as with netctl or Gentoo's.
func (p *netPlan) addSlotSubjects(scene netScene) {
	silent := !slices.ContainsFunc(scene.entries, func(e netEntry) bool { return !e.virtual })
	for _, nic := range p.nics {
		name := slotName(nic.Slot)
		if name == "" || scene.naming.kernel || slices.ContainsFunc(p.subjects, func(s netSubject) bool { return s.name == name }) {
			continue
		}
		if silent || slices.ContainsFunc(scene.entries, func(e netEntry) bool {
			return e.pattern && !e.virtual && e.MAC == "" && !e.matchesOnKVM() &&
				slices.ContainsFunc(strings.Fields(e.Name), func(p string) bool { return patternMatches(p, name) })
		}) {
			p.subjects = append(p.subjects, netSubject{name: name, nic: -1})
		}
	}
	slices.SortStableFunc(p.subjects, func(a, b netSubject) int { return compareNatural(a.name, b.name) })
}

func (p *netPlan) assign(s *netSubject, nic int, how string) {
	s.nic, s.how = nic, how
	p.taken[nic] = true
}

// assignByMAC takes what gives names now before what asks for them.
func (p *netPlan) assignByMAC(pins []namePin) {
	for i, nic := range p.nics {
		for _, pin := range pins {
			if nic.MAC == "" || pin.mac != nic.MAC || p.taken[i] {
				continue
			}
			p.assignWhere(i, func(s *netSubject) bool { return s.name == pin.name })
			p.taken[i] = true // even where nothing configures that name
		}
	}
	for i, nic := range p.nics {
		if nic.MAC != "" && !p.taken[i] {
			p.assignWhere(i, func(s *netSubject) bool { return slices.Contains(s.macs, nic.MAC) })
		}
	}
}

// assignWhere gives a card, whose MAC the files state, to the first interface that has none.
func (p *netPlan) assignWhere(nic int, is func(s *netSubject) bool) {
	for j := range p.subjects {
		if s := &p.subjects[j]; s.nic < 0 && is(s) {
			p.assign(s, nic, "its MAC "+p.nics[nic].MAC+" is in the guest's files")
			return
		}
	}
}

func (p *netPlan) assignBySlot() {
	for i, nic := range p.nics {
		name := slotName(nic.Slot)
		for j := range p.subjects {
			if s := &p.subjects[j]; name != "" && s.name == name && s.nic < 0 && !p.taken[i] && p.tellable(i) {
				p.assign(s, i, fmt.Sprintf("VMware's slot %d is %s", nic.Slot, name))
			}
		}
	}
}

func (p *netPlan) assignRest() {
	var rest, free []int
	for j, s := range p.subjects {
		if s.nic < 0 {
			rest = append(rest, j)
		}
	}
	for i, taken := range p.taken {
		if !taken {
			free = append(free, i)
		}
	}
	if len(rest) > len(free) {
		rest = p.likely(rest)
	}
	names := p.names(rest)
	warn := func(format string, args ...any) {
		p.warnings = append(p.warnings, guest.Warning{Message: fmt.Sprintf(format, args...), Hint: nicsHint})
	}
	switch {
	case len(rest) == 0 || len(free) == 0 && len(p.nics) > 0:
	case len(rest) == 1 && len(free) == 1 && p.tellable(free[0]):
		p.assign(&p.subjects[rest[0]], free[0], "one card and one configured interface are left")
	case len(rest) == len(free) && !slices.Contains(names, "") && p.allMACs(free):
		if p.kernel && !slices.ContainsFunc(free, func(i int) bool { return slotName(p.nics[i].Slot) == "" }) {
			slices.SortStableFunc(free, func(a, b int) int { return compareSlots(p.nics[a].Slot, p.nics[b].Slot) })
		}
		for k, j := range rest {
			p.assign(&p.subjects[j], free[k], "by order")
		}
		warn("interfaces %s are matched with the cards by their order alone", strings.Join(names, ", "))
	case !p.allMACs(free) || len(p.nics) == 0:
		warn("interfaces %s keep no fixed name: the MACs of the VM's cards are not known", strings.Join(sayNames(names), ", "))
	default:
		warn("which of the VM's %d cards is which of %s is not known", len(free), strings.Join(sayNames(names), ", "))
	}
}

// likely leaves out what can be no card, such as a tunnel that a command of ifup makes, or a file that the installer left before the
// guest went back to eth0. Where nothing would be left, all are.
func (p *netPlan) likely(subjects []int) []int {
	var kept []int
	for _, j := range subjects {
		s := p.subjects[j]
		if len(s.macs) > 0 || p.named[s.name] || p.kernel && kernelName.MatchString(s.name) || !p.kernel && wiredName.MatchString(s.name) {
			kept = append(kept, j)
		}
	}
	if len(kept) == 0 {
		return subjects
	}
	return kept
}

// nicsHint says what to write so that nothing has to be guessed.
const nicsHint = "write the cards' MACs into the job, in their order at the source: nics: [{mac: 00:50:56:aa:bb:01}, {mac: 00:50:56:aa:bb:02}]"

func (p *netPlan) names(subjects []int) []string {
	var names []string
	for _, j := range subjects {
		names = append(names, p.subjects[j].name)
	}
	return names
}

// tellable reports whether something in the guest can tell the card from the others: its MAC is known, or it is the only one.
func (p *netPlan) tellable(nic int) bool { return p.nics[nic].MAC != "" || len(p.nics) == 1 }

func (p *netPlan) allMACs(nics []int) bool {
	return !slices.ContainsFunc(nics, func(i int) bool { return p.nics[i].MAC == "" })
}

// sayNames puts a word in the place of cards that the files know by a MAC alone.
func sayNames(names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, cmp.Or(n, "(known by a MAC)"))
	}
	return out
}

// has reports whether a card of the VM has the MAC.
func (p *netPlan) has(mac string) bool {
	return mac != "" && slices.ContainsFunc(p.nics, func(n guest.NIC) bool { return n.MAC == mac })
}

// fate says what becomes of a MAC that a file pins for the interface called name ("" = by this MAC alone).
func (p *netPlan) fate(name, mac string) (fate macFate, with string) {
	if p.level == NetworkConservative || mac == "" || p.has(mac) {
		return macStays, ""
	}
	i := slices.IndexFunc(p.subjects, func(s netSubject) bool { return name != "" && s.name == name })
	if i < 0 { // another's name does not count: files may give one MAC to two names
		i = slices.IndexFunc(p.subjects, func(s netSubject) bool { return (name == "" || s.name == "") && slices.Contains(s.macs, mac) })
	}
	if i >= 0 && p.subjects[i].nic >= 0 {
		s := p.subjects[i]
		if with := p.nics[s.nic].MAC; with != "" {
			return macChanges, with
		}
		return macGoes, ""
	}
	return macStays, ""
}

// macFate is what becomes of a MAC in a file.
type macFate int

const (
	macStays   macFate = iota // it is right, or nothing better is known
	macChanges                // the card's MAC takes its place
	macGoes                   // the VM's card has another that is not known
)

func (f macFate) why(mac, with string) string {
	if f == macGoes {
		return "the VM has no card with the MAC " + mac
	}
	return "the VM's card has the MAC " + with + ", not " + mac
}

// wantsDHCP reports whether an interface that has neither static addresses nor DHCP shall get DHCP.
func (p *netPlan) wantsDHCP(e netEntry) bool {
	return p.level == NetworkAggressive && !e.virtual && !e.Static && !e.dhcp && e.Name != "lo" && !p.members[e.Name] && (e.Name == "" || e.pattern || cardName(e.Name))
}

// configured reports whether some file already configures the interface of that name.
func (p *netPlan) configured(name string) bool { return p.entryNames[name] }
