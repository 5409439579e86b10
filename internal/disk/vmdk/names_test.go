package vmdk

import (
	"slices"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// The same names in several encodings; the bytes are written out, so that the test shares no table with the code.
var spelled = []struct {
	encoding, utf8, bytes string
}{
	{"windows-1252", "Größe", "Gr\xf6\xdfe"},
	{"windows-1251", "диск", "\xe4\xe8\xf1\xea"},
	{"CP1250", "žluť", "\x9elu\x9d"},
	{"GBK", "你好", "\xc4\xe3\xba\xc3"},
	{"gb2312", "你好", "\xc4\xe3\xba\xc3"},
	{"Big5", "磁碟", "\xba\xcf\xba\xd0"},
	{"Shift_JIS", "表示", "\x95\x5c\x8e\xa6"}, // its second byte is a backslash
	{"windows-31j", "表示", "\x95\x5c\x8e\xa6"},
	{"Shift-JIS", "ディスク", "\x83\x66\x83\x42\x83\x58\x83\x4e"},
	{"EUC-KR", "디스크", "\xb5\xf0\xbd\xba\xc5\xa9"},
	{"EUC-JP", "表示", "\xc9\xbd\xbc\xa8"},
	{"UTF-8", "Größe", "Gr\xf6\xdfe"}, // wrongly stated, as after a careless copy
	{"", "Größe", "Gr\xf6\xdfe"},
	{"unheard-of", "Größe", "Gr\xf6\xdfe"},
}

// TestNames opens extents whose names on disk are in UTF-8 or in the stated encoding, by descriptors in either.
func TestNames(t *testing.T) {
	for _, c := range spelled {
		for _, text := range []string{c.bytes, c.utf8} {
			for _, onDisk := range []string{c.bytes, c.utf8} {
				t.Run(c.encoding, func(t *testing.T) {
					d := "# Disk DescriptorFile\nversion=1\nCID=1\n"
					if c.encoding != "" {
						d += "encoding=\"" + c.encoding + "\"\n"
					}
					files := folder{"d.vmdk": []byte(d + "RW 1 FLAT \"" + text + "-flat.vmdk\" 0\n"), onDisk + "-flat.vmdk": make([]byte, 512)}
					// A folder of a job takes any name that has no slash.
					open := func(name string) (disk.File, error) {
						if b, ok := files[name]; ok {
							return disktest.NewMemFile(name, b), nil
						}
						return files.Open(name)
					}
					img, err := Open(t.Context(), disktest.NewMemFile("d.vmdk", files["d.vmdk"]), disk.Env{Open: open})
					if err != nil {
						t.Fatalf("%q by the text %q: %v", onDisk, text, err)
					}
					defer img.Close()
					if got := img.Describe()[0].Files; !slices.Contains(got, onDisk+"-flat.vmdk") {
						t.Errorf("files %q", got)
					}
				})
			}
		}
	}
}

// TestParentNames finds a parent by its name in another encoding, behind a directory of Windows.
func TestParentNames(t *testing.T) {
	for _, onDisk := range []string{"\x95\x5c\x8e\xa6", "表示"} {
		files := folder{
			onDisk + ".vmdk": link("00000001", "ffffffff", "", "RW 8 ZERO"),
			"snap.vmdk":      append(link("2", "1", "C:\\VMs\\\x95\x5c\x8e\xa6.vmdk", "RW 8 ZERO"), "encoding=\"Shift_JIS\"\n"...),
		}
		open := func(name string) (disk.File, error) {
			if b, ok := files[name]; ok {
				return disktest.NewMemFile(name, b), nil
			}
			return files.Open(name)
		}
		img, err := Open(t.Context(), disktest.NewMemFile("snap.vmdk", files["snap.vmdk"]), disktest.EnvOf(Open, formatName, open, nil))
		if err != nil {
			t.Errorf("%q: %v", onDisk, err)
			continue
		}
		img.Close()
	}
}

func TestSpellings(t *testing.T) {
	for _, c := range []struct {
		encoding, name string
		want           []string
	}{
		{"UTF-8", "plain.vmdk", []string{"plain.vmdk"}},
		{"GBK", "plain.vmdk", []string{"plain.vmdk"}},
		{"UTF-8", "./plain.vmdk", []string{"./plain.vmdk", "plain.vmdk"}},
		{"UTF-8", `C:\a b\x.vmdk`, []string{`C:\a b\x.vmdk`, "x.vmdk"}},
		{"UTF-8", "/vmfs/volumes/1/x.vmdk", []string{"/vmfs/volumes/1/x.vmdk", "x.vmdk"}},
		{"UTF-8", "../..", []string{"../.."}},
		{"UTF-8", "dir/", []string{"dir/"}},
		{"UTF-8", "", nil},
		{"GBK", "\xff\xff", []string{"\xff\xff"}},                              // no character of GBK
		{"windows-1252", "你", []string{"你", "ä½\u00a0"}},                       // bytes of that set too, but not to be written in it
		{"Big5", "a/\xba\xcf", []string{"a/\xba\xcf", "a/磁", "磁", "\xba\xcf"}}, // each with and without its directory
	} {
		d := Descriptor{Encoding: c.encoding}
		if got := d.Spellings(c.name); !slices.Equal(got, c.want) {
			t.Errorf("%s %q: %q, want %q", c.encoding, c.name, got, c.want)
		}
	}
}

// TestNamesStayInside holds that no spelling reaches a file by another way than the opener.
func TestNamesStayInside(t *testing.T) {
	for _, name := range []string{"/etc/passwd", `C:\x\..\y`, "../../x", "a/../b", "\xc4\xe3/\xba\xc3"} {
		open, trace := disktest.TracingOpener(folder{}.Open)
		d := descriptorOf(`encoding="GBK"`, `RW 1 FLAT "`+name+`" 0`)
		_, err := Open(t.Context(), disktest.NewMemFile("d.vmdk", d), disk.Env{Open: open})
		disktest.CheckError(t, err, disk.ErrOutside)
		for _, asked := range trace.Names() {
			if asked != name && strings.ContainsAny(asked, `/\`) && isASCII(asked) {
				t.Errorf("%q led to %q", name, asked)
			}
		}
	}
}
