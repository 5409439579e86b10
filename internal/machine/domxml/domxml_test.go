package domxml

import (
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"hyper2kvm/internal/machine"
)

// build builds a domain of plain disks at these places.
func build(t *testing.T, m machine.Machine, o Options, places ...machine.Disk) *Domain {
	t.Helper()
	var disks []Disk
	for i, p := range places {
		disks = append(disks, Disk{Path: fmt.Sprintf("/out/disk%d.qcow2", i+1), Format: "qcow2", Source: p})
	}
	d, err := Build(m, disks, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// places describes where the disks of a domain are: machine type, then device bus controller:bus:target:unit, * for the boot disk.
func places(d *Domain) string {
	out := []string{d.xml.OS.Type.Machine}
	for _, x := range d.xml.Devices.Disks {
		s := x.Target.Dev + " " + x.Target.Bus
		if p := x.Place; p != nil {
			s += fmt.Sprintf(" %d:%d:%d:%d", p.Controller, p.Bus, p.Target, p.Unit)
		}
		if x.Boot != nil {
			s += "*"
		}
		out = append(out, s)
	}
	for _, c := range d.xml.Devices.Controllers {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s%d %s", c.Type, c.Index, c.Model)))
	}
	return strings.Join(out, ", ")
}

// known is a machine that says everything, so that nothing is warned of but disks.
func known(f machine.Firmware) machine.Machine {
	return machine.Machine{Name: "vm", CPUs: 2, MemoryMiB: 1024, Firmware: f}
}

func TestDiskPlaces(t *testing.T) {
	ide := machine.Disk{Bus: machine.BusIDE}
	sata := machine.Disk{Bus: machine.BusSATA, Model: "AHCI"}
	lsi := machine.Disk{Bus: machine.BusSCSI, Model: "lsilogic"}
	sas := machine.Disk{Bus: machine.BusSCSI, Model: "lsilogicsas"}
	pv := machine.Disk{Bus: machine.BusSCSI, Model: "VirtualSCSI"}
	pv1 := machine.Disk{Bus: machine.BusSCSI, Model: "pvscsi", Controller: 1}
	bios, uefi := machine.FirmwareBIOS, machine.FirmwareUEFI
	for _, c := range []struct {
		name  string
		m     machine.Machine
		o     Options
		disks []machine.Disk
		want  string
		warns string // part of the only warning, "" for none
	}{
		{"virtio where proved", known(bios), Options{VirtioDisk: true}, []machine.Disk{lsi, ide}, "q35, vda virtio*, vdb virtio", ""},
		{"virtio where the source has it", known(bios), Options{}, []machine.Disk{{Bus: machine.BusVirtio}, {Bus: machine.BusSCSI, Model: "virtio lsilogic"}}, "q35, vda virtio*, vdb virtio", ""},
		{"SATA stays", known(uefi), Options{}, []machine.Disk{sata, sata}, "q35, sda sata 0:0:0:0*, sdb sata 0:0:0:1, sata0", ""},
		{"seventh SATA disk", known(uefi), Options{}, slices.Repeat([]machine.Disk{sata}, 7),
			"q35, sda sata 0:0:0:0*, sdb sata 0:0:0:1, sdc sata 0:0:0:2, sdd sata 0:0:0:3, sde sata 0:0:0:4, sdf sata 0:0:0:5, sdg sata 1:0:0:0, sata0, sata1", ""},
		{"IDE stays on BIOS", known(bios), Options{BootDisk: 1}, []machine.Disk{ide, ide, ide}, "pc, hda ide 0:0:0:0, hdb ide 0:0:0:1*, hdc ide 0:1:0:0", ""},
		{"IDE on UEFI", known(uefi), Options{}, []machine.Disk{ide}, "q35, sda sata 0:0:0:0*, sata0", "no IDE"},
		{"fifth IDE disk", known(bios), Options{}, slices.Repeat([]machine.Disk{ide}, 5),
			"pc, hda ide 0:0:0:0*, hdb ide 0:0:0:1, hdc ide 0:1:0:0, hdd ide 0:1:0:1, sda sata 0:0:0:0, sata0", "four IDE"},
		{"parallel SCSI", known(bios), Options{}, []machine.Disk{lsi, lsi}, "q35, sda sata 0:0:0:0*, sdb sata 0:0:0:1, sata0", `"lsilogic"`},
		{"SAS", known(bios), Options{}, []machine.Disk{sas, sas}, "q35, sda scsi 0:0:0:0*, sdb scsi 0:0:1:0, scsi0 lsisas1068", "LSI Logic SAS"},
		{"ninth SAS disk", known(bios), Options{}, slices.Repeat([]machine.Disk{sas}, 9),
			"q35, sda scsi 0:0:0:0*, sdb scsi 0:0:1:0, sdc scsi 0:0:2:0, sdd scsi 0:0:3:0, sde scsi 0:0:4:0, sdf scsi 0:0:5:0, sdg scsi 0:0:6:0, sdh scsi 0:0:7:0, " +
				"sdi scsi 1:0:0:0, scsi0 lsisas1068, scsi1 lsisas1068", "LSI Logic SAS"},
		{"PVSCSI on two controllers", known(uefi), Options{}, []machine.Disk{pv, pv1, pv}, "q35, sda scsi 0:0:0:0*, sdb scsi 1:0:0:0, sdc scsi 0:0:1:0, scsi0 vmpvscsi, scsi1 vmpvscsi", "PVSCSI"},
		{"NVMe", known(uefi), Options{}, []machine.Disk{{Bus: machine.BusNVMe}}, "q35, sda sata 0:0:0:0*, sata0", "NVMe"},
		{"unknown", known(bios), Options{}, []machine.Disk{{}}, "q35, sda sata 0:0:0:0*, sata0", "not known"},
		{"old Windows", machine.Machine{Name: "vm", CPUs: 1, MemoryMiB: 512, Firmware: bios, OSType: "winXPProGuest"}, Options{Windows: true}, []machine.Disk{lsi}, "pc, hda ide 0:0:0:0*", "AHCI"},
		{"old Windows with virtio", machine.Machine{Name: "vm", CPUs: 1, MemoryMiB: 512, Firmware: bios, OSType: "winNetStandardGuest"}, Options{VirtioDisk: true}, []machine.Disk{lsi}, "q35, vda virtio*", ""},
		{"no disk", known(bios), Options{}, nil, "q35", ""},
		{"boot disk out of range", known(bios), Options{BootDisk: 7}, []machine.Disk{sata}, "q35, sda sata 0:0:0:0*, sata0", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := build(t, c.m, c.o, c.disks...)
			if got := places(d); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			switch {
			case c.warns == "" && len(d.Warnings) > 0, c.warns != "" && (len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], c.warns)):
				t.Errorf("warnings %q, want one with %q", d.Warnings, c.warns)
			}
		})
	}
}

func TestFixedBus(t *testing.T) {
	d, err := Build(known(machine.FirmwareBIOS), []Disk{
		{Path: "/a", Format: "raw", Bus: machine.BusSATA, Source: machine.Disk{Bus: machine.BusSCSI, Model: "pvscsi"}},
		{Path: "/b", Format: "raw", Bus: machine.BusVirtio},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := places(d), "q35, sda sata 0:0:0:0*, vda virtio, sata0"; got != want || len(d.Warnings) != 0 {
		t.Errorf("got %s, want %s; warnings %q", got, want, d.Warnings)
	}
}

func TestNetworkCards(t *testing.T) {
	for model, want := range map[string]string{
		"vmxnet3": "e1000e", "VmxNet3": "e1000e", "E1000": "e1000", "E1000e": "e1000e", "PCNet32": "pcnet", "Am79C973": "pcnet", "virtio": "virtio", "": "e1000e", "82540EM": "e1000", "<bad>": "e1000e",
	} {
		m := known(machine.FirmwareBIOS)
		m.NICs = []machine.NIC{{Model: model}}
		if got := build(t, m, Options{}).xml.Devices.Interfaces[0].Model.Type; got != want {
			t.Errorf("%s: %s, want %s", model, got, want)
		}
		if got := build(t, m, Options{VirtioNet: true}).xml.Devices.Interfaces[0].Model.Type; got != "virtio" {
			t.Errorf("%s with virtio proved: %s", model, got)
		}
	}
	m := known(machine.FirmwareBIOS)
	m.NICs = []machine.NIC{{Model: "e1000", MAC: "00-50-56-AB-CD-EF", Network: "prod"}, {Model: "e1000", Network: "dmz"}, {Model: "e1000", Network: "lost", MAC: "01:00:5e:00:00:01"}}
	d := build(t, m, Options{Networks: map[string]string{"prod": "vlan7", "dmz": "bridge:br0"}})
	got := fmt.Sprint(d.xml.Devices.Interfaces[0].MAC, d.xml.Devices.Interfaces[0].Source, d.xml.Devices.Interfaces[1].Type, d.xml.Devices.Interfaces[1].Source,
		d.xml.Devices.Interfaces[2].MAC, d.xml.Devices.Interfaces[2].Source)
	if want := fmt.Sprint(&macXML{"00:50:56:ab:cd:ef"}, interfaceFromXML{Network: "vlan7"}, "bridge", interfaceFromXML{Bridge: "br0"}, (*macXML)(nil), interfaceFromXML{Network: "default"}); got != want {
		t.Errorf("cards %s, want %s", got, want)
	}
	if len(d.Warnings) != 2 || !strings.Contains(d.Warnings[0], "01:00:5e") || !strings.Contains(d.Warnings[1], `"lost"`) {
		t.Errorf("warnings %q", d.Warnings)
	}
	if n := len(build(t, known(machine.FirmwareBIOS), Options{AddNIC: true}).xml.Devices.Interfaces); n != 1 {
		t.Errorf("%d cards added", n)
	}
}

func TestDefaultsAreSaid(t *testing.T) {
	d := build(t, machine.Machine{}, Options{})
	if d.Name != "vm" || d.xml.VCPU != DefaultCPUs || d.xml.Memory.MiB != DefaultMemoryMiB || d.xml.OS.Firmware != "" || len(d.Warnings) != 3 {
		t.Errorf("%+v", d)
	}
	b, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range d.Warnings {
		if !strings.Contains(string(b), w) {
			t.Errorf("the XML does not say %q:\n%s", w, b)
		}
	}
	if got := build(t, machine.Machine{}, Options{Windows: true}).xml; got.Memory.MiB != DefaultWindowsMemoryMiB || got.Clock.Offset != "localtime" || got.Features.HyperV == nil {
		t.Errorf("windows: %+v", got)
	}
}

func TestFirmware(t *testing.T) {
	m := known(machine.FirmwareUEFI)
	if x := build(t, m, Options{}).xml; x.OS.Firmware != "efi" || x.OS.Loader != nil || !slices.Contains(x.OS.Features.Features, firmwareFeature{"no", "enrolled-keys"}) {
		t.Errorf("UEFI: %+v", x.OS)
	}
	m.SecureBoot = true
	if x := build(t, m, Options{}).xml; x.OS.Loader == nil || x.Features.SMM == nil || !slices.Contains(x.OS.Features.Features, firmwareFeature{"yes", "secure-boot"}) {
		t.Errorf("secure boot: %+v", x.OS)
	}
	m.Firmware = machine.FirmwareBIOS
	if x := build(t, m, Options{}).xml; x.OS.Firmware != "" || x.OS.Loader != nil || x.OS.Features != nil {
		t.Errorf("BIOS: %+v", x.OS)
	}
}

func TestRefusals(t *testing.T) {
	ok := Disk{Path: "/a", Format: "raw"}
	for name, c := range map[string]struct {
		disks []Disk
		o     Options
		kind  error
	}{
		"relative path":        {disks: []Disk{{Path: "a", Format: "raw"}}, kind: machine.ErrMember},
		"control in the path":  {disks: []Disk{{Path: "/a\nb", Format: "raw"}}, kind: machine.ErrMember},
		"path that is not UTF": {disks: []Disk{{Path: "/a\xff", Format: "raw"}}, kind: machine.ErrMember},
		"unknown format":       {disks: []Disk{{Path: "/a", Format: "cow"}}, kind: machine.ErrUnsupported},
		"bad UUID":             {disks: []Disk{ok}, o: Options{UUID: "x"}, kind: machine.ErrDescriptor},
		"too many disks":       {disks: slices.Repeat([]Disk{ok}, maxDisks+1), kind: machine.ErrLimit},
	} {
		if b, err := Marshal(machine.Machine{}, c.disks, c.o); b != nil || !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHostileTexts proves that names and paths come out of the XML as they went in, and stay texts.
func TestHostileTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"--", "-->", "<", "&", `"`, "'", "]]>", "/", "..", " ", "\t", "\n", "\x00", "\xff", "é", "\u202e", "<devices>", "&amp;", "a", "\ufffe"})
		text := func(name string) string { return strings.Join(rapid.SliceOf(piece).Draw(t, name), "") }
		m := machine.Machine{Name: text("name"), OSType: text("os"), NICs: []machine.NIC{{Model: text("model"), Network: text("network"), MAC: text("mac")}}}
		path := "/" + text("path")
		b, err := Marshal(m, []Disk{{Path: path, Format: "raw", Source: machine.Disk{Bus: machine.BusSCSI, Model: text("controller")}}}, Options{})
		if err != nil {
			if !errors.Is(err, machine.ErrMember) || strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Fatal(err)
			}
			return
		}
		var back struct {
			Name    string `xml:"name"`
			Devices []struct {
				Disks []struct {
					Source struct {
						File string `xml:"file,attr"`
					} `xml:"source"`
				} `xml:"disk"`
				Interfaces []struct{} `xml:"interface"`
			} `xml:"devices"`
		}
		if err := xml.Unmarshal(b, &back); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if len(back.Devices) != 1 || len(back.Devices[0].Disks) != 1 || len(back.Devices[0].Interfaces) != 1 || back.Devices[0].Disks[0].Source.File != path {
			t.Fatalf("%+v of path %q\n%s", back, path, b)
		}
		if back.Name == "" || strings.ContainsFunc(back.Name, func(r rune) bool { return r == '/' || unicode.IsControl(r) }) || back.Name == "." || back.Name == ".." {
			t.Fatalf("name %q", back.Name)
		}
	})
}

func TestDeviceNames(t *testing.T) {
	for n, want := range map[int]string{0: "sda", 25: "sdz", 26: "sdaa", 51: "sdaz", 52: "sdba", 701: "sdzz", 702: "sdaaa"} {
		if got := deviceName("sd", n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestDomainNames(t *testing.T) {
	for in, want := range map[string]string{"": "vm", ".": "vm.", "..": "vm..", "a/b": "a-b", " a ": "a", "a\nb": "a-b", strings.Repeat("é", 300): strings.Repeat("é", 100)} {
		if got := domainName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
