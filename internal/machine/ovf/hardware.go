package ovf

import (
	"fmt"
	"strings"

	"hyper2kvm/internal/machine"
)

// Resource types of CIM_ResourceAllocationSettingData (DSP1041) that carry over.
const (
	typeCPU       = 3
	typeMemory    = 4
	typeIDE       = 5
	typeSCSI      = 6
	typeEthernet  = 10
	typeFloppy    = 14
	typeCD        = 15
	typeDVD       = 16
	typeDisk      = 17
	typeExtent    = 19 // storage extent: what XenServer calls a disk
	typeOtherDisk = 20 // "other storage device": AHCI and NVMe controllers
	typeUSB       = 23
	typeGraphics  = 24
	typeLogical   = 31 // logical disk
)

// Limits of what a machine may be said to have; more is a mistake or an attack. The largest hypervisors stop below.
const (
	maxCPUs      = 4096
	maxMemory    = 64 << 40 // bytes
	maxDevices   = 4096     // disks and network cards of one system
	maxNotes     = 100
	mebibyte     = 1 << 20
	unitsForever = 1 << 20 // addresses on a controller
)

// item is a device of a hardware section, its elements read.
type item struct {
	e                             *element
	id, parent, subtype, hostFile string
	kind, unit                    int
}

// controller is a disk controller that drives hang on.
type controller struct {
	bus    machine.Bus
	number int
	model  string
	next   int // the address for a drive that names none
}

// hardware reads a hardware section into m.
func (rd *reader) hardware(m *machine.Machine, h *element, scope []*element) error {
	items, err := rd.items(h)
	if err != nil {
		return err
	}
	controllers := readControllers(items)
	for _, it := range items {
		switch it.kind {
		case typeCPU:
			rd.cpu(m, it)
		case typeMemory:
			rd.memory(m, it)
		case typeEthernet:
			m.NICs = append(m.NICs, nic(it))
		case typeDisk, typeExtent, typeLogical:
			err = rd.drive(m, it, controllers, scope)
		case typeCD, typeDVD:
			if it.hostFile != "" {
				note(m, "CD drive with %s is left out", machine.Quote(it.hostFile))
			}
		case typeFloppy, typeIDE, typeSCSI, typeOtherDisk:
		default:
			if s := firstOf(it.subtype, it.e.value("ElementName"), it.e.value("Caption")); s != "" && it.kind != typeGraphics && it.kind != typeUSB {
				note(m, "device %s is left out", machine.Quote(s))
			}
		}
		if err != nil {
			return err
		}
	}
	machine.SortDisks(m.Disks)
	rd.vmware(m, h)
	return nil
}

// items returns the devices that belong to the deployment option taken. Of several with one InstanceID the one that names the
// option wins over the one that is for all (DSP0243 9.8). Ranges (bound min and max) are no devices.
func (rd *reader) items(h *element) ([]item, error) {
	var items []item
	at := map[string]int{}
	for _, e := range h.children {
		if !isItem(e) || !rd.applies(e) {
			continue
		}
		if b := strings.ToLower(e.attr("bound")); b == "min" || b == "max" {
			continue
		}
		it := item{
			e: e, id: e.value("InstanceID"), parent: e.value("Parent"), subtype: e.value("ResourceSubType"),
			hostFile: e.value("HostResource"), kind: number(e.value("ResourceType")), unit: number(e.value("AddressOnParent")),
		}
		i, twice := at[it.id]
		switch {
		case !twice || it.id == "":
			at[it.id] = len(items)
			items = append(items, it)
		case e.attr("configuration") != "" && items[i].e.attr("configuration") == "":
			items[i] = it
		case e.attr("configuration") == "" && items[i].e.attr("configuration") != "":
		default:
			return nil, fmt.Errorf("%w: line %d: two devices have the InstanceID %s", machine.ErrDescriptor, e.line, machine.Quote(it.id))
		}
	}
	if len(items) > maxDevices {
		return nil, fmt.Errorf("%w: the system has %d devices, the most is %d", machine.ErrLimit, len(items), maxDevices)
	}
	return items, nil
}

// readControllers finds the disk controllers by InstanceID. Their numbers are their stated addresses where these are there
// and differ on each bus, else the order of the items.
func readControllers(items []item) map[string]*controller {
	found := map[string]*controller{}
	byBus := map[machine.Bus][]*controller{}
	stated := map[*controller]int{}
	for _, it := range items {
		c := &controller{model: it.subtype}
		switch lower := strings.ToLower(it.subtype); {
		case it.kind == typeIDE:
			c.bus = machine.BusIDE
		case it.kind == typeSCSI && lower == "virtio":
			c.bus = machine.BusVirtio
		case it.kind == typeSCSI:
			c.bus = machine.BusSCSI
		case it.kind == typeOtherDisk && strings.Contains(lower, "nvme"):
			c.bus = machine.BusNVMe
		case it.kind == typeOtherDisk && strings.Contains(lower, "nvdimm"):
			continue
		case it.kind == typeOtherDisk:
			c.bus = machine.BusSATA
		default:
			continue
		}
		found[it.id] = c
		byBus[c.bus] = append(byBus[c.bus], c)
		stated[c] = number(firstOf(it.e.value("Address"), it.e.value("BusNumber")))
	}
	for _, list := range byBus {
		seen := map[int]bool{}
		for i, c := range list {
			n := stated[c]
			if n < 0 || n >= maxDevices || seen[n] {
				for i := range list {
					list[i].number = i
				}
				break
			}
			seen[n] = true
			list[i].number = n
		}
	}
	return found
}

// cpu reads a processor item.
func (rd *reader) cpu(m *machine.Machine, it item) {
	n := number(it.e.value("VirtualQuantity"))
	if n < 0 || n > maxCPUs {
		if s := it.e.value("VirtualQuantity"); s != "" {
			rd.warn("line %d: %s processors is no possible number; the default is used", it.e.line, machine.Quote(s))
		}
		return
	}
	m.CPUs = n
	m.Sockets = 0
	if cores := number(it.e.value("CoresPerSocket")); cores > 0 && n%cores == 0 {
		m.Sockets = n / cores
	}
}

// memory reads a memory item. Without units it counts in MiB, as VMware and VirtualBox do.
func (rd *reader) memory(m *machine.Machine, it item) {
	if strings.Contains(strings.ToLower(it.subtype), "nvdimm") {
		return
	}
	quantity := it.e.value("VirtualQuantity")
	if quantity == "" {
		return
	}
	n, err := parseQuantity("memory", quantity, it.e.value("AllocationUnits"), mebibyte, maxMemory)
	if err != nil {
		rd.warn("line %d: %v; the default is used", it.e.line, err)
		return
	}
	m.MemoryMiB = n / mebibyte
}

// nic reads a network card.
func nic(it item) machine.NIC {
	n := machine.NIC{
		Name: it.e.value("ElementName"), Network: it.e.value("Connection"), Model: it.subtype,
		MAC: machine.NormalMAC(it.e.value("Address")),
	}
	if n.Name == "" {
		n.Name = it.e.value("Caption")
	}
	// Several models may be offered in order of preference: "VMXNET3 virtio".
	if models := strings.Fields(n.Model); len(models) > 0 {
		n.Model = models[0]
	}
	for c := range it.e.all("Config") {
		if strings.EqualFold(c.attr("key"), "slotInfo.pciSlotNumber") {
			n.Slot = max(number(c.attr("value")), 0)
		}
	}
	return n
}

// drive reads a disk drive.
func (rd *reader) drive(m *machine.Machine, it item, controllers map[string]*controller, scope []*element) error {
	name := machine.Quote(firstOf(it.e.value("ElementName"), it.e.value("Caption"), it.id))
	if strings.Contains(strings.ToLower(it.subtype), "nvdimm") {
		note(m, "NVDIMM %s is left out", name)
		return nil
	}
	if it.hostFile == "" {
		note(m, "drive %s has no disk in it and is left out", name)
		return nil
	}
	d, err := rd.disk(it.hostFile, scope)
	if err != nil {
		return fmt.Errorf("drive %s: %w", name, err)
	}
	c := controllers[it.parent]
	if c == nil {
		c = &controller{}
		if it.parent != "" {
			rd.warn("drive %s hangs on device %s, which is no disk controller", name, machine.Quote(it.parent))
		}
	}
	d.Bus, d.Controller, d.Model, d.Unit = c.bus, c.number, c.model, it.unit
	if d.Unit < 0 || d.Unit >= unitsForever {
		d.Unit = c.next
	}
	c.next = d.Unit + 1
	m.Disks = append(m.Disks, d)
	return nil
}

// vmware takes over the settings that VMware adds to a hardware section.
func (rd *reader) vmware(m *machine.Machine, h *element) {
	for c := range h.all("Config") {
		if !rd.applies(c) {
			continue
		}
		switch strings.ToLower(c.attr("key")) {
		case "firmware":
			switch v := strings.ToLower(c.attr("value")); v {
			case "efi":
				m.Firmware = machine.FirmwareUEFI
			case "bios":
				m.Firmware = machine.FirmwareBIOS
			default:
				rd.warn("firmware %s is unknown; what the disks show decides", machine.Quote(v))
			}
		case "bootoptions.efisecurebootenabled":
			m.SecureBoot = isTrue(c.attr("value"))
		}
	}
}

// note adds a line on what is not carried over.
func note(m *machine.Machine, format string, args ...any) {
	if len(m.Notes) < maxNotes {
		m.Notes = append(m.Notes, fmt.Sprintf(format, args...))
	}
}
