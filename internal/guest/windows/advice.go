package windows

import (
	"fmt"
	"strings"

	"hyper2kvm/internal/guest"
)

// Advice says what a person has to know of a Windows guest that was converted and not changed: how it moves to virtio, what becomes of
// its addresses and tools, and what keeps its disk from being written.
func Advice(system guest.System, ready Readiness) []guest.Warning {
	var list []guest.Warning
	if system.Hibernated {
		list = append(list, guest.Warning{
			Message: "Windows is hibernated, or was shut down with fast start: its memory waits on the disk for the old hardware",
			Hint:    "at the source, start it, run `powercfg /h off` as administrator, then `shutdown /s /t 0`, and convert again",
		})
	}
	if system.Dirty {
		list = append(list, guest.Warning{
			Message: "a file system of Windows was not closed cleanly",
			Hint:    "at the source, run `chkdsk C: /f`, restart, shut down with `shutdown /s /t 0`, and convert again",
		})
	}
	switch {
	case !ready.Block && !ready.SCSI:
		list = append(list, guest.Warning{
			Message: "Windows cannot start from virtio as it is (" + ready.Why + "): its disks are on SATA and its card is an e1000e",
			Hint: "before a conversion: install virtio-win-guest-tools.exe at the source, and convert again. After it: attach virtio-win.iso and a second, empty disk " +
				"of 1 GiB with bus='virtio' to the VM, start it, run virtio-win-guest-tools.exe from the CD, see in the Device Manager that \"Red Hat VirtIO SCSI controller\" " +
				"works, shut down with `shutdown /s /t 0`; then in `virsh edit` take the second disk out, change the first disk's <target> to dev='vda' bus='virtio' " +
				"and the card's <model> to type='virtio', and start",
		})
	case !ready.Net:
		list = append(list, guest.Warning{
			Message: "Windows has virtio's disk driver and not the one for its network card: the card is an e1000e",
			Hint:    "attach virtio-win.iso, run virtio-win-guest-tools.exe in Windows, then change the card's <model> to type='virtio' with `virsh edit`",
		})
	}
	var addresses, names []string
	for _, i := range system.Interfaces {
		if i.Static && i.Backend == "registry" {
			addresses = append(addresses, i.Address)
		}
	}
	if len(addresses) > 0 {
		list = append(list, guest.Warning{
			Message: fmt.Sprintf("Windows ties static addresses to a network card, and on KVM it has another: %s must be set again", strings.Join(addresses, ", ")),
			Hint: "in Windows, as administrator: `Get-NetAdapter`, then `New-NetIPAddress -InterfaceAlias NAME -IPAddress " + addresses[0] +
				" -PrefixLength 24 -DefaultGateway GATEWAY` and `Set-DnsClientServerAddress -InterfaceAlias NAME -ServerAddresses DNS`, with the guest's own prefix",
		})
	}
	for _, t := range system.Tools {
		if t != "qemu-guest-agent" {
			names = append(names, t)
		}
	}
	if len(names) > 0 {
		list = append(list, guest.Warning{
			Message: strings.Join(names, ", ") + " are installed and serve another hypervisor",
			Hint:    "remove them in Windows under Apps; VMware Tools can only be removed cleanly at the source, before the conversion",
		})
	}
	return list
}
