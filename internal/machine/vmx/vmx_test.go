package vmx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/machine"
)

// describe writes a machine in one line.
func describe(m *machine.Machine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %d/%d %dM %s", m.Name, m.OSType, m.CPUs, m.Sockets, m.MemoryMiB, m.Firmware)
	if m.SecureBoot {
		b.WriteString(" secure")
	}
	for _, d := range m.Disks {
		fmt.Fprintf(&b, " %s%d:%d[%s]=%s", d.Bus, d.Controller, d.Unit, d.Model, d.File)
	}
	for _, n := range m.NICs {
		fmt.Fprintf(&b, " nic(%s %s %s %d)", n.Model, n.MAC, n.Network, n.Slot)
	}
	return b.String()
}

func TestFixtures(t *testing.T) {
	many := ""
	for i, unit := range []int{0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15} {
		name := "BZ1308535_21disks"
		if i > 0 {
			name += fmt.Sprintf("_%d", i)
		}
		many += fmt.Sprintf(" scsi0:%d[pvscsi]=%s.vmdk", unit, name)
	}
	for i := range 6 {
		many += fmt.Sprintf(" scsi1:%d[pvscsi]=BZ1308535_21disks_%d.vmdk", i, 15+i)
	}
	for name, want := range map[string]string{
		"manageiq-test_vmware_config.vmx": "ManageIQ ubuntu 1/0 768M bios scsi0:0[lsilogic]=ManageIQ.vmdk scsi0:1[lsilogic]=ManageIQ (2).vmdk" +
			" scsi0:2[lsilogic]=ManageIQ (3).vmdk scsi0:3[lsilogic]=ManageIQ (4).vmdk nic( 00:0c:29:ef:9b:9b nat 0)",
		"openslx-vmware-player_default-ubuntu.vmx": "ubuntu ubuntu-64 2/0 2048M bios scsi0:0[lsilogic]=vmware-player_default-ubuntu.vmdk nic(e1000  nat 0)",
		"v2v-test-i-vmx-1.vmx":                     "BZ1308535_21disks rhel6-64 1/0 2048M bios" + many + " nic(vmxnet3 00:0c:29:36:ef:31 VM Network 224)",
		"v2v-test-i-vmx-2.vmx":                     "Fedora 20 rhel7-64 1/0 2048M bios scsi0:0[pvscsi]=Fedora-20.vmdk nic(vmxnet3 00:50:56:9b:5f:0d VM Network 192)",
		"v2v-test-i-vmx-4.vmx":                     "Windows 7 x64 windows7-64 1/0 2048M bios scsi0:0[lsisas1068]=Windows-7-x64.vmdk nic(e1000 00:0c:29:94:89:23 VM Network 32)",
		"v2v-test-i-vmx-6.vmx":                     "esx6.7-rhel8.6-nvme-disk rhel8-64 1/0 2048M bios nvme0:0[]=nvme-disk.vmdk nic(vmxnet3 00:50:56:ac:cf:51 VM Network 160)",
		"virtmgr-test-nodisks.vmx":                 "fedora rhel5 1/0 512M bios nic(   0)",
		"virtmgr-test1.vmx":                        "fedora rhel5 1/0 512M bios scsi0:0[lsilogic]=fedora.vmdk nic(   0)",
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Parse(readFixture(t, "ovf/vmx/"+name))
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(m); got != want {
				t.Errorf("got\n %s\nwant\n %s", got, want)
			}
		})
	}
	found, err := filepath.Glob(filepath.Join(disktest.FixtureDir(t), "ovf/vmx/*.vmx"))
	if err != nil || len(found) < 8 {
		t.Fatalf("%d files: %v", len(found), err)
	}
	for _, f := range found {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(b); err != nil {
			t.Errorf("%s: %v", filepath.Base(f), err)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"UEFI with secure boot", "firmware = \"efi\"\nuefi.secureBoot.enabled = \"TRUE\"", "  1/0 0M uefi secure"},
		{"secure boot means nothing to BIOS", "firmware = \"bios\"\nuefi.secureBoot.enabled = \"TRUE\"", "  1/0 0M bios"},
		{"sockets", "numvcpus = \"8\"\ncpuid.coresPerSocket = \"4\"", "  8/2 0M bios"},
		{"byte order mark, CRLF, no quotes", "\xef\xbb\xbfmemsize = 512\r\nDISPLAYNAME = \"x\"\r\n", "x  1/0 512M bios"},
		{"escapes", `displayName = "a|22b|7C|0Zc|"`, `a"b||0Zc|  1/0 0M bios`},
		{"windows-1252", ".encoding = \"windows-1252\"\ndisplayName = \"caf\xe9\"", "café  1/0 0M bios"},
		{"unknown encoding of plain ASCII", ".encoding = \"Shift_JIS\"\ndisplayName = \"plain\"", "plain  1/0 0M bios"},
		{"numbers sort as numbers", "ethernet10.present = \"TRUE\"\nethernet10.networkName = \"ten\"\nethernet2.present = \"TRUE\"\nethernet2.networkName = \"two\"", "  1/0 0M bios nic(  two 0) nic(  ten 0)"},
		{"static address wins", "ethernet0.present = \"TRUE\"\nethernet0.addressType = \"static\"\nethernet0.address = \"00:50:56:00:00:01\"\nethernet0.generatedAddress = \"00:50:56:00:00:02\"", "  1/0 0M bios nic( 00:50:56:00:00:01  0)"},
		{"generated address wins", "ethernet0.present = \"TRUE\"\nethernet0.addressType = \"vpx\"\nethernet0.address = \"00:50:56:00:00:01\"\nethernet0.generatedAddress = \"00:50:56:00:00:02\"", "  1/0 0M bios nic( 00:50:56:00:00:02  0)"},
		{"absent devices", "scsi0:0.fileName = \"a.vmdk\"\nscsi1.present = \"FALSE\"\nscsi1:0.present = \"TRUE\"\nscsi1:0.fileName = \"b.vmdk\"\nethernet0.virtualDev = \"e1000\"", "  1/0 0M bios"},
		{"another datastore", "scsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"/vmfs/volumes/5458b680/x/x.vmdk\"\nide0:0.present = \"TRUE\"\nide0:0.fileName = \"C:\\\\VMs\\\\y.vmdk\"", "  1/0 0M bios ide0:0[]=y.vmdk scsi0:0[]=x.vmdk"},
		{"directory with a backslash", "sata0:1.present = \"TRUE\"\nsata0:1.fileName = \"sub\\z.vmdk\"", "  1/0 0M bios sata0:1[]=sub/z.vmdk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := Parse([]byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(m); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	disk := "scsi0:0.present = \"TRUE\"\nscsi0:0.fileName = "
	for _, c := range []struct {
		name, in string
		kind     error
		says     string
	}{
		{"empty", "\n# nothing\n", machine.ErrDescriptor, "no settings"},
		{"binary", "KDMV\x01\x00\x00\x00", machine.ErrDescriptor, "zero byte"},
		{"no equals sign", "hello world", machine.ErrDescriptor, "line 1"},
		{"no closing quote", "a = \"b", machine.ErrDescriptor, "closing quote"},
		{"encrypted", "encryption.keySafe = \"vmware:key/list/...\"", machine.ErrUnsupported, "encrypted"},
		{"unknown encoding", ".encoding = \"GBK\"\ndisplayName = \"\xd0\xe9\"", machine.ErrUnsupported, "gbk"},
		{"not UTF-8", "displayName = \"\xff\"", machine.ErrDescriptor, "UTF-8"},
		{"outside", disk + `"../other/x.vmdk"`, machine.ErrMember, "outside"},
		{"outside with backslashes", disk + `"..\x.vmdk"`, machine.ErrMember, "outside"},
		{"directory", disk + `"/vmfs/volumes/"`, machine.ErrMember, "empty"},
		{"one file twice", disk + "\"/vmfs/volumes/a/x.vmdk\"\nscsi0:1.present = \"TRUE\"\nscsi0:1.fileName = \"x.vmdk\"", machine.ErrDescriptor, "same file"},
		{"too large", strings.Repeat("#", MaxBytes+1), machine.ErrLimit, "1048576"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := Parse([]byte(c.in))
			if m != nil || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("machine %v, error %v; wanted %q saying %q", m, err, c.kind, c.says)
			}
		})
	}
}

// maxSeed keeps the seeds small enough for a fuzzer to work with.
const maxSeed = 100 << 10

func FuzzParse(f *testing.F) {
	disktest.Seeds(f, maxSeed, func(x disktest.Fixture) bool { return strings.HasPrefix(x.Name, "ovf/vmx/") }, func(b []byte) { f.Add(b) })
	f.Add([]byte("\xef\xbb\xbf.encoding = \"windows-1252\"\r\ndisplayName = \"caf\xe9|22\"\r\nnumvcpus = \"8\"\ncpuid.coresPerSocket = 4\n" +
		"scsi0.virtualDev = \"lsilogic\"\nscsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"sub\\z.vmdk\"\nethernet0.present = \"TRUE\"\nethernet0.address = \"00:50:56:00:00:01\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if (m == nil) == (err == nil) {
			t.Fatalf("machine %v with error %v", m, err)
		}
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, d := range m.Disks {
			if clean, err := machine.RelativeName(d.File); err != nil || clean != d.File || seen[d.File] {
				t.Fatalf("disk %+v: %v", d, err)
			}
			seen[d.File] = true
		}
		for _, n := range m.NICs {
			if n.MAC != machine.NormalMAC(n.MAC) || n.Slot < 0 {
				t.Fatalf("card %+v", n)
			}
		}
	})
}
