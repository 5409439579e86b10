package convert

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

// ovfDisk is one disk of a descriptor that a test writes; without a file it is blank.
type ovfDisk struct {
	file     string
	size     int
	attrs    string // further attributes of the File
	capacity int
}

// ovfText writes a descriptor with a system of each name, which all have the same disks.
func ovfText(disks []ovfDisk, systems ...string) string {
	var refs, section, items strings.Builder
	for i, d := range disks {
		fileRef := ""
		if d.file != "" {
			fmt.Fprintf(&refs, `<File ovf:id="file%d" ovf:href="%s" ovf:size="%d" %s/>`, i, d.file, d.size, d.attrs)
			fileRef = fmt.Sprintf(`ovf:fileRef="file%d"`, i)
		}
		fmt.Fprintf(&section, `<Disk ovf:diskId="disk%d" ovf:capacity="%d" %s/>`, i, d.capacity, fileRef)
		fmt.Fprintf(&items, `<Item><rasd:AddressOnParent>%d</rasd:AddressOnParent><rasd:ElementName>d</rasd:ElementName>
			<rasd:HostResource>ovf:/disk/disk%d</rasd:HostResource><rasd:InstanceID>%d</rasd:InstanceID><rasd:Parent>3</rasd:Parent>
			<rasd:ResourceType>17</rasd:ResourceType></Item>`, i, i, 10+i)
	}
	var vms strings.Builder
	for _, name := range systems {
		fmt.Fprintf(&vms, `<VirtualSystem ovf:id="%s"><Info>vm</Info><Name>%s</Name><VirtualHardwareSection><Info>hw</Info>
			<Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>4</rasd:VirtualQuantity></Item>
			<Item><rasd:InstanceID>3</rasd:InstanceID><rasd:ElementName>sata</rasd:ElementName><rasd:ResourceSubType>AHCI</rasd:ResourceSubType><rasd:ResourceType>20</rasd:ResourceType></Item>
			%s</VirtualHardwareSection></VirtualSystem>`, name, name, items.String())
	}
	body := vms.String()
	if len(systems) > 1 {
		body = `<VirtualSystemCollection ovf:id="all"><Info>all</Info>` + body + `</VirtualSystemCollection>`
	}
	return `<?xml version="1.0"?><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
		xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">
		<References>` + refs.String() + `</References><DiskSection><Info>d</Info>` + section.String() + `</DiskSection>` + body + `</Envelope>`
}

type member struct {
	name    string
	content []byte
}

func tarOf(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		if err := w.WriteHeader(&tar.Header{Name: m.name, Size: int64(len(m.content)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func mfOf(members ...member) []byte {
	var b strings.Builder
	for _, m := range members {
		fmt.Fprintf(&b, "SHA256(%s)= %x\n", m.name, sha256.Sum256(m.content))
	}
	return []byte(b.String())
}

func TestOVA(t *testing.T) {
	first, second := sample(2<<20, 3), sample(1<<20, 9)
	b := newBench(t)
	b.req.Job.Convert.Format = "raw"
	one := member{"vm-disk1.vmdk", encodeImage(t, "vmdk", first)}
	two := member{"vm-disk2.vmdk", encodeImage(t, "vmdk", second)}
	desc := member{"vm.ovf", []byte(ovfText([]ovfDisk{
		{file: two.name, size: len(two.content), capacity: 1 << 20}, {capacity: 3 << 20}, {file: one.name, size: len(one.content), capacity: 2 << 20},
	}, "vm"))}
	b.write("vm.ova", tarOf(t, desc, member{"vm.mf", mfOf(desc, one, two)}, one, two))
	b.req.Entry = "vm.ova"
	report := b.good()
	if len(report.Disks) != 3 || report.Disks[0].Source != two.name || report.Disks[1].Source != blankName || report.Disks[2].Source != one.name {
		t.Fatalf("disks %+v", report.Disks)
	}
	if !bytes.Equal(b.content("web01.raw", "raw"), second) || !bytes.Equal(b.content("web01-disk3.raw", "raw"), first) ||
		len(bytes.Trim(b.content("web01-disk2.raw", "raw"), "\x00")) > 0 {
		t.Error("the content differs")
	}
	m := report.Machine.(*machine.Machine)
	if m.CPUs != 4 || m.Disks[0].Bus != machine.BusSATA || m.Name != "web01" {
		t.Errorf("%+v", m)
	}
	if p := b.events.progress[StageLoad]; p[0] == 0 || p[0] != p[1] {
		t.Errorf("checksums were read without progress: %v", p)
	}
}

func TestOVAChecksumDiffers(t *testing.T) {
	b := newBench(t)
	disk := member{"d.vmdk", encodeImage(t, "vmdk", sample(1<<20, 3))}
	desc := member{"vm.ovf", []byte(ovfText([]ovfDisk{{file: disk.name, size: len(disk.content), capacity: 1 << 20}}, "vm"))}
	wrong := mfOf(desc, member{disk.name, []byte("other")})
	b.write("vm.ova", tarOf(t, desc, disk, member{"vm.mf", wrong}))
	b.req.Entry = "vm.ova"
	b.bad(StageLoad, manifest.CodeMachineChecksum, "d.vmdk")
}

func TestOVFBesideItsDisks(t *testing.T) {
	content := sample(1<<20, 3)
	image := encodeImage(t, "vmdk", content)
	text := ovfText([]ovfDisk{{file: "disks/d%201.vmdk", size: len(image), capacity: 1 << 20}}, "vm")
	write := func(b *bench) {
		b.write("vm.ovf", []byte(text))
		b.write("disks/d 1.vmdk", image)
		b.write("vm.mf", mfOf(member{"vm.ovf", []byte(text)}, member{"disks/d 1.vmdk", image}))
	}
	for name, source := range map[string]func(*bench){
		"entry":  func(b *bench) { b.req.Entry = "vm.ovf" },
		"folder": func(*bench) {},
		"manifest": func(b *bench) {
			b.req.Job.Source.Disks = []manifest.SourceDisk{{Path: "vm.ovf"}}
			b.req.Job.Source.Type = "ovf"
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			write(b)
			source(b)
			b.good()
			if !bytes.Equal(b.content("web01.qcow2", "qcow2"), content) {
				t.Error("the content differs")
			}
			if p := b.events.progress[StageLoad]; p[0] != int64(len(text)+len(image)) {
				t.Errorf("verified %v", p)
			}
		})
	}
	b := newBench(t)
	write(b)
	b.write("vm.mf", mfOf(member{"vm.ovf", []byte("other")}))
	b.req.Entry = "vm.ovf"
	b.bad(StageLoad, manifest.CodeMachineChecksum, "vm.ovf")

	b = newBench(t)
	b.write("vm.ovf", []byte(text))
	b.req.Entry = "vm.ovf"
	b.bad(StageLoad, manifest.CodeSourceMissing, "d 1.vmdk")
}

func TestOVFRefusals(t *testing.T) {
	image := encodeImage(t, "vmdk", sample(1<<20, 3))
	for _, tc := range []struct {
		name  string
		disks []ovfDisk
		vms   []string
		code  string
		says  string
	}{
		{"no chunk", []ovfDisk{{file: "d.vmdk", attrs: `ovf:chunkSize="1000"`, capacity: 1 << 20}}, []string{"vm"}, manifest.CodeSourceMissing, "d.vmdk.000000000"},
		{"outside", []ovfDisk{{file: "../d.vmdk", capacity: 1 << 20}}, []string{"vm"}, manifest.CodeMachineMember, "outside"},
		{"absolute", []ovfDisk{{file: "/etc/passwd", capacity: 1 << 20}}, []string{"vm"}, manifest.CodeMachineMember, "absolute"},
		{"two systems", []ovfDisk{{file: "d.vmdk", capacity: 1 << 20}}, []string{"a", "b"}, manifest.CodeMachineSeveral, `"a", "b"`},
		{"no disk", nil, []string{"vm"}, manifest.CodeMachineNoDisk, "no disk"},
		{"blank without size", []ovfDisk{{}}, []string{"vm"}, manifest.CodeMachineDescriptor, "capacity"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.write("d.vmdk", image)
			b.write("vm.ovf", []byte(ovfText(tc.disks, tc.vms...)))
			b.req.Entry = "vm.ovf"
			b.bad(StageLoad, tc.code, tc.says)
		})
	}
}

func TestSystemIsPickedByName(t *testing.T) {
	b := newBench(t)
	b.image("d.vmdk", "vmdk", sample(1<<20, 3))
	b.write("vm.ovf", []byte(ovfText([]ovfDisk{{file: "d.vmdk", capacity: 1 << 20}}, "db01", "web01")))
	b.req.Job.Source.Disks = []manifest.SourceDisk{{Path: "vm.ovf"}}
	b.good()
}

func TestVMX(t *testing.T) {
	content := sample(1<<20, 3)
	b := newBench(t)
	b.image("Disk 1.vmdk", "vmdk", content)
	b.write("vm.vmx", []byte(`.encoding = "UTF-8"
config.version = "8"
virtualHW.version = "19"
numvcpus = "2"
memsize = "1024"
firmware = "efi"
sata0.present = "TRUE"
sata0:0.present = "TRUE"
sata0:0.fileName = "Disk 1.vmdk"
`))
	b.req.Entry = "vm.vmx"
	report := b.good()
	m := report.Machine.(*machine.Machine)
	if m.MemoryMiB != 1024 || m.Firmware != machine.FirmwareUEFI {
		t.Errorf("%+v", m)
	}
	if !bytes.Equal(b.content("web01.qcow2", "qcow2"), content) {
		t.Error("the content differs")
	}
}

// An image says which files it needs; what another image needs is no disk of its own.
func TestFolderOfDisks(t *testing.T) {
	b := newBench(t)
	flat := sample(1<<20, 3)
	b.write("vm-flat.vmdk", flat)
	b.write("vm.vmdk", []byte("# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\n"+
		"RW 2048 FLAT \"vm-flat.vmdk\" 0\nddb.adapterType = \"lsilogic\"\n"))
	b.write("vm-ctk.vmdk", []byte{1, 2, 3})
	b.write("vm.nvram", []byte("x"))
	b.write("._vm.ovf", []byte("x"))
	second, tenth := sample(2<<20, 5), sample(3<<20, 6)
	b.image("vm_10.qcow2", "qcow2", tenth)
	b.image("vm_2.vmdk", "vmdk", second)
	b.req.Job.Convert.Format = "raw"
	report := b.good()
	var names []string
	for _, d := range report.Disks {
		names = append(names, d.Source)
	}
	if !slices.Equal(names, []string{"vm.vmdk", "vm_2.vmdk", "vm_10.qcow2"}) {
		t.Fatalf("disks %v", names)
	}
	for name, want := range map[string][]byte{"web01.raw": flat, "web01-disk2.raw": second, "web01-disk3.raw": tenth} {
		if !bytes.Equal(b.content(name, "raw"), want) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestFolderRefusals(t *testing.T) {
	image := encodeImage(t, "vmdk", sample(1<<20, 3))
	for _, tc := range []struct {
		name  string
		files map[string]string
		code  string
		says  string
	}{
		{"nothing", map[string]string{"readme.txt": "x"}, manifest.CodeMachineNoDisk, "no disk"},
		{"two descriptions", map[string]string{"a.ovf": "x", "b.vmx": "x"}, manifest.CodeMachineSeveral, `"a.ovf", "b.vmx"`},
		{"a broken disk", map[string]string{"a.vmdk": string(image), "b.vmdk": "nonsense"}, manifest.CodeSourceUnknown, "b.vmdk"},
		{"an empty disk", map[string]string{"a.vmdk": string(image), "b.vmdk": ""}, manifest.CodeSourceEmpty, "b.vmdk"},
		{"a lost extent", map[string]string{"a.vmdk": "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\n" +
			"RW 2048 FLAT \"a-flat.vmdk\" 0\n"}, manifest.CodeImageMissing, "a-flat.vmdk"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			for name, content := range tc.files {
				b.write(name, []byte(content))
			}
			b.bad(StageLoad, tc.code, tc.says)
		})
	}
}

func TestSourceRefusals(t *testing.T) {
	b0 := newBench(t)
	secret := b0.path("secret.img")
	b0.write("secret.img", sample(1<<20, 3))
	for _, tc := range []struct {
		name string
		edit func(*bench)
		code string
		says string
	}{
		{"not there", func(b *bench) { b.req.Entry = "gone.vmdk" }, manifest.CodeSourceMissing, "gone.vmdk"},
		{"went away", func(b *bench) {
			b.req.Entry, b.req.Files = "gone.img", map[string]string{"gone.img": b.path("gone.img")}
		}, manifest.CodeSourceMissing, "gone.img"},
		{"absolute without leave", func(b *bench) { b.req.Entry = secret }, manifest.CodePolicyPath, "secret.img"},
		{"link", func(b *bench) {
			if err := os.Symlink(secret, b.path("link.img")); err != nil {
				t.Fatal(err)
			}
			b.req.Entry = "link.img"
		}, manifest.CodeSourceNotRegular, "symbolic link"},
		{"directory", func(b *bench) {
			b.req.Entry, b.req.Files = "dir.img", map[string]string{"dir.img": b.dir}
		}, manifest.CodeSourceNotRegular, "directory"},
		{"empty", func(b *bench) { b.write("e.img", nil); b.req.Entry = "e.img" }, manifest.CodeSourceEmpty, "e.img"},
		{"noise with an image's name", func(b *bench) { b.write("n.vmdk", sample(1<<20, 3)); b.req.Entry = "n.vmdk" }, manifest.CodeSourceUnknown, "no known format"},
		{"noise without", func(b *bench) { b.write("n.doc", sample(1<<20, 3)); b.req.Entry = "n.doc" }, manifest.CodeSourceUnknown, "no known format"},
		{"text named ova", func(b *bench) { b.write("n.ova", []byte("hello")); b.req.Entry = "n.ova" }, manifest.CodeMachineDescriptor, "tar"},
		{"other format stated", func(b *bench) {
			b.image("d.img", "qcow2", sample(1<<20, 3))
			b.req.Job.Source.Disks = []manifest.SourceDisk{{Path: "d.img", Format: "vmdk"}}
		}, manifest.CodeSourceMismatch, "qcow2"},
		{"raw stated, qcow2 found", func(b *bench) {
			b.image("d.img", "qcow2", sample(1<<20, 3))
			b.req.Job.Source.Disks = []manifest.SourceDisk{{Path: "d.img", Format: "raw"}}
		}, manifest.CodeSourceMismatch, "qcow2"},
		{"ova stated", func(b *bench) {
			b.image("d.img", "raw", sample(1<<20, 3))
			b.req.Job.Source = manifest.Source{Type: "ova", Disks: []manifest.SourceDisk{{Path: "d.img"}}}
		}, manifest.CodeSourceMismatch, "type ova"},
		{"other size stated", func(b *bench) {
			b.image("d.img", "raw", sample(1<<20, 3))
			b.req.Job.Source.Disks = []manifest.SourceDisk{{Path: "d.img", Bytes: 77}}
		}, manifest.CodeSourceMismatch, "77 bytes"},
		{"package in a list", func(b *bench) {
			b.image("d.img", "raw", sample(1<<20, 3))
			b.write("vm.ovf", []byte(ovfText(nil, "vm")))
			b.req.Job.Source.Disks = []manifest.SourceDisk{{Path: "d.img"}, {Path: "vm.ovf"}}
		}, manifest.CodeMachineSeveral, "vm.ovf"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			tc.edit(b)
			b.bad(StageLoad, tc.code, tc.says)
			if entries, _ := os.ReadDir(b.req.Partial); len(entries) > 0 {
				t.Errorf("wrote %v", entries)
			}
		})
	}
}

// An absolute source opens what stands in its own directory, and nothing else.
func TestAbsoluteSource(t *testing.T) {
	b := newBench(t)
	far := t.TempDir()
	flat := sample(1<<20, 3)
	descriptor := "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\nRW 2048 FLAT \"%s\" 0\n"
	for name, content := range map[string][]byte{
		"a-flat.vmdk": flat, "a.vmdk": fmt.Appendf(nil, descriptor, "a-flat.vmdk"), "evil.vmdk": fmt.Appendf(nil, descriptor, "/etc/hostname"),
	} {
		if err := os.WriteFile(filepath.Join(far, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good, evil := filepath.Join(far, "a.vmdk"), filepath.Join(far, "evil.vmdk")
	b.req.Files = map[string]string{good: good}
	b.req.Job.Source.Disks = []manifest.SourceDisk{{Path: good}}
	b.good()
	if !bytes.Equal(b.content("web01.qcow2", "qcow2"), flat) {
		t.Error("the content differs")
	}
	b = newBench(t)
	b.req.Files = map[string]string{evil: evil}
	b.req.Job.Source.Disks = []manifest.SourceDisk{{Path: evil}}
	b.bad(StageLoad, manifest.CodeImageOutside, "/etc/hostname")
}

func TestManifestDisks(t *testing.T) {
	one, two, three := 1, 2, 3
	b := newBench(t)
	for i, name := range []string{"c.img", "a.img", "b.img"} {
		b.image(name, "raw", sample((i+1)<<20, 3))
	}
	b.req.Job.Source.Disks = []manifest.SourceDisk{{Path: "c.img", BootOrder: &three}, {Path: "a.img", BootOrder: &one}, {Path: "b.img", BootOrder: &two}}
	report := b.good()
	if report.Disks[0].Source != "a.img" || report.Disks[1].Source != "b.img" || report.Disks[2].Source != "c.img" || report.Disks[0].Output != "web01.qcow2" {
		t.Errorf("%+v", report.Disks)
	}
	secure := true
	b.req.Job.Machine = manifest.Machine{CPUs: 8, MemoryMiB: 512, Firmware: "uefi", SecureBoot: &secure, OSHint: "windows", NICs: []manifest.NIC{{MAC: "00:50:56:ab:cd:ef", Network: "lan"}}}
	m := describe(machine.Machine{CPUs: 1, Sockets: 1, OSType: "ubuntu64Guest", NICs: []machine.NIC{{}, {}}}, b.req.Job)
	if m.CPUs != 8 || m.Sockets != 0 || m.MemoryMiB != 512 || m.Firmware != machine.FirmwareUEFI || !m.SecureBoot || m.OSType != "ubuntu64Guest" || len(m.NICs) != 1 {
		t.Errorf("%+v", m)
	}
}
