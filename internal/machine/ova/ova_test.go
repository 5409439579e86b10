package ova

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/machine/ovf"
)

// open opens an archive in memory.
func open(b []byte) (*Archive, error) { return Open(bytes.NewReader(b), int64(len(b))) }

// file is a member to write.
type file struct{ name, content string }

// pack writes plain members and the archive's end.
func pack(tb testing.TB, format tar.Format, files ...file) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.content)), Mode: 0o644, Format: format}); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// header packs one header alone, with the end of the archive.
func header(tb testing.TB, h tar.Header) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	h.Mode = 0o644
	if err := w.WriteHeader(&h); err != nil {
		tb.Fatal(err)
	}
	b.Write(make([]byte, 2*blockSize))
	return b.Bytes()
}

func TestFixtures(t *testing.T) {
	for name, want := range map[string]struct {
		members  int
		system   string
		disk     string
		err      error // of VerifyChecksums
		warnings int
	}{
		"vbox-tdAppliance1-t1.ova":               {members: 2, system: "tdAppliance1-t1"},
		"vbox-tdAppliance1-t2.ova":               {members: 3, disk: "tdAppliance1-t2-disk1.vmdk"},
		"vbox-tdAppliance1-t2-ovftool-4.1.0.ova": {members: 3, disk: "tdAppliance1-t2-ovftool-4.1.0-disk1.vmdk"},
		"vbox-tdAppliance1-t3.ova":               {members: 3, disk: "tdAppliance1-t3-disk1.vmdk.gz"},
		"vbox-tdAppliance1-t4.ova":               {members: 5, disk: "tdAppliance1-t4-disk1.vmdk.gz", warnings: 1},
		"vbox-tdAppliance1-t5.ova":               {members: 4, disk: "tdAppliance1-t5-disk1.vmdk.gz", warnings: 1},
		"vbox-tdAppliance1-t6-ovftool-4.1.0.ova": {members: 4, disk: "tdAppliance1-t6-ovftool-4.1.0-disk1.vmdk.gz", warnings: 1},
		"glance-testserver.ova":                  {members: 2, disk: "testserver-disk1.vmdk"},
		"cdi-fake.ova":                           {members: 3, disk: "disk1.vmdk"},
		"govmomi-ttylinux-pc_i486-16.1.ova":      {members: 3, disk: "ttylinux-pc_i486-16.1-disk1.vmdk"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := open(readFixture(t, "ovf/"+name))
			if err != nil {
				t.Fatal(err)
			}
			if got := len(a.Members()); got != want.members {
				t.Errorf("%d members, want %d", got, want.members)
			}
			if got := a.Warnings(); len(got) != want.warnings {
				t.Errorf("warnings %q, want %d", got, want.warnings)
			}
			_, text, err := a.OVF()
			if err != nil {
				t.Fatal(err)
			}
			p, err := ovf.Parse(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if m := p.Systems[0]; want.disk == "" && len(m.Disks) != 0 || want.disk != "" && m.Disks[0].File != want.disk {
				t.Errorf("disks %+v, want %q", m.Disks, want.disk)
			}
			if want.disk != "" {
				r, err := a.Member(want.disk)
				if err != nil || r.Size() == 0 {
					t.Errorf("member: %v", err)
				}
			}
			if err := a.VerifyChecksums(t.Context(), nil); !errors.Is(err, want.err) {
				t.Errorf("checksums: %v, want %v", err, want.err)
			}
		})
	}
}

func TestMembersAreReadInPlace(t *testing.T) {
	long := strings.Repeat("directory/", 20) + strings.Repeat("n", 150) + ".vmdk"
	for _, format := range []tar.Format{tar.FormatUSTAR, tar.FormatPAX, tar.FormatGNU} {
		t.Run(format.String(), func(t *testing.T) {
			files := []file{{"./disk-é.vmdk", strings.Repeat("d", 1000)}, {"empty", ""}, {"._x.ovf", "fork"}, {"x.OVF", "<Envelope/>"}, {"x.mf", "\n"}, {"x.cert", "c"}}
			if format == tar.FormatUSTAR {
				files[0].name = "./disk.vmdk"
			} else {
				files = append(files, file{long, "long"})
			}
			a, err := open(pack(t, format, files...))
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range a.Members() {
				r, err := a.Member(m.Name)
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(r)
				if err != nil || string(b) != files[i].content || m.Size != int64(len(b)) || m.Name != strings.TrimPrefix(files[i].name, "./") {
					t.Errorf("member %+v: %.20q %v", m, b, err)
				}
			}
			if name, text, err := a.OVF(); name != "x.OVF" || string(text) != "<Envelope/>" || err != nil {
				t.Errorf("descriptor %q %q %v", name, text, err)
			}
			if w := a.Warnings(); len(w) != 1 || !strings.Contains(w[0], "x.cert") {
				t.Errorf("warnings %q", w)
			}
			if _, err := a.Member("nothing"); !errors.Is(err, machine.ErrMissing) {
				t.Errorf("missing member: %v", err)
			}
		})
	}
}

// hugeArchive is an archive whose first member has many GiB of zeroes.
type hugeArchive struct {
	head, tail []byte
	gap        int64
}

func (h hugeArchive) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		switch at := off + int64(i); {
		case at < int64(len(h.head)):
			p[i] = h.head[at]
		case at < int64(len(h.head))+h.gap:
			p[i] = 0
		case at < int64(len(h.head))+h.gap+int64(len(h.tail)):
			p[i] = h.tail[at-int64(len(h.head))-h.gap]
		default:
			return i, io.EOF
		}
	}
	return len(p), nil
}

func TestLargeMembers(t *testing.T) {
	for _, format := range []tar.Format{tar.FormatPAX, tar.FormatGNU} {
		const size = 20<<30 + 5
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := w.WriteHeader(&tar.Header{Name: "big.vmdk", Size: size, Mode: 0o644, Format: format}); err != nil {
			t.Fatal(err)
		}
		h := hugeArchive{head: b.Bytes(), gap: (size + blockSize - 1) / blockSize * blockSize, tail: pack(t, format, file{"x.ovf", "<x/>"})}
		total := int64(len(h.head)) + h.gap + int64(len(h.tail))
		a, err := Open(h, total)
		if err != nil {
			t.Fatal(err)
		}
		if m := a.Members(); len(m) != 2 || m[0].Size != size || m[1].Name != "x.ovf" {
			t.Errorf("%s: members %+v", format, m)
		}
		if _, err := Open(h, 8<<30); !errors.Is(err, machine.ErrTruncated) || !strings.Contains(err.Error(), "21474836485") {
			t.Errorf("%s: cut archive: %v", format, err)
		}
	}
	liar := header(t, tar.Header{Name: "a", Size: math.MaxInt64 - 1, Format: tar.FormatGNU})
	if _, err := open(liar); !errors.Is(err, machine.ErrTruncated) {
		t.Errorf("size of 2^63-2: %v", err)
	}
}
