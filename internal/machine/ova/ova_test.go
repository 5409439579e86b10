package ova

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

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

func TestChecksums(t *testing.T) {
	disk := strings.Repeat("disk", 50_000)
	line := func(name, content string) string {
		return fmt.Sprintf("SHA256 (%s) = %x\n", name, sha256.Sum256([]byte(content)))
	}
	good := line("x.ovf", "<o/>") + line("d.vmdk", disk)
	a, err := open(pack(t, tar.FormatUSTAR, file{"d.vmdk", disk}, file{"other.mf", "rubbish"}, file{"x.mf", good}, file{"x.ovf", "<o/>"}))
	if err != nil {
		t.Fatal(err)
	}
	total, err := a.ChecksumBytes()
	if err != nil || total != int64(len(disk)+4) {
		t.Errorf("%d bytes to check: %v", total, err)
	}
	var last int64
	if err := a.VerifyChecksums(t.Context(), func(n int64) {
		if n <= last {
			t.Errorf("progress %d after %d", n, last)
		}
		last = n
	}); err != nil || last != total {
		t.Errorf("progress ended at %d: %v", last, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.VerifyChecksums(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for name, c := range map[string]struct {
		files []file
		kind  error
		says  string
	}{
		"changed disk":   {[]file{{"x.ovf", "<o/>"}, {"x.mf", good}, {"d.vmdk", disk + "!"}}, machine.ErrChecksum, "d.vmdk"},
		"missing disk":   {[]file{{"x.ovf", "<o/>"}, {"x.mf", good}}, machine.ErrMissing, "d.vmdk"},
		"bad manifest":   {[]file{{"x.ovf", "<o/>"}, {"x.mf", "what"}}, machine.ErrDescriptor, "x.mf"},
		"two manifests":  {[]file{{"x.ovf", "<o/>"}, {"a.mf", good}, {"b.mf", good}}, machine.ErrDescriptor, "2 manifests"},
		"none":           {[]file{{"x.ovf", "<o/>"}}, nil, ""},
		"in a directory": {[]file{{"vm/x.ovf", "<o/>"}, {"vm/x.mf", good}, {"vm/d.vmdk", disk}}, nil, ""},
	} {
		a, err := open(pack(t, tar.FormatUSTAR, c.files...))
		if err != nil {
			t.Fatal(err)
		}
		err = a.VerifyChecksums(t.Context(), nil)
		if !errors.Is(err, c.kind) || (err != nil && !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenWhatArchiveTarWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-zé][a-z0-9 é./-]{0,150}[a-z]`), 1, 6, func(s string) string {
			clean, err := machine.RelativeName(s)
			if err != nil {
				return s
			}
			return clean
		}).Draw(t, "names")
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		var want []Member
		for _, n := range names {
			clean, err := machine.RelativeName(n)
			if err != nil {
				continue
			}
			size := rapid.IntRange(0, 2000).Draw(t, "size")
			if err := w.WriteHeader(&tar.Header{Name: n, Size: int64(size), Mode: 0o600}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(bytes.Repeat([]byte{byte(len(want) + 1)}, size)); err != nil {
				t.Fatal(err)
			}
			want = append(want, Member{Name: clean, Size: int64(size)})
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		a, err := open(b.Bytes())
		if len(want) == 0 {
			return
		}
		if err != nil || len(a.Members()) != len(want) {
			t.Fatalf("%v, want %v: %v", a, want, err)
		}
		for i, m := range a.Members() {
			content := b.Bytes()[m.Off : m.Off+m.Size]
			if m.Name != want[i].Name || m.Size != want[i].Size || len(bytes.TrimLeft(content, string(rune(i+1)))) != 0 {
				t.Fatalf("member %+v, want %+v", m, want[i])
			}
		}
	})
}

func FuzzOpen(f *testing.F) {
	seeds, _ := filepath.Glob(filepath.Join(fixtures(f), "hostile/made/*.ova"))
	small, _ := filepath.Glob(filepath.Join(fixtures(f), "ovf/*-t1.ova"))
	for _, s := range append(seeds, small...) {
		rel, _ := filepath.Rel(fixtures(f), s)
		f.Add(readFixture(f, rel))
	}
	if len(seeds) == 0 || len(small) == 0 {
		f.Fatal("no seeds")
	}
	f.Add(paxSparse(f))
	f.Add(pack(f, tar.FormatGNU, file{strings.Repeat("n", 200), "x"}, file{"x.ovf", "<x/>"}, file{"x.mf", "SHA1(x.ovf)= 00"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := open(b)
		if (a == nil) == (err == nil) {
			t.Fatalf("archive %v with error %v", a, err)
		}
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, m := range a.Members() {
			if m.Off < 0 || m.Size < 0 || m.Off > int64(len(b))-m.Size || m.Off%blockSize != 0 || seen[m.Name] {
				t.Fatalf("member %+v of %d bytes", m, len(b))
			}
			if clean, err := machine.RelativeName(m.Name); err != nil || clean != m.Name {
				t.Fatalf("member name %q: %v", m.Name, err)
			}
			seen[m.Name] = true
		}
		_ = a.VerifyChecksums(t.Context(), nil)
	})
}
