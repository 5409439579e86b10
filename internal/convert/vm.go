package convert

import (
	"cmp"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

// describe lays what the manifest says over a machine's description. The manifest wins: a person wrote it for this job.
func describe(m machine.Machine, job manifest.Job) *machine.Machine {
	said := job.Machine
	m.Name = job.Name
	if said.CPUs > 0 {
		m.CPUs, m.Sockets = said.CPUs, 0
	}
	m.MemoryMiB = cmp.Or(said.MemoryMiB, m.MemoryMiB)
	m.Firmware = cmp.Or(machine.Firmware(said.Firmware), m.Firmware)
	if said.SecureBoot != nil {
		m.SecureBoot = *said.SecureBoot
	}
	m.OSType = cmp.Or(m.OSType, said.OSHint)
	if len(said.NICs) > 0 {
		m.NICs = nil
		for _, n := range said.NICs {
			m.NICs = append(m.NICs, machine.NIC{Name: n.ID, MAC: n.MAC, Network: n.Network})
		}
	}
	if m.NICs == nil {
		m.NICs = []machine.NIC{} // a list in the report, not null
	}
	return &m
}

// resolveFirmware settles how the machine starts: what is described, else what stands on the disks, else BIOS.
func resolveFirmware(described machine.Firmware, found string) machine.Firmware {
	switch {
	case described != machine.FirmwareUnknown:
		return described
	case found == guest.FirmwareUEFI:
		return machine.FirmwareUEFI
	}
	return machine.FirmwareBIOS
}
