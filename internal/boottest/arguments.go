package boottest

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// monitorFD is where qemu finds its end of the monitor: the first descriptor behind the standard ones.
const monitorFD = 3

// sandbox is what libvirt also takes from qemu: nothing that a VM without devices of the host needs.
const sandbox = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

// abilities are parts of qemu that some builds do not have.
type abilities struct {
	sandbox bool // seccomp
	user    bool // the network that gives addresses (slirp)
}

// arguments builds a command line of qemu.
type arguments struct {
	args  []string
	ports int // PCIe root ports so far
	err   error
}

func (a *arguments) add(args ...string) { a.args = append(a.args, args...) }

// blockdev adds a node. JSON takes any file name as it is.
func (a *arguments) blockdev(name, format, path string, readOnly bool) {
	type file struct {
		Driver   string `json:"driver"`
		Filename string `json:"filename"`
	}
	b, err := json.Marshal(struct {
		Node     string          `json:"node-name"`
		Driver   string          `json:"driver"`
		ReadOnly bool            `json:"read-only"`
		Cache    map[string]bool `json:"cache"`
		File     file            `json:"file"`
	}{name, format, readOnly, map[string]bool{"no-flush": true}, file{"file", path}}) // nothing of it is kept
	if err != nil {
		a.err = err
	}
	a.add("-blockdev", string(b))
}

// device adds a PCI device on a port of its own, as libvirt does: there virtio is modern only, and so it is tested.
func (a *arguments) device(text string) {
	a.ports++
	a.add("-device", fmt.Sprintf("pcie-root-port,id=port%d,chassis=%d", a.ports, a.ports), "-device", fmt.Sprintf("%s,bus=port%d", text, a.ports))
}

// commandLine returns the arguments of qemu for complete options; vars is the VM's own copy of the firmware's variables.
func commandLine(o Options, can abilities, vars string) ([]string, error) {
	a := &arguments{}
	a.add("-name", "boot-test", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-no-shutdown")
	if can.sandbox {
		a.add("-sandbox", sandbox)
	}
	machine, accel, cpu := "q35,graphics=off", "tcg", "max"
	if o.KVM {
		accel, cpu = "kvm", "host"
	}
	if o.Firmware == UEFI {
		a.blockdev("code", "raw", o.OVMF.Code, true)
		a.blockdev("vars", "raw", vars, false)
		machine += ",pflash0=code,pflash1=vars"
		if o.OVMF.SMM {
			machine += ",smm=on"
			a.add("-global", "driver=cfi.pflash01,property=secure,value=on")
		}
	}
	a.add("-machine", machine, "-accel", accel, "-cpu", cpu, "-smp", strconv.Itoa(o.CPUs), "-m", strconv.Itoa(o.MemoryMiB))
	a.add("-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial")
	a.add("-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", monitorFD), "-mon", "chardev=monitor,mode=control")
	a.add("-device", "VGA")
	a.disks(o)
	a.nics(o, can)
	a.device("virtio-rng-pci") // a guest without entropy waits for minutes
	if a.err == nil && a.ports > maxPorts {
		a.err = fmt.Errorf("boot test: %w: %d disks and NICs on PCIe, at most %d are possible", ErrOptions, a.ports, maxPorts)
	}
	return a.args, a.err
}

func (a *arguments) disks(o Options) {
	scsi, sata := false, 0
	for i, d := range o.Disks {
		node := fmt.Sprintf("disk%d", i)
		a.blockdev(node, d.Format, d.Path, false)
		boot := ""
		if i == o.BootDisk {
			boot = ",bootindex=1"
		}
		switch d.Bus {
		case Virtio:
			a.device("virtio-blk-pci,drive=" + node + boot)
		case SCSI:
			if !scsi {
				scsi = true
				a.device("virtio-scsi-pci,id=scsi")
			}
			a.add("-device", fmt.Sprintf("scsi-hd,bus=scsi.0,lun=%d,drive=%s%s", i, node, boot))
		case SATA:
			const perController = 6
			controller := "ide" // q35's own
			if n := sata / perController; n > 0 {
				controller = fmt.Sprintf("sata%d", n)
				if sata%perController == 0 {
					a.device("ahci,id=" + controller)
				}
			}
			a.add("-device", fmt.Sprintf("ide-hd,bus=%s.%d,drive=%s%s", controller, sata%perController, node, boot))
			sata++
		}
	}
}

// nics adds NICs that give the guest an address and lead nowhere; where qemu cannot do the first, only the second. None has a ROM to
// boot from a network with.
func (a *arguments) nics(o Options, can abilities) {
	for i, n := range o.NICs {
		if can.user {
			a.add("-netdev", fmt.Sprintf("user,id=net%d,restrict=on", i))
		} else {
			a.add("-netdev", fmt.Sprintf("hubport,id=net%d,hubid=%d", i, i))
		}
		text := fmt.Sprintf("%s,netdev=net%d,romfile=", map[string]string{NICVirtio: "virtio-net-pci", NICE1000e: "e1000e"}[n.Model], i)
		if n.MAC != "" {
			text += ",mac=" + n.MAC
		}
		a.device(text)
	}
}
