package convert

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

func TestNaturalOrder(t *testing.T) {
	want := []string{"disk1.vmdk", "disk2.vmdk", "disk10.vmdk", "x.vmdk", "x_1.vmdk", "x_2.vmdk", "x_10.vmdk"}
	got := slices.Clone(want)
	slices.Sort(got)
	slices.SortFunc(got, naturalCompare)
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[ab01]{0,4}(\.[ab]{1,2})?`)
		a, b, c := name.Draw(t, "a"), name.Draw(t, "b"), name.Draw(t, "c")
		if naturalCompare(a, b) != -naturalCompare(b, a) || (naturalCompare(a, b) == 0) != (a == b) {
			t.Fatal("not an order")
		}
		if naturalCompare(a, b) < 0 && naturalCompare(b, c) < 0 && naturalCompare(a, c) >= 0 {
			t.Fatal("not transitive")
		}
	})
}

func TestProbe(t *testing.T) {
	for _, tc := range []struct {
		name    string
		content string
		want    kind
	}{
		{"a.ovf", `<?xml version="1.0"?><ovf:Envelope xmlns:ovf="x">`, kindOVF},
		{"renamed.txt", "\xef\xbb\xbf<Envelope>", kindOVF},
		{"wide", "\xff\xfe<\x00E\x00n\x00v\x00e\x00l\x00o\x00p\x00e\x00>\x00", kindOVF},
		{"broken.ovf", "<Envelop", kindOVF},
		{"a.vmx", "config.version = \"8\"\n", kindVMX},
		{"renamed", "#!/usr/bin/vmware\n.encoding = \"UTF-8\"\nvirtualHW.version=\"4\"\n", kindVMX},
		{"a.vmdk", "# Disk DescriptorFile\nversion=1\ncreateType=\"monolithicFlat\"\n", kindDisk},
		{"a.vmx", "\x00\x01binary", kindDisk},
		{"a.raw", "EnvelopeEnvelope", kindDisk},
		{"renamed.img", string(tarOf(t, member{"a.ovf", []byte("x")})), kindOVA},
		{"short.ova", "x", kindOVA},
	} {
		path := filepath.Join(t.TempDir(), tc.name)
		if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := disk.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := probe(f)
		f.Close()
		if err != nil || got != tc.want {
			t.Errorf("%s: %s, %v, want %s", tc.name, got, err, tc.want)
		}
	}
}

// A block is counted once, however many extents lie in it.
func TestMeasure(t *testing.T) {
	img := patchwork{{0, 100, disk.Data}, {100, 50, disk.Zero}, {150, block, disk.Data}, {block + 150, 3 * block, disk.Unallocated}, {4*block + 150, 1, disk.Data}}
	allocated, touched, err := measure(t.Context(), img)
	if err != nil || allocated != 100+block+1 || touched != 3*block {
		t.Errorf("%d %d %v", allocated, touched, err)
	}
}

func TestMeterOnlyMovesForward(t *testing.T) {
	events := &recorder{}
	r := &Run{Events: events, Clock: testClock()}
	m := newMeter(r, StageConvert, 100)
	progress, end := m.part(60)
	progress(30, 60)
	progress(10, 60) // late
	progress(70, 60) // more than announced
	end()
	progress, end = m.part(40)
	progress(20, 40)
	if got := events.progress[StageConvert]; got != [2]int64{80, 100} {
		t.Errorf("%v", got)
	}
	end()
	if got := events.progress[StageConvert]; got != [2]int64{100, 100} {
		t.Errorf("%v", got)
	}
}

func TestFirmware(t *testing.T) {
	for _, tc := range []struct {
		described machine.Firmware
		found     string
		want      machine.Firmware
	}{
		{"", "", machine.FirmwareBIOS}, {"", "uefi", machine.FirmwareUEFI}, {"", "bios", machine.FirmwareBIOS}, {"bios", "uefi", machine.FirmwareBIOS},
	} {
		if got := resolveFirmware(tc.described, tc.found); got != tc.want {
			t.Errorf("%+v: %s", tc, got)
		}
	}
}

func TestBootDisk(t *testing.T) {
	zero := 0
	r := &Run{Sources: []Source{{Name: "a"}, {Name: "b"}}}
	r.Guest.BootDisk = 1
	if bootDisk(r) != 1 {
		t.Error("evidence is passed over")
	}
	r.Guest.BootDisk = -1
	if bootDisk(r) != 0 {
		t.Error("without evidence it is the first")
	}
	r.Request.Job.Source.Disks = []manifest.SourceDisk{{Path: "a"}, {Path: "b", Role: "boot"}}
	if bootDisk(r) != 1 {
		t.Error("the role is passed over")
	}
	r.Guest.BootDisk = 1
	r.Request.Job.Source.Disks[0].BootOrder = &zero
	if bootDisk(r) != 0 {
		t.Error("the boot order is passed over")
	}
}
