package domxml

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"hyper2kvm/internal/machine"
)

// validate runs libvirt's own schema over every domain of a test at once; the program is slow to start.
func validate(t *testing.T, domains [][]byte) {
	t.Helper()
	program, err := exec.LookPath("virt-xml-validate")
	if err != nil {
		t.Skip("SKIPPED: virt-xml-validate (libvirt-clients) is not installed, the XML is not held against libvirt's schema")
	}
	domains = append(domains, []byte("<domain type='kvm'><name>x</name><memory>1</memory><devices><disk type='none'/></devices></domain>")) // not valid: the oracle must say so
	for i, d := range domains {
		file := filepath.Join(t.TempDir(), "domain.xml")
		if err := os.WriteFile(file, d, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), program, file, "domain").CombinedOutput()
		if i == len(domains)-1 {
			if err == nil {
				t.Error("the validator accepts a disk of no type: it proves nothing")
			}
		} else if err != nil {
			t.Errorf("domain %d is not valid: %v\n%s\n%s", i, err, out, d)
		}
	}
}

func TestDomainsAreValidForLibvirt(t *testing.T) {
	var domains [][]byte
	buses := []machine.Disk{
		{}, {Bus: machine.BusIDE}, {Bus: machine.BusSATA}, {Bus: machine.BusNVMe}, {Bus: machine.BusVirtio},
		{Bus: machine.BusSCSI, Model: "lsilogic"}, {Bus: machine.BusSCSI, Model: "lsilogicsas"},
		{Bus: machine.BusSCSI, Model: "VirtualSCSI"}, {Bus: machine.BusSCSI, Model: "buslogic", Controller: 1},
	}
	for i, firmware := range []machine.Firmware{machine.FirmwareUnknown, machine.FirmwareBIOS, machine.FirmwareUEFI} {
		for j, o := range []Options{
			{}, {VirtioDisk: true, VirtioNet: true, UUID: "6F2C0E4A-0d6b-4d43-9d7c-1b7a4f3f7a10"},
			{Windows: true, AddNIC: true, BootDisk: 2, Networks: map[string]string{"VM Network": "bridge:br0"}},
		} {
			m := machine.Machine{
				Name: "wéb <&> 'server' \"1\" --", Firmware: firmware, SecureBoot: j == 1, CPUs: 4 * j, Sockets: 2 * i,
				MemoryMiB: int64(i) * 1024, OSType: []string{"ubuntu64Guest", "winXPProGuest", ""}[i],
			}
			if j != 2 {
				m.NICs = []machine.NIC{
					{MAC: "00:50:56:AB:cd:ef", Network: "VM Network", Model: "vmxnet3"}, {Model: "PCNet32"}, {MAC: "01:00:5e:00:00:01", Model: "E1000"},
				}
			}
			var disks []Disk
			for k := range 13 {
				d := Disk{Path: fmt.Sprintf("/var/lib/a b/<disk>&'%d\".qcow2", k), Format: []string{"qcow2", "raw", "vmdk", "vdi"}[k%4], Source: buses[(k+j)%len(buses)]}
				disks = append(disks, d)
			}
			b, err := Marshal(m, disks, o)
			if err != nil {
				t.Fatal(err)
			}
			domains = append(domains, b)
		}
	}
	validate(t, domains)
}
