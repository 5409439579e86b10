package vmdk

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

func TestParseDescriptor(t *testing.T) {
	const text = "# Disk DescriptorFile\nversion=1\nencoding=\"windows-1252\"\nCID=0badcafe\nparentCID=12345678\nisNativeSnapshot=\"no\"\n" +
		"createType=\"vmfs\"\nparentFileNameHint=\"base disk.vmdk\"\n# Extent description\nRW 100 VMFS \"a-flat.vmdk\"\n\nRW 20 ZERO\n" +
		"RDONLY 3 FLAT \"b \"quoted\" c.vmdk\" 7\n#DDB\nddb.longContentID = \"0000000000000000000000000badcafe\"\nddb.geometry.heads = \"255\"\n"
	variants := map[string]string{
		"as is":         text,
		"CRLF":          strings.ReplaceAll(text, "\n", "\r\n"),
		"NUL padding":   text + strings.Repeat("\x00", 20000) + "RW 9 ZERO\n",
		"upper case":    upperKeys(text),
		"quoted keys":   strings.ReplaceAll(text, "CID=0badcafe", `"CID"="0badcafe"`),
		"blanks at =":   strings.NewReplacer("CID=", "CID  =\t", "createType=", "createType = ", "Hint=", "Hint = ").Replace(text),
		"byte order":    byteOrderMark + text,
		"blank lines":   "\n \n" + strings.ReplaceAll(text, "\nRW", "\n\n\t\nRW"),
		"no blank":      strings.Replace(text, "# Disk", "#Disk", 1),
		"created by":    strings.Replace(text, "# Disk DescriptorFile", "# Description file created by Some Tool 1.0", 1),
		"indented":      strings.ReplaceAll(text, "\n", "\n  \t"),
		"no first line": strings.TrimPrefix(text, "# Disk DescriptorFile\n"),
		"no last line":  strings.TrimSuffix(text, "\n"),
		"mentions CID":  strings.Replace(text, "version=1\n", "version=1\n# the CID=1 of it\nddb.comment = \"CID=2\"\n", 1),
		"CID twice":     text + "CID=11111111\n",
		"stray words":   text + "hello there\n=\n\"\n",
	}
	for name, v := range variants {
		t.Run(name, func(t *testing.T) {
			if !Probe([]byte(v)) {
				t.Error("not recognised")
			}
			d, err := ParseDescriptor([]byte(v))
			if err != nil {
				t.Fatal(err)
			}
			if d.Version != 1 || d.CID != 0x0badcafe || d.ParentCID != 0x12345678 || !d.HasParent() || !strings.EqualFold(d.CreateType, "vmfs") ||
				d.ParentHint != "base disk.vmdk" || d.Encoding != "windows-1252" || d.Native || d.DDB["ddb.geometry.heads"] != "255" {
				t.Errorf("%+v", d)
			}
			for i := range d.Extents {
				d.Extents[i].Line = 0
			}
			want := []ExtentLine{
				{Access: "RW", Sectors: 100, Type: "VMFS", Name: "a-flat.vmdk"},
				{Access: "RW", Sectors: 20, Type: "ZERO"},
				{Access: "RDONLY", Sectors: 3, Type: "FLAT", Name: `b "quoted" c.vmdk`, Offset: 7},
			}
			if !slices.Equal(d.Extents, want) || d.Size() != 123*512 {
				t.Errorf("extents %+v", d.Extents)
			}
		})
	}
}

// upperKeys turns everything but quoted values to upper case.
func upperKeys(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if key, value, ok := strings.Cut(line, "="); ok {
			lines[i] = strings.ToUpper(key) + "=" + value
		} else if !strings.Contains(line, `"`) {
			lines[i] = strings.ToLower(line)
		}
	}
	return strings.Join(lines, "\n")
}

func TestExtentLines(t *testing.T) {
	for line, want := range map[string]ExtentLine{
		`RW 63 FLAT "disk 1.vmdk" 0`:                              {Access: "RW", Sectors: 63, Type: "FLAT", Name: "disk 1.vmdk"},
		`rw	63  flat	"./a.vmdk"	2048`:                             {Access: "RW", Sectors: 63, Type: "FLAT", Name: "./a.vmdk", Offset: 2048},
		`RW 63 FLAT plain.vmdk 5`:                                 {Access: "RW", Sectors: 63, Type: "FLAT", Name: "plain.vmdk", Offset: 5},
		`RW 1 FLAT "\\.\PhysicalDrive0" 3 "1-2-3" "dev id"`:       {Access: "RW", Sectors: 1, Type: "FLAT", Name: `\\.\PhysicalDrive0`, Offset: 3, Device: `"1-2-3" "dev id"`},
		`RW 0 SPARSE "C:\VMs\a b\x-s001.vmdk"`:                    {Access: "RW", Type: "SPARSE", Name: `C:\VMs\a b\x-s001.vmdk`},
		"RW 8 VMFS \"\xc7\xd1\xb1\xdb.vmdk\"":                     {Access: "RW", Sectors: 8, Type: "VMFS", Name: "\xc7\xd1\xb1\xdb.vmdk"},
		`NOACCESS 5 ZERO`:                                         {Access: "NOACCESS", Sectors: 5, Type: "ZERO"},
		`RW 8 SESPARSE "x"`:                                       {Access: "RW", Sectors: 8, Type: "SESPARSE", Name: "x"},
		`RW 8 FLAT "unfinished`:                                   {Access: "RW", Sectors: 8, Type: "FLAT", Name: "unfinished"},
		`RW 8 FLAT "" 0`:                                          {Access: "RW", Sectors: 8, Type: "FLAT"},
		fmt.Sprintf(`RW 8 FLAT "%s" 1`, strings.Repeat(`"`, 999)): {Access: "RW", Sectors: 8, Type: "FLAT", Name: strings.Repeat(`"`, 999), Offset: 1},
	} {
		d, err := ParseDescriptor([]byte("version=1\n" + line))
		if err != nil || len(d.Extents) != 1 {
			t.Errorf("%s: %+v, %v", line, d, err)
			continue
		}
		d.Extents[0].Line = 0
		if d.Extents[0] != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", line, d.Extents[0], want)
		}
	}
}

func TestBadDescriptors(t *testing.T) {
	for text, kind := range map[string]error{
		"":                                  disk.ErrFormat,
		"# Disk DescriptorFile\n":           disk.ErrFormat,
		"some other=text\n":                 disk.ErrFormat,
		"version=one":                       disk.ErrCorrupt,
		"CID=xyz":                           disk.ErrCorrupt,
		"CID=123456789":                     disk.ErrCorrupt,
		"CID=-1":                            disk.ErrCorrupt,
		"RW -8 FLAT \"x\" 0":                disk.ErrCorrupt,
		"RW 8 FLAT \"x\" -1":                disk.ErrCorrupt,
		"RW 8 FLAT x y":                     disk.ErrCorrupt,
		"RW 8":                              disk.ErrCorrupt,
		"RW x FLAT":                         disk.ErrCorrupt,
		"RW 99999999999999999999 ZERO":      disk.ErrCorrupt,
		"RW 9223372036854775807 ZERO":       disk.ErrCorrupt,
		"RW 137438953473 ZERO":              disk.ErrLimit,
		"RW 137438953472 ZERO\nRW 1 ZERO":   disk.ErrLimit,
		strings.Repeat("RW 1 ZERO\n", 4097): disk.ErrLimit,
		"version=1\n" + strings.Repeat("#\n", maxDescriptor/2): disk.ErrLimit,
	} {
		_, err := ParseDescriptor([]byte(text))
		if err == nil {
			t.Errorf("%.60q was accepted", text)
			continue
		}
		disktest.CheckError(t, err, kind)
	}
}

func TestProbe(t *testing.T) {
	for head, want := range map[string]bool{
		"":                         false,
		"KDM":                      false,
		"KDMV":                     true,
		"COWD\x01":                 true,
		magicSESparse:              true,
		"# Disk DescriptorFile":    true,
		"#disk descriptorfile\r\n": true,
		"version=1\nCID=1\n":       true,
		"version=1\n":              false,
		"version=1\nname=x\nCID=1\ncreateType=x\n":  false,
		"\n\n# comment\nVersion = 1\r\nCID = 1\r\n": true,
		"#!/bin/sh\n":                   false,
		"# DiskLabel\nversion: 1\n":     false,
		"\x00\x00# Disk DescriptorFile": false,
	} {
		if got := Probe([]byte(head)); got != want {
			t.Errorf("Probe(%q) = %v", head, got)
		}
	}
}

// TestLongLines holds that a line of a megabyte costs no more than its length.
func TestLongLines(t *testing.T) {
	for _, unit := range []string{`"`, `" `, `" 1`, ` `, `=`, `" "`, `x`} {
		text := "RW 8 FLAT \"" + strings.Repeat(unit, (maxDescriptor-100)/len(unit)) + "\" 0"
		start := time.Now()
		if d, err := ParseDescriptor([]byte(text)); err != nil && !disktest.IsKind(err) {
			t.Errorf("%q: %v, %v", unit, d, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("a line of %q took %s", unit, took)
		}
	}
}

func TestReferences(t *testing.T) {
	for text, want := range map[string]string{
		"version=1\nCID=1\nRW 8 FLAT \"a.vmdk\" 0\nRW 8 FLAT \"a.vmdk\" 8\nRW 1 ZERO\nRW 9 SPARSE \"b c.vmdk\"": `["a.vmdk" "b c.vmdk"] ""`,
		"version=1\nCID=1\nparentCID=2\nparentFileNameHint=\"p.vmdk\"\nRW 9 VMFSSPARSE \"x-delta.vmdk\"":        `["x-delta.vmdk"] "p.vmdk"`,
	} {
		names, parent, err := References(disktest.NewMemFile("x.vmdk", []byte(text)))
		if got := fmt.Sprintf("%q %q", names, parent); got != want || err != nil {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	single := newSparseImage(t, sparseShape{descriptor: "version=1\nCID=1\nparentCID=2\nparentFileNameHint=\"p.vmdk\"\nRW 1024 SPARSE \"old name.vmdk\"\n"})
	names, parent, err := References(disktest.NewMemFile("x.vmdk", single.b))
	if len(names) != 0 || parent != "p.vmdk" || err != nil {
		t.Errorf("%q %q, %v", names, parent, err)
	}
	_, _, err = References(disktest.NewMemFile("x", []byte("no image")))
	disktest.CheckError(t, err, disk.ErrFormat)
}
