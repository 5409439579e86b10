package vmdk

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// link returns a descriptor of a layer with these identifiers.
func link(cid, parentCID, hint string, lines ...string) []byte {
	text := "# Disk DescriptorFile\nversion=1\nCID=" + cid + "\nparentCID=" + parentCID + "\ncreateType=\"any\"\n"
	if hint != "" {
		text += "parentFileNameHint=\"" + hint + "\"\n"
	}
	return []byte(text + strings.Join(lines, "\n") + "\n")
}

// longChain is a flat base with a hosted, a COWD and an seSparse snapshot on top of each other; the second layer is split and
// hides a part of the base with a ZERO extent.
func longChain(tb testing.TB) (files folder, want []byte) {
	tb.Helper()
	const sectors = 1024
	grain := func(c byte, n int) []byte { return bytes.Repeat([]byte{c}, n) }
	base := bytes.Repeat([]byte{'b'}, sectors*512)
	hosted := delta{capacity: 512, grains: map[int64][]byte{0: grain('h', testGrain)}, zero: []int64{2}}
	cowd := delta{capacity: sectors, grains: map[int64][]byte{1: grain('c', 512), 300: grain('c', 512), 900: grain('c', 512)}}
	se := delta{capacity: sectors, grains: map[int64][]byte{2: grain('s', 4096)}, zero: []int64{0}}
	files = folder{
		"base-flat.vmdk":       base,
		"base.vmdk":            link("0000000a", "ffffffff", "", `RW 1024 VMFS "base-flat.vmdk"`),
		"s1-s001.vmdk":         newHostedDelta(tb, hosted),
		"s1.vmdk":              link("0000000b", "0000000a", "./base.vmdk", `RW 512 SPARSE "s1-s001.vmdk"`, "RW 256 ZERO", `RW 256 FLAT "s1-flat.vmdk" 8`),
		"s1-flat.vmdk":         bytes.Repeat([]byte{'f'}, 264*512),
		"s2-delta.vmdk":        newCOWD(cowd, 1),
		"s2.vmdk":              link("0000000c", "0000000b", "/vmfs/volumes/4fb-1/vm/s1.vmdk", `RW 1024 VMFSSPARSE "s2-delta.vmdk"`),
		"s3-sesparse.vmdk":     newSESparse(se),
		"s3.vmdk":              link("0000000d", "0000000c", `[datastore1] vm\s2.vmdk`, `RW 1024 SESPARSE "s3-sesparse.vmdk"`, `changeTrackPath="s3-ctk.vmdk"`),
		"s3-ctk.vmdk":          {0xa2, 0x72, 0x19, 0xf6},
		"unrelated-delta.vmdk": newCOWD(delta{}, 1),
	}
	want = hosted.apply(base, testGrain)
	want = append(append(want, make([]byte, 256*512)...), bytes.Repeat([]byte{'f'}, 256*512)...)
	return files, se.apply(cowd.apply(want, 512), 4096)
}

func TestLongChain(t *testing.T) {
	files, want := longChain(t)
	img, err := openIn(t, files, "s3.vmdk")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(disktest.ReadAll(t, img), want) {
		t.Error("content differs")
	}
	layers := img.Describe()
	var names []string
	for _, l := range layers {
		names = append(names, strings.Join(l.Files, "+"))
		if len(l.Notes) > 0 {
			t.Errorf("%s has notes %q", l.Files, l.Notes)
		}
	}
	if got := strings.Join(names, " "); got != "s3.vmdk+s3-sesparse.vmdk s2.vmdk+s2-delta.vmdk s1.vmdk+s1-s001.vmdk+s1-flat.vmdk base.vmdk+base-flat.vmdk" {
		t.Errorf("layers %s", got)
	}
	if layers[0].ClusterSize != 4096 || layers[1].ClusterSize != 512 || layers[2].ClusterSize != testGrain {
		t.Errorf("cluster sizes of %+v", layers)
	}
	disktest.TestImage(t, func(tb testing.TB) disk.Image {
		tb.Helper()
		img, err := openIn(tb, files, "s3.vmdk")
		if err != nil {
			tb.Fatal(err)
		}
		return img
	}, bytes.NewReader(want), int64(len(want)))
}

// TestBrokenChain breaks one link of the chain at a time.
func TestBrokenChain(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  func(files folder)
		kind  error
		words []string
	}{
		{"parent changed", func(f folder) { f["s1.vmdk"] = bytes.Replace(f["s1.vmdk"], []byte("0000000b"), []byte("0000000e"), 1) }, disk.ErrCorrupt,
			[]string{"CID 0000000e", "made on CID 0000000b", "s2.vmdk", "s1.vmdk"}},
		{"parent missing", func(f folder) { delete(f, "s1.vmdk") }, disk.ErrMissing, []string{"s1.vmdk", "s2.vmdk"}},
		{"extent of a parent missing", func(f folder) { delete(f, "base-flat.vmdk") }, disk.ErrMissing, []string{`"base-flat.vmdk"`, "s2.vmdk", "s1.vmdk", "base.vmdk"}},
		{"extent missing", func(f folder) { delete(f, "s3-sesparse.vmdk") }, disk.ErrMissing, []string{"s3-sesparse.vmdk"}},
		{"parent is an extent", func(f folder) { f["s1.vmdk"] = f["s2-delta.vmdk"] }, disk.ErrUnsupported, []string{"COWD", "without its descriptor"}},
		{"parent is native", func(f folder) { f["s1.vmdk"] = append(f["s1.vmdk"], "isNativeSnapshot=\"yes\"\n"...) }, disk.ErrUnsupported, []string{"native snapshot"}},
		{"base is an RDM", func(f folder) { f["base.vmdk"] = link("0000000a", "ffffffff", "", `RW 1024 VMFSRDM "base-rdm.vmdk"`) }, disk.ErrUnsupported,
			[]string{"raw device mapping", "VMFSRDM"}},
		{"base is a passthrough RDM", func(f folder) {
			f["base.vmdk"] = append(link("0000000a", "ffffffff", "", `RW 1024 VMFSRDM "base-rdmp.vmdk"`), "createType=\"x\""...)
			f["base.vmdk"] = bytes.Replace(f["base.vmdk"], []byte(`"any"`), []byte(`"vmfsPassthroughRawDeviceMap"`), 1)
		}, disk.ErrUnsupported, []string{"raw device mapping", "vmfsPassthroughRawDeviceMap"}},
		{"extent without access", func(f folder) {
			f["base.vmdk"] = link("0000000a", "ffffffff", "", `NOACCESS 1024 VMFS "base-flat.vmdk"`)
		}, disk.ErrUnsupported,
			[]string{"NOACCESS", "base-flat.vmdk"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files, _ := longChain(t)
			c.edit(files)
			_, err := openIn(t, files, "s3.vmdk")
			disktest.CheckError(t, err, c.kind, c.words...)
		})
	}
}

// TestReferencesOfDeltas says what belongs to a snapshot before anything is opened.
func TestReferencesOfDeltas(t *testing.T) {
	files, _ := longChain(t)
	names, parent, err := References(disktest.NewMemFile("s3.vmdk", files["s3.vmdk"]))
	if err != nil || !slices.Equal(names, []string{"s3-sesparse.vmdk"}) || parent != `[datastore1] vm\s2.vmdk` {
		t.Errorf("%q %q %v", names, parent, err)
	}
}

// TestParentSizes reads a snapshot of a disk that grew, and of one that shrank.
func TestParentSizes(t *testing.T) {
	d := delta{capacity: 64, grains: map[int64][]byte{3: bytes.Repeat([]byte{'x'}, 512)}}
	for _, sectors := range []int{8, 64, 100} {
		base := bytes.Repeat([]byte{'b'}, sectors*512)
		files := flatBase(base)
		files["d.vmdk"] = newCOWD(d, 1)
		files["snap.vmdk"] = snapshotOf("vmfsSparse", "base.vmdk", `RW 64 VMFSSPARSE "d.vmdk"`)
		img, err := openIn(t, files, "snap.vmdk")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(disktest.ReadAll(t, img), d.apply(base, 512)) {
			t.Errorf("a base of %d sectors: content differs", sectors)
		}
		if note := fmt.Sprint(img.Describe()[0].Notes); (sectors == 64) != (note == "[]") {
			t.Errorf("a base of %d sectors: notes %s", sectors, note)
		}
	}
}
