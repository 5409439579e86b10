package domxml

import (
	"strings"

	"hyper2kvm/internal/machine"
)

// size sets processors and memory.
func (d *Domain) size(m machine.Machine, o Options) {
	d.xml.CPU.Mode = "host-model"
	d.xml.VCPU = m.CPUs
	if m.CPUs <= 0 {
		d.xml.VCPU = DefaultCPUs
		d.warn("the number of processors is not known; the default of %d is set", DefaultCPUs)
	}
	if m.Sockets > 0 && d.xml.VCPU%m.Sockets == 0 {
		d.xml.CPU.Topology = &topologyXML{Sockets: m.Sockets, Cores: d.xml.VCPU / m.Sockets, Threads: 1}
	}
	d.xml.Memory = memoryXML{Unit: "MiB", MiB: m.MemoryMiB}
	if m.MemoryMiB <= 0 {
		d.xml.Memory.MiB = DefaultMemoryMiB
		if o.Windows {
			d.xml.Memory.MiB = DefaultWindowsMemoryMiB
		}
		d.warn("the memory size is not known; the default of %d MiB is set", d.xml.Memory.MiB)
	}
}

// firmware sets how the domain starts. libvirt picks the files of the host's OVMF by the features; the NVRAM starts empty, so
// the guest is found through its removable path or first through its own entry.
func (d *Domain) firmware(m machine.Machine) {
	d.xml.OS.Type = osTypeXML{Arch: "x86_64", Machine: "q35", Value: "hvm"}
	switch m.Firmware {
	case machine.FirmwareUEFI:
		d.xml.OS.Firmware = "efi"
		if m.SecureBoot {
			d.xml.OS.Features = &osFirmware{Features: []firmwareFeature{{"yes", "secure-boot"}, {"yes", "enrolled-keys"}}}
			d.xml.OS.Loader = &loaderXML{Secure: "yes"}
			d.xml.Features.SMM = &stateXML{State: "on"} // OVMF protects its variables with it
			return
		}
		// Without enrolled keys Secure Boot is not enforced, whatever build of OVMF the host has.
		d.xml.OS.Features = &osFirmware{Features: []firmwareFeature{{"no", "enrolled-keys"}}}
	case machine.FirmwareUnknown:
		d.warn("the firmware is not known; BIOS is set")
	}
}

// clock sets the clock, and for Windows what QEMU offers it to keep time and idle well.
func (d *Domain) clock(o Options) {
	if !o.Windows {
		d.xml.Clock.Offset = "utc"
		return
	}
	d.xml.Clock = clockXML{Offset: "localtime", Timers: []timerXML{
		{Name: "rtc", TickPolicy: "catchup"}, {Name: "pit", TickPolicy: "delay"}, {Name: "hpet", Present: "no"}, {Name: "hypervclock", Present: "yes"},
	}}
	d.xml.Features.HyperV = &hyperVXML{
		Mode: "custom", Relaxed: stateXML{State: "on"}, VAPIC: stateXML{State: "on"},
		Spinlocks: stateXML{State: "on", Retries: 8191},
	}
}

// common adds the devices that every domain gets. The virtio ones are of use where the guest has drivers and harmless elsewhere.
func (d *Domain) common() {
	v := &d.xml.Devices
	v.Serial, v.Console = ptyXML{Type: "pty"}, ptyXML{Type: "pty"}
	v.Channel = channelXML{Type: "unix", Target: channelTargetXML{Type: "virtio", Name: "org.qemu.guest_agent.0"}}
	v.Input = inputXML{Type: "tablet", Bus: "usb"}
	v.Graphics = graphicsXML{Type: "vnc", Port: -1, AutoPort: "yes", Listen: "127.0.0.1"}
	v.Video = videoXML{Model: modelXML{Type: "vga"}} // the one that every guest can show something on
	v.Balloon = balloonXML{Model: "virtio"}
	v.RNG = rngXML{Model: "virtio", Backend: backendXML{Model: "random", File: "/dev/urandom"}}
}

// nics adds the network cards in their order.
func (d *Domain) nics(m machine.Machine, o Options) {
	cards := m.NICs
	if len(cards) == 0 && o.AddNIC {
		cards = []machine.NIC{{}}
		d.warn("nothing describes the machine's network cards; it gets one with a new address")
	}
	for i, n := range cards {
		x := interfaceXML{Type: "network", Model: modelXML{Type: d.nicModel(i, n, o)}}
		switch mac := machine.NormalMAC(n.MAC); {
		case mac == "" && n.MAC == "":
		case mac == "" || strings.ContainsRune("13579bdf", rune(mac[1])):
			d.warn("network card %d: the address %s is not one of a card; it gets a new one", i+1, machine.Quote(n.MAC))
		default:
			x.MAC = &macXML{Address: mac}
		}
		x.Source.Network = DefaultNetwork
		if to := o.network(n.Network); to != "" {
			x.Source.Network = strings.TrimPrefix(to, "network:")
			if bridge, ok := strings.CutPrefix(to, "bridge:"); ok {
				x.Type, x.Source = "bridge", interfaceFromXML{Bridge: bridge}
			}
		} else if n.Network != "" && n.Network != DefaultNetwork {
			d.warn("network card %d: the source's network %s is not mapped; it is connected to %q", i+1, machine.Quote(n.Network), DefaultNetwork)
		}
		d.xml.Devices.Interfaces = append(d.xml.Devices.Interfaces, x)
	}
}

// network returns what stands for a network of the source, "" if nothing does.
func (o Options) network(name string) string {
	if to := o.Networks[name]; to != "" {
		return to
	}
	return o.Networks[OtherNetworks]
}

// nicModel chooses the model of a network card.
func (d *Domain) nicModel(i int, n machine.NIC, o Options) string {
	source := strings.ToLower(n.Model)
	switch {
	case o.VirtioNet, strings.HasPrefix(source, "virtio"):
		return "virtio"
	case source == "e1000", source == "82540em", source == "82545em", source == "82543gc":
		return "e1000"
	case source == "e1000e", source == "82574l":
		return "e1000e"
	case source == "pcnet32", source == "vlance", strings.HasPrefix(source, "am79c97"):
		return "pcnet"
	case n.Model == "":
		d.warn("network card %d: its model is not known; it becomes e1000e", i+1)
	default:
		d.warn("network card %d: %s becomes e1000e, for virtio is not proved to work", i+1, machine.Quote(n.Model))
	}
	return "e1000e"
}
