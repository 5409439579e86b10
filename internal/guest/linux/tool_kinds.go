package linux

import (
	"slices"
	"strings"
)

// toolKind is one hypervisor's tools.
type toolKind struct {
	title    string
	packages []string // names, or beginnings with a *
	keep     []string // names that such a beginning does not mean
	services []string // units and init scripts that must not start on KVM, without .service
	// rpm names packages by a file that they hold, where the database of packages is not text. Those that need others come first.
	rpm []toolFile
}

// toolFile is a file that tells that a package is installed.
type toolFile struct{ pkg, file string }

// vmwareOSP is the service, and its package, of the tools that VMware itself packaged for RHEL 5 and 6 and SLES 11.
const vmwareOSP = "vmware-tools-services"

// toolKinds is all tools that are known.
var toolKinds = []toolKind{
	{
		title:    "VMware Tools",
		packages: []string{"open-vm-tools*", "open-vm-dkms", "vmware-tools-*"},
		services: []string{"vmtoolsd", "open-vm-tools", "vgauthd", "vgauth", "vmware-tools", vmwareOSP, "vmware-tools-thinprint", "run-vmblock-fuse", "vmware-USBArbitrator"},
		rpm: []toolFile{
			{vmwareOSP, "/etc/init/vmware-tools-services.conf"},
			{vmwareOSP, "/etc/init.d/vmware-tools-services"},
			{"open-vm-tools-desktop", "/usr/bin/vmware-user-suid-wrapper"},
			{"open-vm-tools-sdmp", "/usr/lib64/open-vm-tools/plugins/vmsvc/libserviceDiscovery.so"},
			{"open-vm-tools-salt-minion", "/usr/lib64/open-vm-tools/componentMgr/saltMinion/svtminion.sh"},
			{"open-vm-tools", "/usr/bin/vmtoolsd"},
		},
	},
	{
		title:    "VirtualBox Guest Additions",
		packages: []string{"virtualbox-guest-*"},
		keep:     []string{"virtualbox-guest-additions-iso"},
		services: []string{"vboxadd", "vboxadd-service", "vboxadd-x11", "vboxservice", "virtualbox-guest-utils"},
		rpm: []toolFile{
			{"virtualbox-guest-additions", "/usr/bin/VBoxClient"}, // Fedora's name
			{"virtualbox-guest-tools", "/usr/sbin/VBoxService"},   // SUSE's
		},
	},
	{
		title:    "Hyper-V daemons",
		packages: []string{"hyperv-daemons", "hypervkvpd", "hypervvssd", "hypervfcopyd", "hyperv-tools", "hvtools"},
		services: []string{"hypervkvpd", "hypervvssd", "hypervfcopyd", "hv-kvp-daemon", "hv-vss-daemon", "hv-fcopy-daemon", "hyperv-daemons.hv-kvp-daemon", "hv_kvp_daemon", "hv_vss_daemon", "hv_fcopy_daemon"},
		rpm: []toolFile{
			{"hyperv-daemons", "/usr/lib/systemd/system/hyperv-daemons.target"},
			{"hypervkvpd", "/usr/sbin/hypervkvpd"},
			{"hypervvssd", "/usr/sbin/hypervvssd"},
			{"hypervfcopyd", "/usr/sbin/hypervfcopyd"},
		},
	},
	{
		title:    "Parallels Tools",
		packages: []string{"parallels-tools"},
		services: []string{"prltoolsd", "prl-x11", "parallels-cpu-hotplug"},
	},
	{
		title:    "Xen guest utilities",
		packages: []string{"xe-guest-utilities*", "xen-guest-agent"},
		services: []string{"xe-daemon", "xe-linux-distribution", "xen-guest-agent"},
		rpm: []toolFile{
			{"xe-guest-utilities", "/usr/sbin/xe-linux-distribution"},
			{"xen-guest-agent", "/usr/sbin/xen-guest-agent"},
		},
	},
}

// holds reports whether a package belongs to the tools.
func (k toolKind) holds(pkg string) bool {
	return !slices.Contains(k.keep, pkg) && slices.ContainsFunc(k.packages, func(p string) bool {
		prefix, open := strings.CutSuffix(p, "*")
		return pkg == p || open && strings.HasPrefix(pkg, prefix)
	})
}
