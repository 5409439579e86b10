package ova

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/machine/ovf"
)

func TestHostileFixtures(t *testing.T) {
	for name, kind := range map[string]error{
		"made/ova-abs.ova": machine.ErrMember, "made/ova-dup.ova": machine.ErrMember, "made/ova-hardlink.ova": machine.ErrMember,
		"glance-testserver-not-tar.ova": machine.ErrDescriptor,
	} {
		if a, err := open(readFixture(t, "hostile/"+name)); a != nil || !errors.Is(err, kind) {
			t.Errorf("%s: %v, want %v", name, err, kind)
		}
	}
	a, err := open(readFixture(t, "hostile/made/ova-url.ova"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, err := a.OVF()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ovf.Parse(bytes.NewReader(text)); !errors.Is(err, machine.ErrMember) {
		t.Errorf("descriptor with a URL: %v", err)
	}
	a, err = open(readFixture(t, "ovf/glance-testserver-bad-ovf.ova"))
	if err != nil {
		t.Fatal(err)
	}
	if _, text, err = a.OVF(); err != nil {
		t.Fatal(err)
	}
	if _, err := ovf.Parse(bytes.NewReader(text)); !errors.Is(err, machine.ErrDescriptor) {
		t.Errorf("illegal XML: %v", err)
	}
}

func TestMembersRefused(t *testing.T) {
	sparse := header(t, tar.Header{Name: "s", Format: tar.FormatGNU})
	sparse[156] = tar.TypeGNUSparse
	checksum(sparse)
	for name, b := range map[string][]byte{
		"symbolic link":    header(t, tar.Header{Name: "a.vmdk", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}),
		"hard link":        header(t, tar.Header{Name: "a.vmdk", Typeflag: tar.TypeLink, Linkname: "b"}),
		"device":           header(t, tar.Header{Name: "a.vmdk", Typeflag: tar.TypeBlock, Devmajor: 8}),
		"pipe":             header(t, tar.Header{Name: "a.vmdk", Typeflag: tar.TypeFifo}),
		"absolute":         pack(t, tar.FormatUSTAR, file{"/a", ""}),
		"parent":           pack(t, tar.FormatUSTAR, file{"a/../../b", ""}),
		"parent directory": header(t, tar.Header{Name: "../", Typeflag: tar.TypeDir}),
		"control":          pack(t, tar.FormatUSTAR, file{"a\nb", ""}),
		"twice":            pack(t, tar.FormatUSTAR, file{"a", ""}, file{"./a", ""}),
		"old GNU sparse":   sparse,
		"pax sparse":       paxSparse(t),
	} {
		if a, err := open(b); a != nil || !errors.Is(err, machine.ErrMember) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// checksum makes the first header's checksum right.
func checksum(b []byte) {
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b[:blockSize] {
		sum += int(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

// paxSparse packs a sparse file in GNU's format 1.0, which archive/tar does not write.
func paxSparse(tb testing.TB) []byte {
	tb.Helper()
	records := ""
	for _, r := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=disk.vmdk", "GNU.sparse.realsize=1048576"} {
		records += fmt.Sprintf("%d %s\n", len(r)+4, r)
	}
	body := "1\n1048576\n0\n"
	b := pack(tb, tar.FormatUSTAR, file{"PaxHeaders/disk.vmdk", records}, file{"GNUSparseFile.0/disk.vmdk", body + strings.Repeat("\x00", blockSize-len(body))})
	b[156] = tar.TypeXHeader
	checksum(b)
	return b
}

func TestDirectoriesPass(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{{Name: "./", Typeflag: tar.TypeDir}, {Name: "vm/", Typeflag: tar.TypeDir}, {Name: "vm/a.ovf", Typeflag: tar.TypeReg}} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := open(b.Bytes())
	if err != nil || len(a.Members()) != 1 || a.Members()[0].Name != "vm/a.ovf" {
		t.Errorf("%v %v", a, err)
	}
}

func TestContainersAreNamed(t *testing.T) {
	for magic, name := range map[string]string{"\x1f\x8b\x08\x00": "gzip", "\xfd7zXZ\x00\x00\x04": "xz", "BZh9": "bzip2", "\x28\xb5\x2f\xfd": "zstd", "PK\x03\x04": "zip"} {
		a, err := open(append([]byte(magic), make([]byte, 2000)...))
		if a != nil || !errors.Is(err, machine.ErrUnsupported) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, b := range [][]byte{nil, []byte("short"), bytes.Repeat([]byte("x"), 4096), make([]byte, 4096)} {
		if a, err := open(b); a != nil || !errors.Is(err, machine.ErrDescriptor) {
			t.Errorf("%.10q: %v", b, err)
		}
	}
}

// TestTruncated cuts an archive at every block and in the middle of blocks: members must be complete or the error must say so.
func TestTruncated(t *testing.T) {
	whole := pack(t, tar.FormatPAX, file{"a.ovf", strings.Repeat("o", 700)}, file{strings.Repeat("l", 120), strings.Repeat("b", 3000)}, file{"c", "c"})
	complete, err := open(whole)
	if err != nil || len(complete.Warnings()) != 0 {
		t.Fatalf("%v %v", complete, err)
	}
	content := complete.Members()[2].Off + 1
	for cut := range len(whole) {
		if cut%blockSize != 0 && cut%97 != 0 {
			continue
		}
		a, err := open(whole[:cut])
		switch {
		case err != nil:
			if !errors.Is(err, machine.ErrDescriptor) {
				t.Errorf("cut at %d: %v", cut, err)
			}
			if cut > blockSize && !errors.Is(err, machine.ErrTruncated) {
				t.Errorf("cut at %d: the error does not say truncated: %v", cut, err)
			}
		case int64(cut) < content && len(a.Warnings()) == 0:
			t.Errorf("cut at %d: %d members and no word about the cut", cut, len(a.Members()))
		}
		if err == nil {
			for _, m := range a.Members() {
				if m.Off+m.Size > int64(cut) {
					t.Errorf("cut at %d: member %+v reaches past it", cut, m)
				}
			}
		}
	}
}
