package vmdk

import (
	"bytes"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// descriptorOf returns a descriptor file with these lines in it.
func descriptorOf(lines ...string) []byte {
	return []byte("# Disk DescriptorFile\nversion=1\nCID=00000002\n" + strings.Join(lines, "\n") + "\n")
}

func TestExtents(t *testing.T) {
	flatFile := append(bytes.Repeat([]byte{'f'}, testGrain), bytes.Repeat([]byte{'g'}, testGrain)...)
	split := newSparseImage(t, sparseShape{capacity: 256, grains: map[int64]byte{1: 's'}})
	split.put64(28, 0)
	files := folder{"flat file.vmdk": flatFile, "s.vmdk": split.b, "cowd.vmdk": []byte("COWD\x01\x00\x00\x00"), "se.vmdk": []byte(magicSESparse), "one": {1}}
	for _, c := range []struct {
		name  string
		lines []string
		want  string
		kind  error
		words []string
	}{
		{name: "flat", lines: []string{`RW 256 FLAT "flat file.vmdk" 0`}, want: "fg"},
		{name: "flat with offset", lines: []string{`RW 128 FLAT "flat file.vmdk" 128`}, want: "g"},
		{name: "VMFS with and without offset", lines: []string{`RW 128 VMFS "flat file.vmdk"`, `RW 128 VMFS "./flat file.vmdk" 128`}, want: "fg"},
		{name: "all kinds", lines: []string{`RW 256 SPARSE "s.vmdk"`, "RW 128 ZERO", `RDONLY 256 FLAT "flat file.vmdk" 0`, "NOACCESS 128 ZERO", `RW 0 FLAT "gone" 0`,
			`RW 256 SPARSE "s.vmdk"`}, want: ".s.fg..s"},
		{name: "thin", lines: []string{`createType = "vmfsThin"`, `RW 256 VMFS "flat file.vmdk"`}, want: "fg"},
		{name: "missing", lines: []string{`RW 1 ZERO`, `RW 256 FLAT "gone.vmdk" 0`}, kind: disk.ErrMissing, words: []string{`"gone.vmdk"`, "d.vmdk", "line 5"}},
		{name: "missing, in another encoding", lines: []string{`encoding="GBK"`, "RW 256 FLAT \"\xc4\xe3.vmdk\" 0"}, kind: disk.ErrMissing, words: []string{"GBK", `\xc4\xe3`}},
		{name: "short", lines: []string{`RW 257 FLAT "flat file.vmdk" 0`}, kind: disk.ErrTruncated, words: []string{"131584", "131072", "flat file.vmdk"}},
		{name: "offset behind the end", lines: []string{`RW 1 FLAT "flat file.vmdk" 9007199254740992`}, kind: disk.ErrTruncated},
		{name: "itself", lines: []string{`RW 1 FLAT "d.vmdk" 0`}, kind: disk.ErrCorrupt, words: []string{"itself"}},
		{name: "itself by ./", lines: []string{`RW 1 FLAT "./d.vmdk" 0`}, kind: disk.ErrCorrupt, words: []string{"itself"}},
		{name: "absolute", lines: []string{`RW 1 FLAT "/etc/passwd" 0`}, kind: disk.ErrOutside, words: []string{"/etc/passwd"}},
		{name: "Windows path", lines: []string{`RW 1 FLAT "C:\x\a.vmdk" 0`}, kind: disk.ErrOutside},
		{name: "device", lines: []string{`RW 1 FLAT "\\.\PhysicalDrive0" 0`}, kind: disk.ErrOutside},
		{name: "no name", lines: []string{`RW 1 FLAT`}, kind: disk.ErrCorrupt, words: []string{"no name"}},
		{name: "no extents", kind: disk.ErrCorrupt, words: []string{"no extents"}},
		{name: "no access", lines: []string{`NOACCESS 1 FLAT "flat file.vmdk" 0`}, kind: disk.ErrUnsupported, words: []string{"NOACCESS"}},
		{name: "COWD cut", lines: []string{`RW 1 VMFSSPARSE "cowd.vmdk"`}, kind: disk.ErrTruncated, words: []string{"COWD header", "cowd.vmdk", "2048"}},
		{name: "seSparse cut", lines: []string{`RW 1 SESPARSE "se.vmdk"`}, kind: disk.ErrTruncated, words: []string{"seSparse header", "se.vmdk"}},
		{name: "flat called COWD", lines: []string{`RW 1 VMFSSPARSE "flat file.vmdk"`}, kind: disk.ErrCorrupt, words: []string{"no such header"}},
		{name: "flat called sparse", lines: []string{`RW 1 SPARSE "flat file.vmdk"`}, kind: disk.ErrCorrupt, words: []string{"flat file.vmdk", "d.vmdk"}},
		{name: "a byte called sparse", lines: []string{`RW 1 SPARSE "one"`}, kind: disk.ErrCorrupt},
		{name: "sparse with offset", lines: []string{`RW 1 SPARSE "s.vmdk" 1`}, kind: disk.ErrUnsupported},
		{name: "RDM", lines: []string{`RW 1 VMFSRDM "x-rdm.vmdk"`}, kind: disk.ErrUnsupported, words: []string{"raw device mapping"}},
		{name: "RDM by type", lines: []string{`createType="vmfsRDMP"`, `RW 1 FLAT "flat file.vmdk" 0`}, kind: disk.ErrUnsupported, words: []string{"raw device mapping"}},
		{name: "encrypted", lines: []string{`encryptionKeys="vmware:key/list/(pair/(fqid/<VMWARE-NULL>/k/1))"`, `RW 1 FLAT "flat file.vmdk" 0`}, kind: disk.ErrEncrypted},
		{name: "encrypted by a key", lines: []string{`keyID=0000a0c1`, `RW 1 FLAT "flat file.vmdk" 0`}, kind: disk.ErrEncrypted},
		{name: "encrypted by a filter", lines: []string{`ddb.iofilters = "vmwarelwd,VMwareVMcrypt"`, `RW 1 FLAT "flat file.vmdk" 0`}, kind: disk.ErrEncrypted},
		{name: "not encrypted", lines: []string{`keyID=00000000`, `encryptionKeys=""`, `ddb.iofilters = "vmwarelwd"`, `RW 128 FLAT "flat file.vmdk" 0`}, want: "f"},
		{name: "unknown type", lines: []string{`RW 1 NEWKIND "x"`}, kind: disk.ErrUnsupported, words: []string{"NEWKIND"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files["d.vmdk"] = descriptorOf(c.lines...)
			img, err := openIn(t, files, "d.vmdk")
			if c.kind != nil {
				disktest.CheckError(t, err, c.kind, c.words...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := firstBytes(t, img); got != c.want {
				t.Errorf("content %s, want %s", got, c.want)
			}
		})
	}
}

func TestExtentsInSuite(t *testing.T) {
	split := newSparseImage(t, sparseShape{capacity: 200, grains: map[int64]byte{0: 'r', 1: 's'}})
	files := folder{"f": disktest.Random(1, 5*512), "s": split.b, "d.vmdk": descriptorOf(`RW 3 FLAT "f" 1`, "RW 2 ZERO", `RW 200 SPARSE "s"`, `RW 1 FLAT "f" 4`)}
	open := func(tb testing.TB) disk.Image {
		tb.Helper()
		f, err := files.Open("d.vmdk")
		if err != nil {
			tb.Fatal(err)
		}
		img, err := Open(tb.Context(), f, disk.Env{Open: files.Open})
		if err != nil {
			tb.Fatal(err)
		}
		return img
	}
	img := open(t)
	raw := disktest.ReadAll(t, img)
	img.Close()
	want := append(append(append(bytes.Clone(files["f"][512:2048]), make([]byte, 1024)...), bytes.Repeat([]byte{'r'}, testGrain)...),
		append(bytes.Repeat([]byte{'s'}, 72*512), files["f"][2048:]...)...)
	if !bytes.Equal(raw, want) {
		t.Error("content differs")
	}
	disktest.TestImage(t, open, bytes.NewReader(want), int64(len(want)))
}

func TestFlatHoles(t *testing.T) {
	f := disktest.NewMemFile("f", nil)
	if _, err := f.WriteAt([]byte{1}, 10<<20); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(20 << 20); err != nil {
		t.Fatal(err)
	}
	img, err := Open(t.Context(), disktest.NewMemFile("d.vmdk", descriptorOf(`RW 38912 FLAT "f" 2048`)), disk.Env{Open: func(string) (disk.File, error) { return f, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	for _, want := range []disk.Extent{
		{Off: 0, Len: 9 << 20, Kind: disk.Unallocated},
		{Off: 9 << 20, Len: 64 << 10, Kind: disk.Data},
		{Off: 9<<20 + 64<<10, Len: 10<<20 - 64<<10, Kind: disk.Unallocated},
	} {
		if got, err := img.Extent(t.Context(), want.Off); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestNothingOpensWithoutOpener(t *testing.T) {
	for _, text := range [][]byte{descriptorOf(`RW 1 FLAT "f" 0`), descriptorOf("RW 1 ZERO", "parentCID=1", `parentFileNameHint="p"`)} {
		f := disktest.NewMemFile("d.vmdk", text)
		_, err := Open(t.Context(), f, disk.Env{})
		disktest.CheckError(t, err, disk.ErrOutside)
		if f.Closed() != 1 {
			t.Errorf("closed %d times", f.Closed())
		}
	}
}

func TestParents(t *testing.T) {
	child := func(cid, hint string) []byte {
		return newSparseImage(t, sparseShape{version: 2, flags: shapeDefaults | flagZeroGrain, grains: map[int64]byte{2: 'C', 5: 'D'}, zero: []int64{3},
			descriptor: "version=1\nCID=9\nparentCID=" + cid + "\nparentFileNameHint=\"" + hint + "\"\nRW 1024 SPARSE \"x\"\n"}).b
	}
	base := newSparseImage(t, sparseShape{capacity: 640, grains: map[int64]byte{0: 'a', 2: 'b', 3: 'c', 4: 'd'}}).b
	for _, c := range []struct {
		name, cid, hint string
		want            string
		kind            error
		words           string
	}{
		{name: "plain", cid: "1", hint: "base.vmdk", want: "a.C.dD.."},
		{name: "by the base of a path", cid: "1", hint: "/vmfs/volumes/x/base.vmdk", want: "a.C.dD.."},
		{name: "by the base of a Windows path", cid: "00000001", hint: `D:\VMs\base.vmdk`, want: "a.C.dD.."},
		{name: "changed", cid: "7", hint: "base.vmdk", kind: disk.ErrCorrupt, words: "CID 00000001, the snapshot was made on CID 00000007"},
		{name: "missing", cid: "1", hint: "gone.vmdk", kind: disk.ErrMissing, words: "gone.vmdk"},
		{name: "missing at a path", cid: "1", hint: "/x/gone.vmdk", kind: disk.ErrMissing, words: "/x/gone.vmdk"},
		{name: "no hint", cid: "1", hint: "", kind: disk.ErrCorrupt, words: "no parentFileNameHint"},
		{name: "not a VMDK", cid: "1", hint: "text", kind: disk.ErrFormat, words: "text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, err := openIn(t, folder{"child.vmdk": child(c.cid, c.hint), "base.vmdk": base, "text": []byte("hello")}, "child.vmdk")
			if c.kind != nil {
				disktest.CheckError(t, err, c.kind, c.words, "child.vmdk")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := firstBytes(t, img); got != c.want {
				t.Errorf("content %s, want %s", got, c.want)
			}
			if info := img.Describe(); len(info) != 2 || info[0].Parent != c.hint || info[1].Files[0] != "base.vmdk" {
				t.Errorf("described as %+v", info)
			}
			want := map[int64]disk.Kind{0: disk.Data, 1: disk.Unallocated, 2: disk.Data, 3: disk.Zero, 4: disk.Data, 5: disk.Data, 6: disk.Unallocated}
			for g, kind := range want {
				if e, err := img.Extent(t.Context(), g*testGrain); err != nil || e.Kind != kind {
					t.Errorf("grain %d: %+v, %v, want %s", g, e, err, kind)
				}
			}
			raw := disktest.ReadAll(t, img)
			disktest.TestImage(t, func(tb testing.TB) disk.Image {
				tb.Helper()
				img, err := openIn(tb, folder{"child.vmdk": child(c.cid, c.hint), "base.vmdk": base}, "child.vmdk")
				if err != nil {
					tb.Fatal(err)
				}
				return img
			}, bytes.NewReader(raw), int64(len(raw)))
		})
	}
}
