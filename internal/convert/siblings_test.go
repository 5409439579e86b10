package convert

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"
	"unicode/utf16"

	"hyper2kvm/internal/disk"
)

const layerSize = 8 << 20

// layer returns content with data in one block of 2 MiB.
func layer(at int, seed byte) []byte {
	b := make([]byte, layerSize)
	copy(b[at<<21:], sample(1<<20, seed))
	return b
}

// vdiOn returns a VDI with that content that was made on another one. The parent is known by two identifiers (VDICore.h).
func vdiOn(t *testing.T, parent, content []byte) []byte {
	t.Helper()
	const offType, offCreate, offLink = 0x4c, 0x188, 0x1a8
	b := encodeImage(t, "vdi", content)
	b[offType] = 4
	copy(b[offLink:offLink+32], parent[offCreate:offCreate+32])
	return b
}

// vhdOn returns a VHD with that content that was made on another one, which it calls by a name (VHD specification 1.0).
func vhdOn(t *testing.T, parent, content []byte, name string) []byte {
	t.Helper()
	const offType, offSum, offID = 60, 64, 68
	const header, headerBytes, headerSum, parentID, parentName = 512, 1024, 36, 40, 64
	be := binary.BigEndian
	b := encodeImage(t, "vhd", content)
	seal := func(part []byte, at int) {
		be.PutUint32(part[at:], 0)
		var sum uint32
		for _, c := range part {
			sum += uint32(c)
		}
		be.PutUint32(part[at:], ^sum)
	}
	for _, footer := range [][]byte{b[:512], b[len(b)-512:]} {
		be.PutUint32(footer[offType:], 4)
		seal(footer, offSum)
	}
	h := b[header : header+headerBytes]
	copy(h[parentID:parentID+16], parent[offID:offID+16])
	for i, u := range utf16.Encode([]rune(name)) {
		be.PutUint16(h[parentName+2*i:], u)
	}
	seal(h, headerSum)
	return b
}

// TestSnapshotsInAFolder flattens chains whose parents have no name, or another one than the child says.
func TestSnapshotsInAFolder(t *testing.T) {
	base := encodeImage(t, "vdi", layer(0, 3))
	first := vdiOn(t, base, layer(1, 5))
	top := vdiOn(t, first, layer(2, 7))
	old := encodeImage(t, "vhd", layer(0, 3))
	middle := vhdOn(t, old, layer(1, 5), `D:\VMs\disk.vhd`)
	want := slices.Concat(layer(0, 3)[:2<<20], layer(1, 5)[2<<20:4<<20], layer(2, 7)[4<<20:])
	for name, files := range map[string]map[string][]byte{
		"VDI":                       {"vm.vdi": base, "{1}.vdi": first, "{2}.vdi": top},
		"VDI as VirtualBox has it":  {"vm/vm.vdi": base, "vm/Snapshots/{1}.vdi": first, "vm/Snapshots/{2}.vdi": top, "vm/other.txt": nil},
		"VHD by its stated name":    {"disk.vhd": old, "disk_A.avhd": middle, "disk_B.avhd": vhdOn(t, middle, layer(2, 7), "disk_A.avhd")},
		"VHD by another name":       {"renamed.vhd": old, "disk_A.avhd": middle, "disk_B.avhd": vhdOn(t, middle, layer(2, 7), `C:\x\disk_C.avhd`)},
		"VHD in another directory":  {"Disks/disk.vhd": old, "Snapshots/A.avhd": middle, "Snapshots/B.avhd": vhdOn(t, middle, layer(2, 7), "A.avhd")},
		"VDI beside a foreign disk": {"vm.vdi": base, "{1}.vdi": first, "{2}.vdi": top, "a.bin": bytes.Repeat([]byte{1}, 4096)},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for name, content := range files {
				b.write(name, content)
			}
			b.req.Job.Convert.Format = "raw"
			if name == "VDI beside a foreign disk" {
				b.req.Entry = "{2}.vdi"
			}
			report := b.good()
			if len(report.Disks) != 1 || !bytes.Equal(b.content("web01.raw", "raw"), want) {
				t.Errorf("the disk is not the content of the whole chain: %+v", report.Disks)
			}
		})
	}
}

// TestCompanionsByIdentifier finds what must travel with a snapshot that was dropped as a file.
func TestCompanionsByIdentifier(t *testing.T) {
	b := newBench(t)
	base := encodeImage(t, "vdi", layer(0, 3))
	first := vdiOn(t, base, layer(1, 5))
	old := encodeImage(t, "vhd", layer(0, 3))
	b.write("base.vdi", base)
	b.write("{1}.vdi", first)
	b.write("{2}.vdi", vdiOn(t, first, layer(2, 7)))
	b.write("other.vdi", encodeImage(t, "vdi", layer(3, 9)))
	b.write("renamed.vhd", old)
	b.write("a.vhd", vhdOn(t, old, layer(1, 5), "disk.vhd"))
	b.write("alone.vhd", vhdOn(t, encodeImage(t, "vhd", nil), layer(1, 5), `C:\gone.vhd`))
	for name, want := range map[string][]string{
		"base.vdi": nil, "{1}.vdi": {"base.vdi"}, "{2}.vdi": {"base.vdi", "{1}.vdi"}, "other.vdi": nil,
		"renamed.vhd": nil, "a.vhd": {"renamed.vhd"}, "alone.vhd": {"gone.vhd"},
	} {
		if got, err := Companions(t.Context(), b.path(name)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	if err := os.Remove(b.path("base.vdi")); err != nil {
		t.Fatal(err)
	}
	if got, err := Companions(t.Context(), b.path("{2}.vdi")); !errors.Is(err, disk.ErrMissing) || !slices.Equal(got, []string{"{1}.vdi"}) {
		t.Errorf("without the base: %q, %v; a parent without a name is missing", got, err)
	}
}
