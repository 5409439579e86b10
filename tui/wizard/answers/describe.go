package answers

import (
	"strconv"

	"hyper2kvm/internal/manifest"
)

// Describe takes over what a description says of a VM (an OVF, an OVA, a VMX), where nothing is answered yet, or with replace
// everywhere. It returns the fields that it answered.
func (vm VM) Describe(name string, m manifest.Machine, replace bool) []string {
	var took []string
	set := func(path, value string) {
		if _, said := vm[path]; value == "" || said && !replace {
			return
		}
		vm[path] = value
		took = append(took, path)
	}
	if name != "" {
		set("name", manifest.NameFor(name))
	}
	if m.CPUs > 0 {
		set("vm.cpu", strconv.Itoa(m.CPUs))
	}
	if _, said := vm["vm.mem_gb"]; m.MemoryMiB > 0 && (replace || !said && vm["vm.mem_mb"] == "") {
		delete(vm, "vm.mem_gb")
		delete(vm, "vm.mem_mb")
		if m.MemoryMiB%1024 == 0 {
			set("vm.mem_gb", strconv.FormatInt(m.MemoryMiB/1024, 10))
		} else {
			set("vm.mem_mb", strconv.FormatInt(m.MemoryMiB, 10))
		}
	}
	set("vm.firmware", m.Firmware)
	if m.SecureBoot != nil && *m.SecureBoot {
		set("vm.secureboot", "true")
	}
	var nics []any
	for i, n := range m.NICs {
		if i == manifest.MaxNICs {
			break
		}
		nic := map[string]any{}
		for key, v := range map[string]string{"id": n.ID, "mac": n.MAC, "network": n.Network} {
			if v != "" {
				nic[key] = v
			}
		}
		nics = append(nics, nic)
	}
	if len(nics) > 0 {
		set("nics", oneLine(nics))
	}
	return took
}
