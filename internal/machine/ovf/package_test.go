package ovf

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/machine"
)

// describe writes a machine in one line: name, processors/sockets, MiB, firmware, disks as bus controller:unit=file(size), cards.
func describe(m machine.Machine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d/%d %dM", m.Name, m.CPUs, m.Sockets, m.MemoryMiB)
	if m.Firmware != "" {
		fmt.Fprintf(&b, " %s", m.Firmware)
	}
	if m.SecureBoot {
		b.WriteString(" secure")
	}
	for _, d := range m.Disks {
		fmt.Fprintf(&b, " %s%d:%d", d.Bus, d.Controller, d.Unit)
		if d.Model != "" {
			fmt.Fprintf(&b, "[%s]", d.Model)
		}
		fmt.Fprintf(&b, "=%s(%d)", d.File, d.Capacity)
		if d.Gzip {
			b.WriteString("gz")
		}
	}
	for _, n := range m.NICs {
		fmt.Fprintf(&b, " nic(%s %s %s %d)", n.Model, n.MAC, n.Network, n.Slot)
	}
	return b.String()
}

const gib = 1 << 30

// TestFixtures holds what descriptors of many products must give. The values were read from the files by eye.
func TestFixtures(t *testing.T) {
	cases := map[string][]string{
		"cot-csr1000v.ovf": {"Cisco CSR 1000V Cloud Services Router 1/1 4096M scsi0:0[virtio lsilogic]=input.vmdk(1073741824)" +
			" nic(VMXNET3  GigabitEthernet1 0) nic(VMXNET3  GigabitEthernet2 0) nic(VMXNET3  GigabitEthernet3 0)"},
		"cot-ersatz_ovf_3.0.ovf": {"x 0/0 0M"},
		"cot-minimal.ovf":        {"x 0/0 0M"},
		"cot-iosv.ovf": {"Cisco IOSv 1/0 384M ide0:0[virtio]=input.vmdk(1073741824) ide0:1[virtio]=(134217728)" +
			" nic(E1000  GigabitEthernet0_0 0) nic(E1000  GigabitEthernet0_1 0)"},
		"cot-ubuntu.2.0.ovf": {"ubuntu 1/0 512M bios sata0:0[AHCI]=ubuntu.2.0-disk1.vmdk(8589934592) nic(E1000 08:00:27:2a:fb:4e NAT 0)"},
		"cot-vmware.ovf": {"vmw 2/1 1536M bios scsi0:0[virtio lsilogic]=input.vmdk(1073741824) nic(E1000  lanethernet0 32)" +
			" nic(E1000  lanethernet0 33) nic(E1000  lanethernet0 34) nic(E1000  lanethernet0 35)"},
		"pve-Win10-Liz.ovf": {"Win10-Liz 4/0 6144M scsi0:0[lsilogicsas]=Win10-Liz-disk1.vmdk(137438953472) nic(E1000e  bridged 0)"},
		"pve-Win_2008_R2_two-disks.ovf": {"Win_2008-R2x64 1/0 2048M scsi0:0[lsilogicsas]=disk1.vmdk(42949672960)" +
			" scsi0:1[lsilogicsas]=disk2.vmdk(1073741824) nic(E1000  bridged 0)"},
		"v2v-test-i-ova-gz.ovf":              {"2K8R2EESP1_2_Medium 1/0 1024M bios scsi0:0[lsilogicsas]=disk1.vmdk.gz(53687091200)gz nic(E1000  PG-VLAN60 33)"},
		"v2v-test-i-ova-tar.ovf":             {"2K8R2EESP1_2_Medium 1/0 1024M uefi scsi0:0[lsilogicsas]=disk1.vmdk(53687091200) nic(E1000  PG-VLAN60 33)"},
		"vbox-ovf-joomla-0.9.ovf":            {"joomla-1.1.4-ovf 1/0 256M scsi0:0[lsilogic]=joomla-1.1.4-ovf-0.vmdk(1610612736) scsi0:1[lsilogic]=joomla-1.1.4-ovf-1.vmdk(10737418240) nic(PCNet32  Network 1 0)"},
		"vbox-ovf-winhost-audio-nodisks.ovf": {"WinXP 1/0 512M bios nic(PCNet32 08:00:27:fd:ec:62 NAT 0)"},
		"virtmgr-CentOS-6.4-i386-Gnome.ovf":  {"CentOS-6.4-i386-Gnome 1/0 512M bios sata0:0[AHCI]=CentOS-6.4-i386-Gnome-disk1.vmdk(19327352832) nic(E1000 08:00:27:c3:b0:f9 NAT 0)"},
		"virtmgr-test2.ovf":                  {"w2k3 32bit 1/0 1024M scsi0:0[lsilogic]=w2k3 32bit-disk1.vmdk(8589934592) nic(E1000  VM Network 0)"},
		"xenadmin-sample_app.ovf":            {"Web server 1/0 64M 0:0=5936bc8c-20ae-4052-9083-b8e5b96dc683.vhd(10485760)"},
		"openvmdk-template-hw7.ovf":          {"@@NAME@@ 0/0 0M bios scsi0:0[VirtualSCSI]=@@NAME@@-disk1.vmdk(0) nic(VmxNet3  VM Network 0)"},
		"govmomi/configspec.ovf":             {"haproxy 2/1 4096M bios scsi0:0[lsilogic]=haproxy.ova.vmdk(21474836480) nic(VmxNet3  Management 160) nic(VmxNet3  Workload 192)"},
		"govmomi/deployment-configs.ovf": {"deployment-configs-vm 8/0 8192M scsi0:0[lsilogic]=system-large.vmdk(4294967296)" +
			" scsi0:1[lsilogic]=model-large.vmdk(4294967296) scsi0:2[lsilogic]=(4294967296) nic(VmxNet3  Management 0)"},
		"govmomi/disk-capacity-property.ovf": {"disk-capacity-property-vm 1/0 512M scsi0:0[lsilogic]=(5368709120)"},
		"govmomi/mixed-disks.ovf":            {"mixed-disks-vm 1/0 512M scsi0:0[lsilogic]=os.vmdk(21474836480) scsi0:1[lsilogic]=(10737418240)"},
		"govmomi/file-ref-path.ovf":          {"file-ref-path-vm 1/0 512M scsi0:0[lsilogic]=subdir/data.vmdk(10737418240)"},
		"govmomi/external__2011OVFs__sunVHW-DiskTypes__sunVHW-DiskTypes.ovf": {
			"sunvhw-sas 1/0 1024M scsi0:0[lsilogicsas]=sunVHW-DiskTypes-disk1.vmdk(1073741824) scsi0:1[lsilogicsas]=sunVHW-DiskTypes-disk2.vmdk(1073741824) nic(E1000  VM Network 0)",
			"sunvhw-pv 1/0 1024M scsi0:0[VirtualSCSI]=sunVHW-DiskTypes-disk3.vmdk(1073741824) scsi0:1[VirtualSCSI]=sunVHW-DiskTypes-disk4.vmdk(1073741824) nic(E1000  VM Network 0)",
		},
		"govmomi/external__DeleteHDTestdata__IdeSas__IdeSas.ovf": {"Vm1 1/1 256M bios ide1:1=IdeSas-disk1.vmdk(8388608) scsi1:1[lsilogicsas]=IdeSas-disk2.vmdk(8388608) nic(PCNet32 00:50:56:0e:00:fa VappNetworks 0)"},
		"govmomi/external__oldOvfs__xp_deltaDisk__xp_deltaDisk.ovf": {"xp_deltaDisk 2/0 512M scsi0:0[lsilogic]=xp_deltaDisk-disk1.vmdk(1610612736)" +
			" scsi0:1[lsilogic]=xp_deltaDisk-disk2.vmdk(2147483648) scsi0:2[lsilogic]=xp_deltaDisk-disk3.vmdk(1073741824) nic(PCNet32  dvportgroup-4590 0) nic(PCNet32  dvportgroup-4591 0)"},
		"govmomi/external__non-ascii__chinese__chinese_characters.ovf":        {"虚拟机 1/1 40M scsi0:0[lsilogicsas]=虚拟机-1.vmdk(41943040) nic(E1000  VM Network 0)"},
		"govmomi/external__pci-passthrough__legacy__pci-legacy-2-devices.ovf": {"pci-legacy-2-devices 1/1 2048M uefi secure scsi0:0[VirtualSCSI]=pci-legacy-2-devices-1.vmdk(2147483648) nic(VmxNet3  VM Network 0)"},
		"govmomi/external__guestos__Windows8_ent_x32__WINDOWS8_ENT_X32.ovf":   {"WINDOWS8_ENT_X32 4/0 4096M bios ide0:0=WINDOWS8_ENT_X32-disk1.vmdk(64424509440) nic(E1000  VM Network 32) nic(E1000  InternalNetwork 34)"},
		"govmomi/external__ovf_with_media__minimal_VM_OVF10__VM_OVF09.ovf":    {"CentOS 6 JeOS - Minimal 1/0 512M scsi0:0[lsilogic]=system.vmdk(2147483648) nic(PCNet32  Network 1 0)"},
		"govmomi/ttylinux.ovf": {"ttylinux-pc_i486-16.1 1/0 32M ide0:0=ttylinux-pc_i486-16.1-disk1.vmdk(31457280) nic(E1000  nat 0)"},
		"govmomi/external__security-test-content__ovf__negative-size-disk__haoUnOS2VMs.ovf": {"vm2 1/0 32M scsi0:0[lsilogic]=haoUnOS2VMs-disk1.vmdk(2097152) nic(PCNet32  none 0)", "vm1 1/0 32M scsi0:0[lsilogic]=haoUnOS2VMs-disk2.vmdk(2097152) nic(PCNet32  none 0)"},
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := Parse(bytes.NewReader(readFixture(t, "ovf/"+name)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range p.Systems {
				got = append(got, describe(m))
			}
			if !slices.Equal(got, want) {
				t.Errorf("got\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
			}
		})
	}
}

// TestEveryFixtureParses reads all descriptors; those that rightly do not parse must say so in these words.
func TestEveryFixtureParses(t *testing.T) {
	refused := map[string]string{
		"cot-invalid.ovf":                      `disk "flash2": description is not valid: it names the file "flash2", which the References do not list`,
		"empty.ovf":                            "there is no VirtualSystem in it",
		"external__policy__nostalgia-vapp.ovf": "there is no VirtualSystem in it",
	}
	var files []string
	for _, pattern := range []string{"ovf/*.ovf", "ovf/govmomi/*.ovf"} {
		found, err := filepath.Glob(filepath.Join(disktest.FixtureDir(t), pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 80 {
		t.Fatalf("%d descriptors found, there should be 80 and more", len(files))
	}
	for _, f := range files {
		name := filepath.Base(f)
		rel, _ := filepath.Rel(disktest.FixtureDir(t), f)
		p, err := Parse(bytes.NewReader(readFixture(t, rel)))
		switch want := refused[name]; {
		case want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, machine.ErrDescriptor)):
			t.Errorf("%s: error %v, wanted %q", name, err, want)
		case err == nil:
			checkPackage(t, name, p)
		}
	}
}

// checkPackage holds what must be true of every package that parses.
func checkPackage(t *testing.T, name string, p *Package) {
	t.Helper()
	if len(p.Systems) == 0 {
		t.Errorf("%s: no system", name)
	}
	for _, m := range p.Systems {
		for _, d := range m.Disks {
			if d.File != "" {
				if clean, err := machine.RelativeName(d.File); err != nil || clean != d.File {
					t.Errorf("%s: disk %q has the file %q: %v", name, d.ID, d.File, err)
				}
			}
			if d.Blank() && (d.Capacity <= 0 || d.Capacity > MaxCapacity) {
				t.Errorf("%s: blank disk %q has %d bytes", name, d.ID, d.Capacity)
			}
			if d.Capacity < 0 || d.FileBytes < 0 || d.ChunkBytes < 0 || d.Unit < 0 || d.Controller < 0 {
				t.Errorf("%s: disk with a negative number: %+v", name, d)
			}
		}
		sorted := slices.Clone(m.Disks)
		machine.SortDisks(sorted)
		if !slices.Equal(sorted, m.Disks) {
			t.Errorf("%s: disks of %q are not in the guest's order", name, m.Name)
		}
		if m.CPUs < 0 || m.MemoryMiB < 0 || m.Disks == nil || m.NICs == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// envelope wraps references, sections and hardware items into a descriptor without namespaces.
func envelope(references, disks, items string) string {
	return "<Envelope><References>" + references + "</References><DiskSection>" + disks + "</DiskSection>" +
		"<VirtualSystem id='vm'><VirtualHardwareSection>" + items + "</VirtualHardwareSection></VirtualSystem></Envelope>"
}

// drive is a hardware item with a disk in it.
func drive(host string) string {
	return "<Item><InstanceID>9</InstanceID><ResourceType>17</ResourceType><HostResource>" + host + "</HostResource></Item>"
}

func TestParse(t *testing.T) {
	one := "<File id='f' href='a.vmdk'/>"
	disk := "<Disk diskId='d' fileRef='f' capacity='1' capacityAllocationUnits='byte * 2^30'/>"
	cases := []struct{ name, in, want string }{
		{"no namespaces", envelope(one, disk, drive("ovf:/disk/d")), "vm 0/0 0M 0:0=a.vmdk(1073741824)"},
		{"two slashes", envelope(one, disk, drive("ovf://disk/d")), "vm 0/0 0M 0:0=a.vmdk(1073741824)"},
		{"old host resource", envelope(one, disk, drive("/disk/d")), "vm 0/0 0M 0:0=a.vmdk(1073741824)"},
		{"bare host resource", envelope(one, disk, drive("disk/d")), "vm 0/0 0M 0:0=a.vmdk(1073741824)"},
		{"the file itself", envelope(one, disk, drive("ovf:/file/f")), "vm 0/0 0M 0:0=a.vmdk(0)"},
		{"odd prefixes", `<x:Envelope xmlns:x="urn:x"><x:References><x:File x:id='f' x:href='a.vmdk'/></x:References><x:DiskSection><x:Disk x:diskId='d' x:fileRef='f'/></x:DiskSection>` +
			`<x:VirtualSystem x:id='vm'><x:VirtualHardwareSection>` + drive("ovf:/disk/d") + `</x:VirtualHardwareSection></x:VirtualSystem></x:Envelope>`, "vm 0/0 0M 0:0=a.vmdk(0)"},
		{"percent escapes", envelope("<File id='f' href='my%20disk%2Evmdk'/>", disk, drive("ovf:/disk/d")), "vm 0/0 0M 0:0=my disk.vmdk(1073741824)"},
		{"a bare percent", envelope("<File id='f' href='100%.vmdk'/>", disk, drive("ovf:/disk/d")), "vm 0/0 0M 0:0=100%.vmdk(1073741824)"},
		{"dot slash", envelope("<File id='f' href='./a/./b.vmdk'/>", disk, drive("ovf:/disk/d")), "vm 0/0 0M 0:0=a/b.vmdk(1073741824)"},
		{"an ISO by URL is left alone", envelope(one+"<File id='i' href='https://example.com/x.iso'/>", disk, drive("ovf:/disk/d")), "vm 0/0 0M 0:0=a.vmdk(1073741824)"},
		{"disks without drives", envelope(one, disk, ""), "vm 0/0 0M 0:0=a.vmdk(1073741824)"},
		{"gzip", envelope("<File id='f' href='a.vmdk' compression='gzip'/>", disk, drive("ovf:/disk/d")), "vm 0/0 0M 0:0=a.vmdk(1073741824)gz"},
		{"memory without units", envelope("", "", "<Item><ResourceType>4</ResourceType><VirtualQuantity>512</VirtualQuantity></Item>"), "vm 0/0 512M"},
		{"memory in GB", envelope("", "", "<Item><ResourceType>4</ResourceType><AllocationUnits>GB</AllocationUnits><VirtualQuantity>1.5</VirtualQuantity></Item>"), "vm 0/0 1536M"},
		{"memory in bytes", envelope("", "", "<Item><ResourceType>4</ResourceType><AllocationUnits>byte</AllocationUnits><VirtualQuantity>1073741824</VirtualQuantity></Item>"), "vm 0/0 1024M"},
		{"memory nonsense falls back", envelope("", "", "<Item><ResourceType>4</ResourceType><VirtualQuantity>lots</VirtualQuantity></Item>"), "vm 0/0 0M"},
		{"ranges are no processors", envelope("", "", "<Item><ResourceType>3</ResourceType><VirtualQuantity>2</VirtualQuantity></Item><Item bound='max'><ResourceType>3</ResourceType><VirtualQuantity>64</VirtualQuantity></Item>"), "vm 2/0 0M"},
		{"nvme and sata", envelope("<File id='f' href='a'/><File id='g' href='b'/>", "<Disk diskId='d' fileRef='f'/><Disk diskId='e' fileRef='g'/>",
			"<Item><InstanceID>1</InstanceID><ResourceType>20</ResourceType><ResourceSubType>vmware.nvme.controller</ResourceSubType></Item>"+
				"<Item><InstanceID>2</InstanceID><ResourceType>20</ResourceType><ResourceSubType>vmware.sata.ahci</ResourceSubType></Item>"+
				"<Item><InstanceID>3</InstanceID><ResourceType>17</ResourceType><Parent>1</Parent><HostResource>ovf:/disk/d</HostResource><AddressOnParent>3</AddressOnParent></Item>"+
				"<Item><InstanceID>4</InstanceID><ResourceType>17</ResourceType><Parent>2</Parent><HostResource>ovf:/disk/e</HostResource></Item>"),
			"vm 0/0 0M sata0:0[vmware.sata.ahci]=b(0) nvme0:3[vmware.nvme.controller]=a(0)"},
		{"latin1", "<?xml version='1.0' encoding='ISO-8859-1'?>" + envelope("<File id='f' href='caf\xe9.vmdk'/>", disk, drive("ovf:/disk/d")), "vm 0/0 0M 0:0=café.vmdk(1073741824)"},
		{"utf-16", utf16LE("<?xml version='1.0' encoding='UTF-16'?>" + envelope("<File id='f' href='é.vmdk'/>", disk, drive("ovf:/disk/d"))), "vm 0/0 0M 0:0=é.vmdk(1073741824)"},
		{"collection in a collection", "<Envelope><VirtualSystemCollection><VirtualSystemCollection><VirtualSystem id='in'/></VirtualSystemCollection></VirtualSystemCollection></Envelope>", "in 0/0 0M"},
		{"property of the collection", "<Envelope><DiskSection><Disk diskId='d' capacity='${net.size.1}' capacityAllocationUnits='GB'/></DiskSection><VirtualSystemCollection>" +
			"<ProductSection class='net' instance='1'><Property key='size' value='3'/></ProductSection><VirtualSystem id='vm'><VirtualHardwareSection>" + drive("ovf:/disk/d") +
			"</VirtualHardwareSection></VirtualSystem></VirtualSystemCollection></Envelope>", "vm 0/0 0M 0:0=(3221225472)"},
		{"second hardware section has the items", "<Envelope><VirtualSystem id='vm'><VirtualHardwareSection/><VirtualHardwareSection><Item><ResourceType>3</ResourceType><VirtualQuantity>7</VirtualQuantity></Item></VirtualHardwareSection></VirtualSystem></Envelope>", "vm 7/0 0M"},
		{"virtualbox with EFI", "<Envelope><VirtualSystem id='vm'><Machine><Hardware><Firmware type='EFI'/></Hardware></Machine></VirtualSystem></Envelope>", "vm 0/0 0M uefi"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse(strings.NewReader(c.in))
			if err != nil {
				t.Fatal(err)
			}
			checkPackage(t, c.name, p)
			if got := describe(p.Systems[0]); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestChunksAndParents(t *testing.T) {
	p, err := Parse(strings.NewReader(envelope(
		"<File id='f' href='base.vmdk' size='100' chunkSize='40'/><File id='g' href='delta.vmdk'/>",
		"<Disk diskId='base' fileRef='f' capacity='1048576'/><Disk diskId='delta' fileRef='g' capacity='1048576' parentRef='base'/>",
		drive("ovf:/disk/delta"))))
	if err != nil {
		t.Fatal(err)
	}
	d := p.Systems[0].Disks
	if len(d) != 1 || d[0].Parent != "base" {
		t.Fatalf("disks %+v", d)
	}
	up, ok := p.Disk("base")
	if !ok || up.File != "base.vmdk" || up.ChunkBytes != 40 || up.FileBytes != 100 {
		t.Errorf("parent %+v %v", up, ok)
	}
	for _, w := range p.Warnings {
		t.Errorf("warning %s", w)
	}
}

func TestRefusals(t *testing.T) {
	one := "<File id='f' href='a.vmdk'/>"
	withHref := func(href string) string {
		return envelope("<File id='f' href='"+href+"'/>", "<Disk diskId='d' fileRef='f'/>", drive("ovf:/disk/d"))
	}
	var bomb strings.Builder
	bomb.WriteString("<Envelope>")
	for range MaxElements {
		bomb.WriteString("<a/>")
	}
	bomb.WriteString("</Envelope>")
	cases := []struct {
		name, in string
		kind     error
		says     string
	}{
		{"empty", "", machine.ErrDescriptor, "no XML element"},
		{"not XML", "hello", machine.ErrDescriptor, ""},
		{"another document", "<domain/>", machine.ErrDescriptor, "<domain>"},
		{"cut", "<Envelope><References>", machine.ErrDescriptor, "line 1"},
		{"wrong end tag", "<Envelope></Envelop>", machine.ErrDescriptor, "</Envelop>"},
		{"two documents", "<Envelope/><Envelope/>", machine.ErrDescriptor, "second document"},
		{"DTD", "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><Envelope>&a;</Envelope>", machine.ErrDescriptor, "document type declaration"},
		{"entity", "<Envelope>&a;</Envelope>", machine.ErrDescriptor, "entity"},
		{"too deep", strings.Repeat("<Envelope>", MaxDepth+1), machine.ErrLimit, "deeper than 64"},
		{"too many elements", bomb.String(), machine.ErrLimit, "100000 elements"},
		{"too large", strings.Repeat(" ", MaxBytes+1), machine.ErrLimit, "4194304"},
		{"unknown character set", "<?xml version='1.0' encoding='EBCDIC-CP-US'?><Envelope/>", machine.ErrUnsupported, "EBCDIC"},
		{"URL", withHref("http://169.254.169.254/x.vmdk"), machine.ErrMember, "URL"},
		{"json pseudo protocol", withHref("json:{}"), machine.ErrMember, "URL"},
		{"absolute", withHref("/etc/passwd"), machine.ErrMember, "absolute"},
		{"parent directory", withHref("a/../../b"), machine.ErrMember, "outside"},
		{"escaped parent directory", withHref("..%2fb"), machine.ErrMember, "outside"},
		{"escaped slash", withHref("%2fetc%2fpasswd"), machine.ErrMember, "absolute"},
		{"escaped zero", withHref("a%00b"), machine.ErrMember, "control"},
		{"backslash", withHref(`a\b`), machine.ErrMember, "backslash"},
		{"no href", withHref(""), machine.ErrMember, "empty"},
		{"same file ID", envelope(one+one, "", ""), machine.ErrDescriptor, "two files"},
		{"same disk ID", envelope(one, "<Disk diskId='d' fileRef='f'/><Disk diskId='d' fileRef='f'/>", ""), machine.ErrDescriptor, "two disks"},
		{"disk of no ID", envelope(one, "<Disk fileRef='f'/>", ""), machine.ErrDescriptor, "no diskId"},
		{"unknown file", envelope("", "<Disk diskId='d' fileRef='f'/>", ""), machine.ErrDescriptor, `"f"`},
		{"unknown disk", envelope(one, "", drive("ovf:/disk/d")), machine.ErrDescriptor, `"d"`},
		{"unknown kind of host resource", envelope(one, "", drive("ovf:/cow/d")), machine.ErrDescriptor, "ovf:/disk/ID"},
		{"unknown compression", envelope("<File id='f' href='a' compression='rar'/>", "<Disk diskId='d' fileRef='f'/>", ""), machine.ErrUnsupported, "rar"},
		{"blank disk of no size", envelope("", "<Disk diskId='d'/>", drive("ovf:/disk/d")), machine.ErrDescriptor, "capacity"},
		{"blank disk of negative size", envelope("", "<Disk diskId='d' capacity='-1'/>", drive("ovf:/disk/d")), machine.ErrDescriptor, "negative"},
		{"blank disk with an exponent", envelope("", "<Disk diskId='d' capacity='1e999999999'/>", drive("ovf:/disk/d")), machine.ErrDescriptor, "1e999999999"},
		{"blank disk beyond 64 bits", envelope("", "<Disk diskId='d' capacity='9223372036854775808' capacityAllocationUnits='byte * 2^63'/>", drive("ovf:/disk/d")), machine.ErrLimit, "more than"},
		{"unknown units", envelope("", "<Disk diskId='d' capacity='1' capacityAllocationUnits='furlong'/>", drive("ovf:/disk/d")), machine.ErrDescriptor, "furlong"},
		{"property that is not there", envelope("", "<Disk diskId='d' capacity='${x}'/>", drive("ovf:/disk/d")), machine.ErrDescriptor, "${x}"},
		{"unknown parent", envelope(one, "<Disk diskId='d' fileRef='f' parentRef='p'/>", ""), machine.ErrDescriptor, `"p"`},
		{"loop of parents", envelope(one, "<Disk diskId='d' fileRef='f' parentRef='e'/><Disk diskId='e' fileRef='f' parentRef='d'/>", ""), machine.ErrLimit, "loop"},
		{"two devices of one ID", envelope("", "", "<Item><InstanceID>1</InstanceID></Item><Item><InstanceID>1</InstanceID></Item>"), machine.ErrDescriptor, "InstanceID"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse(strings.NewReader(c.in))
			if p != nil || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("package %v, error %v; wanted nil and %q saying %q", p, err, c.kind, c.says)
			}
		})
	}
}

func TestHostileFixtures(t *testing.T) {
	if _, err := Parse(bytes.NewReader(readFixture(t, "hostile/made/ovf-billion-laughs.ovf"))); !errors.Is(err, machine.ErrDescriptor) {
		t.Errorf("billion laughs: %v", err)
	}
}

func TestUnits(t *testing.T) {
	for unit, want := range map[string]int64{
		"byte": 1, "byte * 2^30": gib, "byte*1024*1024": 1 << 20, "bytes * 2 ^ 10": 1024, "MegaBytes": 1 << 20, "KiloBytes": 1 << 10, "GigaBytes": gib,
		"byte * 10^6": 1_000_000, "MB": 1 << 20, "byte * 2^40": 1 << 40, "": 7, "byte * 2^0": 1,
	} {
		if got, err := parseUnit(unit, 7); err != nil || got.Int64() != want {
			t.Errorf("%q: %v %v, want %d", unit, got, err, want)
		}
	}
	for _, unit := range []string{"hertz * 10^6", "byte * 2^64", "byte * -2", "byte * 2^-1", "byte + 1", "2^30", "byte * 2^" + strings.Repeat("9", 1000), "byte" + strings.Repeat("*2", 100)} {
		if got, err := parseUnit(unit, 1); !errors.Is(err, machine.ErrDescriptor) {
			t.Errorf("%q: %v %v", unit, got, err)
		}
	}
}

// utf16LE encodes a text with its byte order mark.
func utf16LE(s string) string {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return string(out)
}

// maxSeed keeps the seeds small enough for a fuzzer to work with.
const maxSeed = 100 << 10

// FuzzParse holds of any text that it is a package or gives one kind of error.
func FuzzParse(f *testing.F) {
	patterns := []string{"ovf/cot-*.ovf", "ovf/vbox-*.ovf", "ovf/govmomi/[a-m]*.ovf"}
	disktest.Seeds(f, maxSeed, func(x disktest.Fixture) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, x.Name); return ok })
	}, func(b []byte) { f.Add(b) })
	f.Add([]byte(envelope("<File id='f' href='a.vmdk' size='5' compression='gzip' chunkSize='3'/>", "<Disk diskId='d' fileRef='f' capacity='3' capacityAllocationUnits='byte * 2^20'/>", drive("ovf:/disk/d"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(bytes.NewReader(b))
		if (p == nil) == (err == nil) {
			t.Fatalf("package %v with error %v", p, err)
		}
		if err != nil {
			for _, kind := range []error{machine.ErrDescriptor, machine.ErrUnsupported, machine.ErrMember, machine.ErrLimit} {
				if errors.Is(err, kind) {
					return
				}
			}
			t.Fatalf("error of no kind: %v", err)
		}
		checkPackage(t, "fuzz", p)
		if len(p.Warnings) > maxWarnings {
			t.Fatalf("%d warnings", len(p.Warnings))
		}
	})
}
