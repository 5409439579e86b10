package ovf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hyper2kvm/internal/machine"
)

// MaxSystems bounds the virtual systems of one package.
const MaxSystems = 256

// systems reads the virtual systems below an element, those inside collections too. The scope is the path of elements whose
// properties they see; its length is bounded by the tree's depth.
func (rd *reader) systems(at *element, scope []*element) error {
	for _, e := range at.children {
		switch {
		case strings.EqualFold(e.name, "VirtualSystem"):
			if len(rd.p.Systems) >= MaxSystems {
				return fmt.Errorf("%w: more than %d virtual systems", machine.ErrLimit, MaxSystems)
			}
			m, err := rd.system(e, append(scope, e))
			if err != nil {
				return fmt.Errorf("system %s: %w", machine.Quote(e.attr("id")), err)
			}
			rd.p.Systems = append(rd.p.Systems, m)
		case strings.EqualFold(e.name, "VirtualSystemCollection"):
			if err := rd.systems(e, append(scope, e)); err != nil {
				return err
			}
		}
	}
	return nil
}

// system reads one virtual system.
func (rd *reader) system(e *element, scope []*element) (machine.Machine, error) {
	m := machine.Machine{ID: e.attr("id"), Disks: []machine.Disk{}, NICs: []machine.NIC{}}
	hardware := rd.hardwareSection(e)
	vbox := e.first("Machine")
	m.Name = firstOf(e.value("Name"), hardware.first("System").value("VirtualSystemIdentifier"), m.ID)
	if system := e.first("OperatingSystemSection"); system != nil {
		m.OSType = firstOf(system.attr("osType"), system.value("OSType"), system.attr("id"))
	}
	if hardware != nil {
		if err := rd.hardware(&m, hardware, scope); err != nil {
			return m, err
		}
	}
	if vbox != nil {
		virtualBox(&m, vbox)
	}
	return m, nil
}

// hardwareSection chooses among several VirtualHardwareSections, which describe the same system for different hypervisors:
// the first that has items.
func (rd *reader) hardwareSection(e *element) *element {
	var chosen *element
	count := 0
	for h := range e.all("VirtualHardwareSection") {
		if !rd.applies(h) {
			continue
		}
		count++
		if chosen == nil || (!hasItems(chosen) && hasItems(h)) {
			chosen = h
		}
	}
	if count > 1 {
		rd.warn("system %s has %d hardware sections; taken is that for %s", machine.Quote(e.attr("id")), count,
			machine.Quote(chosen.first("System").value("VirtualSystemType")))
	}
	return chosen
}

// hasItems reports whether a hardware section lists any device.
func hasItems(h *element) bool {
	return slices.ContainsFunc(h.children, isItem)
}

// isItem reports whether an element describes a device: OVF 2 has three kinds of them.
func isItem(e *element) bool {
	return strings.EqualFold(e.name, "Item") || strings.EqualFold(e.name, "StorageItem") || strings.EqualFold(e.name, "EthernetPortItem")
}

// firstOf returns the first string that is not empty.
func firstOf(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}

// virtualBox takes over what only VirtualBox's own machine element says: firmware and the cards' MAC addresses.
func virtualBox(m *machine.Machine, vbox *element) {
	hardware := vbox.first("Hardware")
	if hardware == nil {
		return
	}
	if m.Firmware == machine.FirmwareUnknown {
		m.Firmware = machine.FirmwareBIOS // VirtualBox writes the element for EFI only
		if f := hardware.first("Firmware"); f != nil && strings.HasPrefix(strings.ToUpper(f.attr("type")), "EFI") {
			m.Firmware = machine.FirmwareUEFI
		}
	}
	for _, holder := range []*element{hardware, hardware.first("Firmware"), hardware.first("BIOS"), hardware.first("BIOS", "NVRAM")} {
		if holder.first("SecureBoot") != nil {
			m.SecureBoot = isTrue(holder.first("SecureBoot").attr("enabled"))
		}
	}
	var macs []string
	for a := range hardware.first("Network").all("Adapter") {
		if isTrue(a.attr("enabled")) {
			macs = append(macs, machine.NormalMAC(a.attr("MACAddress")))
		}
	}
	if len(macs) != len(m.NICs) {
		return // which is which cannot be told
	}
	for i := range m.NICs {
		if m.NICs[i].MAC == "" {
			m.NICs[i].MAC = macs[i]
		}
	}
}

// number reads a small decimal number; -1 if s is none.
func number(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}
