package domxml

import (
	"strings"

	"hyper2kvm/internal/machine"
)

// Addresses that a controller of QEMU has.
const (
	idePlaces  = 4  // of the one controller of type pc: two channels of two drives
	sataPorts  = 6  // of an AHCI controller
	sasTargets = 8  // of a SAS1068
	pvTargets  = 64 // of a PVSCSI
)

// placement is where a disk goes: libvirt's bus, and for SCSI the controller's model.
type placement struct {
	bus, model string
}

// The placements in use.
var (
	onVirtio = placement{bus: "virtio"}
	onSATA   = placement{bus: "sata"}
	onIDE    = placement{bus: "ide"}
	onSAS    = placement{bus: "scsi", model: "lsisas1068"}
	onPVSCSI = placement{bus: "scsi", model: "vmpvscsi"}
)

// disks adds the disks in their order and sets the machine type that their buses need.
func (d *Domain) disks(m machine.Machine, disks []Disk, o Options) {
	boot := o.BootDisk
	if boot < 0 || boot >= len(disks) {
		boot = 0
	}
	a := &allocator{}
	told := map[string]bool{}
	for i, disk := range disks {
		p, why := place(m, disk, o)
		if p == onIDE && a.ide == idePlaces {
			p, why = onSATA, "there is room for four IDE disks only; the others are on SATA"
		}
		if why != "" && !told[why] {
			told[why] = true
			d.warn("disk %d: %s", i+1, why)
		}
		x := diskXML{
			Type: "file", Device: "disk", Driver: driverXML{Name: "qemu", Type: disk.Format},
			Source: fileXML{File: disk.Path},
		}
		if disk.Format == "qcow2" || disk.Format == "raw" {
			x.Driver.Discard = "unmap"
		}
		x.Target, x.Place = a.attach(p, disk.Source.Controller)
		if i == boot {
			x.Boot = &bootXML{Order: 1}
		}
		d.xml.Devices.Disks = append(d.xml.Devices.Disks, x)
	}
	d.xml.Devices.Controllers = a.controllers
	if a.ide > 0 {
		d.xml.OS.Type.Machine = "pc"
	}
}

// place chooses a disk's bus by the rules in the package's comment; why is what a person should know.
func place(m machine.Machine, disk Disk, o Options) (p placement, why string) {
	bios := m.Firmware != machine.FirmwareUEFI
	model := strings.ToLower(disk.Source.Model)
	bus := disk.Source.Bus
	switch {
	case disk.Bus != machine.BusUnknown:
		bus, model = disk.Bus, strings.ToLower(disk.Source.Model)
		if disk.Source.Bus != disk.Bus {
			model = ""
		}
	case o.VirtioDisk:
		return onVirtio, ""
	case oldWindows(m.OSType) && bios:
		if bus != machine.BusIDE {
			why = "Windows before Vista has no AHCI driver; the disk is on IDE"
		}
		return onIDE, why
	}
	const host = " needs a QEMU that has it (those of the RHEL family do not); elsewhere set bus sata"
	switch bus {
	case machine.BusVirtio:
		return onVirtio, ""
	case machine.BusSATA:
		return onSATA, ""
	case machine.BusIDE:
		if bios {
			return onIDE, ""
		}
		return onSATA, "a UEFI machine has no IDE; the disk is on SATA"
	case machine.BusSCSI:
		switch {
		case hasWord(model, "virtio"):
			return onVirtio, ""
		case strings.HasPrefix(model, "lsilogicsas"), strings.HasPrefix(model, "lsisas1068"):
			return onSAS, "the source's LSI Logic SAS controller is kept; it" + host
		case strings.HasPrefix(model, "virtualscsi"), strings.HasPrefix(model, "pvscsi"), model == "vmpvscsi":
			return onPVSCSI, "the source's PVSCSI controller is kept; it" + host
		case model == "":
			return onSATA, "the source's SCSI controller is not known; the disk is on SATA"
		}
		return onSATA, "QEMU does not have the source's controller " + machine.Quote(disk.Source.Model) + "; the disk is on SATA"
	case machine.BusNVMe:
		return onSATA, "NVMe disks need a newer libvirt; the disk is on SATA"
	}
	return onSATA, "the source's controller is not known and virtio is not proved to work; the disk is on SATA"
}

// hasWord reports whether a list of models, separated by spaces in order of preference, holds one.
func hasWord(models, word string) bool {
	for m := range strings.FieldsSeq(models) {
		if m == word {
			return true
		}
	}
	return false
}

// oldWindows recognises what VMware and VirtualBox call Windows 95 to Server 2003.
func oldWindows(osType string) bool {
	t := strings.ToLower(osType)
	for _, prefix := range []string{"winxp", "winnet", "win2000", "windowsxp", "windows2000", "windows2003", "winnt", "win98", "win95", "winme"} {
		if strings.HasPrefix(t, prefix) {
			return true
		}
	}
	return false
}

// allocator hands out device names and addresses.
type allocator struct {
	vd, sd, ide, sata int
	controllers       []controllerXML
	scsi              []scsiController
}

// scsiController is a controller with what it stands for and how many targets are taken.
type scsiController struct {
	model   string
	source  int
	targets int
}

// attach gives a disk its device name and address. Disks keep apart that hung on different SCSI controllers.
func (a *allocator) attach(p placement, source int) (targetXML, *addressXML) {
	switch p.bus {
	case "virtio":
		a.vd++
		return targetXML{Dev: deviceName("vd", a.vd-1), Bus: p.bus}, nil
	case "ide":
		n := a.ide
		a.ide++
		return targetXML{Dev: deviceName("hd", n), Bus: p.bus}, &addressXML{Type: "drive", Bus: n / 2, Unit: n % 2}
	}
	a.sd++
	target := targetXML{Dev: deviceName("sd", a.sd-1), Bus: p.bus}
	if p.bus == "sata" {
		n := a.sata
		a.sata++
		if n%sataPorts == 0 {
			a.controllers = append(a.controllers, controllerXML{Type: "sata", Index: n / sataPorts})
		}
		return target, &addressXML{Type: "drive", Controller: n / sataPorts, Unit: n % sataPorts}
	}
	most := pvTargets
	if p == onSAS {
		most = sasTargets
	}
	at := -1
	for i, c := range a.scsi {
		if c.model == p.model && c.source == source && c.targets < most {
			at = i
		}
	}
	if at < 0 {
		at = len(a.scsi)
		a.scsi = append(a.scsi, scsiController{model: p.model, source: source})
		a.controllers = append(a.controllers, controllerXML{Type: "scsi", Index: at, Model: p.model})
	}
	a.scsi[at].targets++
	// Both chips have one unit per target.
	return target, &addressXML{Type: "drive", Controller: at, Target: a.scsi[at].targets - 1}
}

// deviceName returns the name of the n-th device: sda ... sdz, sdaa ...
func deviceName(prefix string, n int) string {
	name := ""
	for n++; n > 0; n = (n - 1) / 26 {
		name = string(rune('a'+(n-1)%26)) + name
	}
	return prefix + name
}
