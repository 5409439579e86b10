package windows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hyper2kvm/internal/guest"
)

// softwareOf is the hive SOFTWARE of a Windows; major 0 is one before Windows 10.
func softwareOf(product, build string, major uint32) *testKey {
	root := &testKey{name: "ROOT"}
	root.at("Microsoft", "Office")
	k := root.at("Microsoft", "Windows NT", "CurrentVersion")
	k.set(sz("ProductName", product), sz("EditionID", "Professional"), sz("SystemRoot", `C:\Windows`), sz("CurrentBuild", build), sz("CurrentVersion", "6.1"))
	if major > 0 {
		k.set(dword("CurrentMajorVersionNumber", major), dword("CurrentMinorVersionNumber", 0), sz("InstallationType", "Client"))
	}
	return root
}

// systemHive is a hive SYSTEM whose next start uses control set 2; the other set has nothing of virtio.
func systemHive(more ...func(set, root *testKey)) *testKey {
	root := &testKey{name: "ROOT"}
	root.at("Select").set(dword("Current", 1), dword("Default", 2))
	root.at("ControlSet001", "Services", "viostor").set(dword("Start", 4))
	set := root.at("ControlSet002")
	set.at("Services", "disk").set(dword("Start", 0))
	set.at("Control", "Session Manager", "Environment").set(sz("PROCESSOR_ARCHITECTURE", "AMD64"))
	set.at("Control", "ComputerName", "ComputerName").set(sz("ComputerName", "SHOP-1"))
	for _, m := range more {
		m(set, root)
	}
	return root
}

func virtioDriver(service string, start uint32, device string) func(set, root *testKey) {
	return func(set, _ *testKey) {
		set.at("Services", service).set(dword("Start", start))
		if device != "" {
			set.at("Enum", "PCI", device)
		}
	}
}

func TestInspect(t *testing.T) {
	tree := withHives(buildHive(softwareOf("Windows 10 Pro", "22631", 10), "lh"), buildHive(systemHive(func(set, _ *testKey) {
		set.at("Control", "TimeZoneInformation").set(dword("RealTimeIsUniversal", 1))
		set.at("Control", "Session Manager", "Power").set(dword("HiberbootEnabled", 1))
		set.at("Services", "VMTools")
		set.at("Services", "QEMU-GA")
		interfaces := set.at("Services", "Tcpip", "Parameters", "Interfaces")
		interfaces.at("{1}").set(dword("EnableDHCP", 0), multi("IPAddress", "10.0.0.5", "10.0.0.6"))
		interfaces.at("{2}").set(dword("EnableDHCP", 1), multi("IPAddress", "10.0.0.7"))
		interfaces.at("{3}").set(dword("EnableDHCP", 0), multi("IPAddress", "0.0.0.0"))
	}), "ri"))
	tree.Text("/hiberfil.sys", "HIBR and more")
	system := guest.System{Root: "/dev/sda2", Firmware: "uefi"}
	if err := Inspect(t.Context(), tree, &system); err != nil {
		t.Fatal(err)
	}
	want := guest.System{
		Family: "windows", Distro: "windows", Name: "Windows 11 Pro", Version: "10.0.22631", Arch: "x86_64", Host: "SHOP-1", Root: "/dev/sda2", Firmware: "uefi",
		Interfaces: []guest.Interface{{Name: "{1}", Backend: "registry", File: "SYSTEM", Static: true, Address: "10.0.0.5"}},
		Tools:      []string{"VMware Tools", "qemu-guest-agent"}, Hibernated: true,
	}
	if got := fmt.Sprintf("%+v", system); got != fmt.Sprintf("%+v", want) {
		t.Errorf("system is\n%s, want\n%+v", got, want)
	}
	d, err := Look(t.Context(), tree)
	if err != nil || !d.UTCClock || !d.FastStart || d.Edition != "Professional" || d.Build != 22631 || d.SystemRoot != `C:\Windows` {
		t.Errorf("details are %+v, %v", d, err)
	}
}

func TestInspectOldAndServer(t *testing.T) {
	server := softwareOf("Windows Server 2025 Standard", "26100", 10)
	server.at("Microsoft", "Windows NT", "CurrentVersion").values[7] = sz("InstallationType", "Server")
	for _, c := range []struct {
		software      *testKey
		name, version string
	}{
		{softwareOf("Windows 7 Professional", "7601", 0), "Windows 7 Professional", "6.1.7601"},
		{softwareOf("Windows 10 Pro", "19045", 10), "Windows 10 Pro", "10.0.19045"},
		{server, "Windows Server 2025 Standard", "10.0.26100"},
	} {
		var system guest.System
		if err := Inspect(t.Context(), withHives(buildHive(c.software, "lf"), buildHive(systemHive(), "lf")), &system); err != nil {
			t.Fatal(err)
		}
		if system.Name != c.name || system.Version != c.version {
			t.Errorf("%s %s, want %s %s", system.Name, system.Version, c.name, c.version)
		}
	}
}

func TestInspectRefuses(t *testing.T) {
	good := buildHive(softwareOf("Windows 10 Pro", "19045", 10), "lh")
	noSet := systemHive()
	noSet.at("Select").values = nil
	for name, c := range map[string]struct {
		software, system []byte
		want             error
	}{
		"SOFTWARE is damaged":      {good[:5000], buildHive(systemHive(), "lh"), ErrHive},
		"SYSTEM is no hive":        {good, []byte("text"), ErrHive},
		"Select names nothing":     {good, buildHive(noSet, "lh"), ErrHive},
		"no Windows NT in the way": {buildHive(&testKey{name: "ROOT"}, "lh"), buildHive(systemHive(), "lh"), nil},
	} {
		var system guest.System
		err := Inspect(t.Context(), withHives(c.software, c.system), &system)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: err is %v, want %v", name, err, c.want)
		}
	}
	empty := withHives(nil, nil)
	if err := empty.Remove(t.Context(), "/WINDOWS/system32/Config"); err != nil {
		t.Fatal(err)
	}
	var system guest.System
	if err := Inspect(t.Context(), empty, &system); !errors.Is(err, guest.ErrNoSystem) {
		t.Errorf("without a configuration: %v", err)
	}
}

func TestHibernated(t *testing.T) {
	for head, want := range map[string]bool{"hibr": true, "HIBR": true, "wake": false, "RSTR": false, "\x00\x00\x00\x00": false, "hi": false, "": false} {
		tree := withHives(nil, nil)
		tree.Text("/HiberFil.sys", head)
		if got, err := hibernated(t.Context(), tree); err != nil || got != want {
			t.Errorf("%q: %v, %v", head, got, err)
		}
	}
}

func TestVirtio(t *testing.T) {
	block := virtioDriver("viostor", 0, "VEN_1AF4&DEV_1042&SUBSYS_11001AF4&REV_01")
	net := virtioDriver("NetKVM", 3, "VEN_1AF4&DEV_1000&SUBSYS_00011AF4&REV_00")
	scsi := virtioDriver("vioscsi", 0, "VEN_1AF4&DEV_1048")
	for name, c := range map[string]struct {
		more             []func(set, root *testKey)
		without          string
		block, scsi, net bool
		why              string
	}{
		"nothing":      {why: "viostor: not installed; vioscsi: not installed; netkvm: not installed"},
		"all":          {more: []func(set, root *testKey){block, net, scsi}, block: true, scsi: true, net: true, why: "are installed"},
		"block":        {more: []func(set, root *testKey){block}, block: true, why: "netkvm: not installed"},
		"no file":      {more: []func(set, root *testKey){block}, without: "viostor.sys", why: "viostor.sys is not there"},
		"started late": {more: []func(set, root *testKey){virtioDriver("viostor", 3, "VEN_1AF4&DEV_1001")}, why: "viostor: its service does not start with the kernel (Start is 3, want 0)"},
		"disabled":     {more: []func(set, root *testKey){virtioDriver("netkvm", 4, "VEN_1AF4&DEV_1000")}, why: "netkvm: its service is disabled"},
		"no device":    {more: []func(set, root *testKey){virtioDriver("viostor", 0, "VEN_1AF4&DEV_10011")}, why: "viostor: no device is bound to it"},
		"StartOverride": {more: []func(set, root *testKey){block, func(set, _ *testKey) {
			set.at("Services", "viostor", "StartOverride").set(dword("0", 3))
		}}, why: "StartOverride keeps it from starting"},
		"driver store": {more: []func(set, root *testKey){virtioDriver("viostor", 0, ""), func(_, root *testKey) {
			root.at("DriverDatabase", "DeviceIds", "PCI", "VEN_1AF4&DEV_1001&SUBSYS_00021AF4")
		}}, block: true, why: "netkvm: not installed"},
		"critical device of Windows 7": {more: []func(set, root *testKey){virtioDriver("viostor", 0, ""), func(set, _ *testKey) {
			set.at("Control", "CriticalDeviceDatabase", "pci#ven_1af4&dev_1001&subsys_00021af4")
		}}, block: true, why: "netkvm: not installed"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := withHives(buildHive(softwareOf("Windows 10 Pro", "19045", 10), "lh"), buildHive(systemHive(c.more...), "lh"))
			for _, f := range []string{"viostor.sys", "vioscsi.sys", "netkvm.sys"} {
				if f != c.without {
					tree.Text("/WINDOWS/system32/DRIVERS/"+f, "driver")
				}
			}
			r, err := Virtio(t.Context(), tree)
			if err != nil {
				t.Fatal(err)
			}
			if r.Block != c.block || r.SCSI != c.scsi || r.Net != c.net || !strings.Contains(r.Why, c.why) {
				t.Errorf("readiness is %+v, want %v %v %v %q", r, c.block, c.scsi, c.net, c.why)
			}
		})
	}
}

// TestDirtyRegistryProvesNothing: with changes that still lie in the logs, what the hive says may be old.
func TestDirtyRegistryProvesNothing(t *testing.T) {
	b := buildHive(systemHive(virtioDriver("viostor", 0, "VEN_1AF4&DEV_1001")), "lh")
	binary.LittleEndian.PutUint32(b[4:], 9)
	seal(b)
	tree := withHives(buildHive(softwareOf("Windows 10 Pro", "19045", 10), "lh"), b)
	tree.Text("/WINDOWS/system32/drivers/viostor.sys", "driver")
	r, err := Virtio(t.Context(), tree)
	if err != nil || r.Block || !strings.Contains(r.Why, "not closed cleanly") {
		t.Errorf("readiness is %+v, %v", r, err)
	}
}

func TestAdvice(t *testing.T) {
	full := Advice(guest.System{
		Hibernated: true, Dirty: true, Tools: []string{"VMware Tools", "qemu-guest-agent"},
		Interfaces: []guest.Interface{{Backend: "registry", Static: true, Address: "10.0.0.5"}},
	}, Readiness{Why: "viostor: not installed"})
	want := []string{"is hibernated", "not closed cleanly", "cannot start from virtio as it is (viostor: not installed)", "10.0.0.5 must be set again", "VMware Tools are installed"}
	if len(full) != len(want) {
		t.Fatalf("advice is %+v", full)
	}
	for i, w := range want {
		if !strings.Contains(full[i].Message, w) || full[i].Hint == "" {
			t.Errorf("advice %d is %+v, want %q and a hint", i, full[i], w)
		}
	}
	if list := Advice(guest.System{Tools: []string{"qemu-guest-agent"}}, Readiness{Block: true, Net: true}); len(list) != 0 {
		t.Errorf("a guest that is ready gets advice: %+v", list)
	}
	if list := Advice(guest.System{}, Readiness{Block: true}); len(list) != 1 || !strings.Contains(list[0].Message, "network card") {
		t.Errorf("a guest without a network driver gets %+v", list)
	}
}
