package vmx

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"hyper2kvm/internal/machine"
)

// What a machine may be said to have at most; VMware's own limits are lower.
const (
	maxCPUs      = 4096
	maxMemoryMiB = 64 << 20
	maxSlot      = 1 << 16
)

// diskKey and nicKey match the keys that make a device. VMware has 4 controllers a bus, 64 addresses and 10 cards.
var (
	diskKey = regexp.MustCompile(`^(ide|scsi|sata|nvme)(\d{1,2}):(\d{1,3})\.filename$`)
	nicKey  = regexp.MustCompile(`^ethernet(\d{1,2})\.`)
)

// machine reads the settings that carry over.
func (s settings) machine() (*machine.Machine, error) {
	for _, key := range []string{"encryption.keysafe", "encryption.data"} {
		if s[key] != "" {
			return nil, fmt.Errorf("%w: the machine is encrypted (%s); decrypt it in VMware first", machine.ErrUnsupported, key)
		}
	}
	m := &machine.Machine{
		Name: s["displayname"], ID: s["uuid.bios"], OSType: s["guestos"],
		Firmware: machine.FirmwareBIOS, // what VMware gives a machine that does not say
		CPUs:     1,                    // likewise
		Disks:    []machine.Disk{}, NICs: []machine.NIC{},
	}
	if n := s.number("numvcpus", maxCPUs); n > 0 {
		m.CPUs = int(n)
	}
	if cores := int(s.number("cpuid.corespersocket", maxCPUs)); cores > 0 && m.CPUs%cores == 0 {
		m.Sockets = m.CPUs / cores
	}
	if n := s.number("memsize", maxMemoryMiB); n > 0 {
		m.MemoryMiB = n
	}
	switch f := strings.ToLower(s["firmware"]); f {
	case "efi":
		m.Firmware = machine.FirmwareUEFI
		m.SecureBoot = s.isTrue("uefi.secureboot.enabled")
	case "", "bios":
	default:
		m.Firmware = machine.FirmwareUnknown
		m.Notes = append(m.Notes, fmt.Sprintf("firmware %s is unknown; what the disks show decides", machine.Quote(f)))
	}
	if err := s.disks(m); err != nil {
		return nil, err
	}
	s.nics(m)
	for _, device := range []string{"sound", "usb", "usb_xhci", "floppy0", "serial0", "parallel0", "vtpm"} {
		if s.isTrue(device + ".present") {
			m.Notes = append(m.Notes, fmt.Sprintf("device %s is left out", device))
		}
	}
	return m, nil
}

// disks reads the disks of all controllers. Two disks with one file are refused: their data would be doubled, or one lost.
func (s settings) disks(m *machine.Machine) error {
	byFile := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(s)) {
		at := diskKey.FindStringSubmatch(key)
		if at == nil {
			continue
		}
		device := strings.TrimSuffix(key, ".filename")
		controller := at[1] + at[2]
		if !s.isTrue(device+".present") || s.isFalse(controller+".present") {
			continue
		}
		file := s[key]
		switch t := strings.ToLower(s[device+".devicetype"]); {
		case strings.Contains(t, "cdrom"):
			if strings.HasSuffix(strings.ToLower(file), ".iso") {
				m.Notes = append(m.Notes, fmt.Sprintf("CD drive with %s is left out", machine.Quote(file)))
			}
			continue
		case strings.Contains(t, "passthru"):
			m.Notes = append(m.Notes, fmt.Sprintf("device %s passes a host's device through and is left out", device))
			continue
		}
		name, moved, err := diskFile(file)
		if err != nil {
			return fmt.Errorf("%s: %w", device, err)
		}
		if other := byFile[name]; other != "" {
			return fmt.Errorf("%w: %s and %s have the same file %s; put the disks of several datastores under different names",
				machine.ErrDescriptor, other, device, machine.Quote(name))
		}
		byFile[name] = device
		if moved {
			m.Notes = append(m.Notes, fmt.Sprintf("disk %s is stated as %s; it is looked for beside the description", device, machine.Quote(file)))
		}
		d := machine.Disk{ID: device, File: name, Bus: machine.Bus(at[1]), Model: s[controller+".virtualdev"]}
		d.Controller, _ = strconv.Atoi(at[2]) // two digits at most
		d.Unit, _ = strconv.Atoi(at[3])
		m.Disks = append(m.Disks, d)
	}
	machine.SortDisks(m.Disks)
	return nil
}

// diskFile returns the name of a disk's file relative to the description. A disk on another datastore or drive is stated with
// an absolute path of that host; here it can only lie beside the description, under its own name, which moved tells.
func diskFile(file string) (name string, moved bool, err error) {
	name = strings.ReplaceAll(file, `\`, "/")
	drive := len(name) > 2 && name[1] == ':' && name[2] == '/'
	if strings.HasPrefix(name, "/") || drive {
		name, moved = name[strings.LastIndexByte(name, '/')+1:], true
	}
	name, err = machine.RelativeName(name)
	return name, moved, err
}

// nics reads the network cards in the order of their numbers.
func (s settings) nics(m *machine.Machine) {
	numbers := map[int]string{}
	for key := range s {
		if at := nicKey.FindStringSubmatch(key); at != nil {
			n, _ := strconv.Atoi(at[1]) // two digits at most
			numbers[n] = "ethernet" + at[1]
		}
	}
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		device := numbers[n]
		if !s.isTrue(device + ".present") {
			continue
		}
		nic := machine.NIC{Name: device, Model: s[device+".virtualdev"], Network: s[device+".networkname"]}
		if nic.Network == "" {
			nic.Network = s[device+".connectiontype"] // nat, bridged, hostonly: what the desktop products say instead
		}
		static, generated := machine.NormalMAC(s[device+".address"]), machine.NormalMAC(s[device+".generatedaddress"])
		first, second := static, generated
		if t := strings.ToLower(s[device+".addresstype"]); t == "generated" || t == "vpx" {
			first, second = generated, static
		}
		nic.MAC = first
		if nic.MAC == "" {
			nic.MAC = second
		}
		nic.Slot = int(max(s.number(device+".pcislotnumber", maxSlot), 0))
		m.NICs = append(m.NICs, nic)
	}
}
