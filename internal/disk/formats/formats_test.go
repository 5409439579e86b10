package formats_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/disk/formats"
)

// fixedVHD returns content with the footer of a fixed VHD behind it (VHD specification 1.0, "Hard Disk Footer Format").
func fixedVHD(content []byte) []byte {
	footer := make([]byte, 512)
	copy(footer, "conectix")
	binary.BigEndian.PutUint64(footer[48:], uint64(len(content)))
	binary.BigEndian.PutUint32(footer[60:], 2)
	var sum uint32
	for _, b := range footer {
		sum += uint32(b)
	}
	binary.BigEndian.PutUint32(footer[64:], ^sum)
	return append(bytes.Clone(content), footer...)
}

func put(size, at int, magic string) []byte {
	b := make([]byte, size)
	copy(b[at:], magic)
	return b
}

func TestProbe(t *testing.T) {
	qcow2 := put(4096, 0, "QFI\xfb\x00\x00\x00\x03")
	for _, c := range []struct {
		name    string
		content []byte
		want    string
		err     error
	}{
		{"nothing", nil, "raw", nil},
		{"one byte", []byte{0xeb}, "raw", nil},
		{"zeroes", make([]byte, 100_000), "raw", nil},
		{"boot sector", put(100_000, 510, "\x55\xaa"), "raw", nil},
		{"text", disktest.Text(10_000), "raw", nil},
		{"ISO 9660", put(100_000, 0x8001, "CD001"), "raw", nil},
		{"qcow2", qcow2, "qcow2", nil},
		{"qcow2 of the future", put(4096, 0, "QFI\xfb\x00\x00\x00\x09"), "qcow2", disk.ErrUnsupported},
		{"qcow", put(4096, 0, "QFI\xfb\x00\x00\x00\x01"), "qcow", disk.ErrUnsupported},
		{"vmdk", put(4096, 0, "KDMV\x01\x00\x00\x00"), "vmdk", nil},
		{"vmdk descriptor", []byte("# Disk DescriptorFile\nversion=1\nCID=1\n"), "vmdk", nil},
		{"vhdx", put(4096, 0, "vhdxfile"), "vhdx", nil},
		{"dynamic vhd", put(4096, 0, "conectix"), "vhd", nil},
		{"fixed vhd", fixedVHD(make([]byte, 8192)), "vhd", nil},
		{"fixed vhd with a broken checksum", put(8192, 8192-512, "conectix"), "vhd", nil},
		{"vhd of Virtual PC before 2004", put(8191, 8191-511, "conectix"), "vhd", nil},
		{"vdi", put(4096, 64, "\x7f\x10\xda\xbe"), "vdi", nil},
		{"dmg", put(8192, 8192-512, "koly\x00\x00\x00\x04"), "dmg", disk.ErrUnsupported},
		{"luks", put(4096, 0, "LUKS\xba\xbe\x00\x02"), "luks", disk.ErrUnsupported},
		{"gzip", put(4096, 0, "\x1f\x8b\x08"), "gzip", disk.ErrUnsupported},
		{"xz", put(4096, 0, "\xfd7zXZ\x00"), "xz", disk.ErrUnsupported},
		{"zstd", put(4096, 0, "\x28\xb5\x2f\xfd"), "zstd", disk.ErrUnsupported},
		{"bzip2", put(4096, 0, "BZh91AY&SY"), "bzip2", disk.ErrUnsupported},
		{"BZh is not enough", put(4096, 0, "BZh9 is how a text may begin"), "raw", nil},
		{"zip", put(4096, 0, "PK\x03\x04"), "zip", disk.ErrUnsupported},
		{"tar", put(4096, 257, "ustar\x0000"), "tar", disk.ErrUnsupported},
		{"old GNU tar", put(4096, 257, "ustar  \x00"), "tar", disk.ErrUnsupported},
		// A guest writes the first sectors of a fixed VHD; a host wrote the rest. Neither may win by itself.
		{"qcow2 inside a fixed vhd", fixedVHD(qcow2), "qcow2", disk.ErrFormat},
		{"vdi inside a fixed vhd", fixedVHD(put(4096, 64, "\x7f\x10\xda\xbe")), "vdi", disk.ErrFormat},
		{"gzip inside a fixed vhd", fixedVHD(put(4096, 0, "\x1f\x8b\x08")), "vhd", nil},
		// A guest may also own the last cluster of a qcow2 file, and anyone can write the cookie.
		{"qcow2 that ends in the cookie", append(bytes.Clone(qcow2), put(512, 0, "conectix")...), "qcow2", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := disktest.NewMemFile("disk", c.content)
			got, err := formats.Probe(f)
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %q, %v; want %q, %v", got, err, c.want, c.err)
			}
			// Raw is what a person may always say, and no other format may be said against the content.
			img, err := formats.Open(t.Context(), f, formats.OpenOptions{Format: "raw"})
			if err != nil || img.Size() != int64(len(c.content)) {
				t.Errorf("stated as raw: %v", err)
			}
			if c.want != "vmdk" {
				if _, err := formats.Open(t.Context(), f, formats.OpenOptions{Format: "vmdk"}); !errors.Is(err, disk.ErrFormat) {
					t.Errorf("stated as vmdk: %v, want ErrFormat", err)
				}
			}
		})
	}
}

func TestProbeOfAFileThatFails(t *testing.T) {
	f := disktest.NewMemFile("disk", make([]byte, 100_000))
	for n := 1; n <= 2; n++ {
		if _, err := formats.Probe(&disktest.FailingFile{File: f, FailAt: n}); !errors.Is(err, disktest.ErrInjected) {
			t.Errorf("read %d fails: %v", n, err)
		}
	}
	if _, err := formats.Probe(disktest.LyingFile(f, 50_000)); !errors.Is(err, disk.ErrTruncated) {
		t.Errorf("a file that became shorter: %v, want ErrTruncated", err)
	}
}

func TestOpenOwnsTheFile(t *testing.T) {
	for _, c := range []struct {
		name    string
		content []byte
		format  string
	}{
		{"unknown format", make([]byte, 512), "amiga"},
		{"known by name only", put(4096, 0, "QED\x00"), ""},
		{"another format", make([]byte, 512), "qcow2"},
		{"broken", put(4096, 0, "QFI\xfb\x00\x00\x00\x03"), ""},
	} {
		f := disktest.NewMemFile("disk", c.content)
		if _, err := formats.Open(t.Context(), f, formats.OpenOptions{Format: c.format}); err == nil {
			t.Errorf("%s: it opened", c.name)
		}
		if f.Closed() == 0 {
			t.Errorf("%s: the file was left open", c.name)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	for _, c := range []struct {
		format string
		o      formats.CreateOptions
		want   error
	}{
		{"raw", formats.CreateOptions{Compression: "zlib"}, disk.ErrUnsupported},
		{"raw", formats.CreateOptions{ClusterSize: 65536}, disk.ErrUnsupported},
		{"vmdk", formats.CreateOptions{Compression: "zstd"}, disk.ErrUnsupported},
		{"qcow2", formats.CreateOptions{Compression: "lzma"}, disk.ErrUnsupported},
		{"qcow2", formats.CreateOptions{ClusterSize: 3}, disk.ErrLimit},
		{"qcow2", formats.CreateOptions{Compression: "zlib", Level: 100}, disk.ErrLimit},
		{"vhdx", formats.CreateOptions{Compression: "zlib"}, disk.ErrUnsupported},
		{"vdi", formats.CreateOptions{Subformat: "fixed"}, disk.ErrUnsupported},
		{"vhd", formats.CreateOptions{Subformat: "differencing"}, disk.ErrUnsupported},
		{"vmdk", formats.CreateOptions{Subformat: "twoGbMaxExtentFlat"}, disk.ErrUnsupported},
		{"vmdk", formats.CreateOptions{Subformat: "monolithicSparse", Compression: "zlib"}, disk.ErrUnsupported},
		{"vhd", formats.CreateOptions{ClusterSize: 4096}, disk.ErrUnsupported},
		{"qed", formats.CreateOptions{}, disk.ErrUnsupported},
		{"amiga", formats.CreateOptions{}, disk.ErrUnsupported},
	} {
		w, err := formats.Create(c.format, disktest.NewMemFile("target", nil), 1<<20, c.o)
		if !errors.Is(err, c.want) || w != nil {
			t.Errorf("%s %+v: %v, want %v", c.format, c.o, err, c.want)
		}
		if err != nil && !strings.Contains(err.Error(), c.format) {
			t.Errorf("%s: the message does not name the format: %v", c.format, err)
		}
	}
}

func TestFormatsList(t *testing.T) {
	seen := make(map[string]bool)
	for _, f := range formats.Formats() {
		if seen[f.Name] && f.Read {
			t.Errorf("%s stands twice in the list", f.Name)
		}
		seen[f.Name] = true
		if f.Title == "" || f.Write && len(f.Compression) == 0 || f.Write && len(f.Extensions) == 0 {
			t.Errorf("incomplete: %+v", f)
		}
		if f.Write {
			w, err := formats.Create(f.Name, disktest.NewMemFile("target", nil), 1<<20, formats.CreateOptions{Compression: f.Compression[0]})
			if err != nil || w == nil {
				t.Errorf("%s cannot be created: %v", f.Name, err)
			}
		}
	}
}

// TestWriters runs the suite over every format and compression of the list, read back through the list.
func TestWriters(t *testing.T) {
	for _, f := range formats.Formats() {
		for _, compression := range f.Compression {
			t.Run(f.Name+" "+compression, func(t *testing.T) {
				disktest.TestWriter(t, func(target disk.Target, size int64) (disk.Writer, error) {
					return formats.Create(f.Name, target, size, formats.CreateOptions{Compression: compression})
				}, func(ctx context.Context, file disk.File) (disk.Image, error) {
					return formats.Open(ctx, file, formats.OpenOptions{Format: f.Name})
				})
			})
		}
	}
}

// TestChains opens real chains: a long one, one that is too long, one that comes back.
func TestChains(t *testing.T) {
	dir := t.TempDir()
	name := func(n int) string { return fmt.Sprintf("layer-%02d.qcow2", n) }
	disktest.QemuImg(t, "create", "-q", "-f", "qcow2", filepath.Join(dir, name(0)), "1M")
	for n := 1; n <= disk.MaxChain; n++ {
		disktest.QemuImg(t, "create", "-q", "-u", "-f", "qcow2", "-b", name(n-1), "-F", "qcow2", filepath.Join(dir, name(n)), "1M")
	}
	open := func(top string, o disk.Opener) error {
		traced, trace := disktest.TracingOpener(o)
		img, err := formats.OpenPath(t.Context(), filepath.Join(dir, top), formats.OpenOptions{Open: traced})
		if err == nil {
			if n := len(formats.Describe(img)); n != len(trace.Names())+1 {
				t.Errorf("%d layers are described, %d were opened", n, len(trace.Names())+1)
			}
			img.Close()
		}
		trace.CheckClosed(t)
		return err
	}
	if err := open(name(disk.MaxChain-1), disk.DirOpener(dir)); err != nil {
		t.Errorf("a chain of %d: %v", disk.MaxChain, err)
	}
	if err := open(name(disk.MaxChain), disk.DirOpener(dir)); !errors.Is(err, disk.ErrLimit) {
		t.Errorf("a chain of %d: %v, want ErrLimit", disk.MaxChain+1, err)
	}
	if err := open(name(3), disk.FilesOpener(map[string]string{
		name(2): filepath.Join(dir, name(2)), name(1): filepath.Join(dir, name(3)), // another name of the same file
	})); !errors.Is(err, disk.ErrCorrupt) {
		t.Errorf("a chain that comes back: %v, want ErrCorrupt", err)
	}
	if err := open(name(3), disk.FilesOpener(nil)); !errors.Is(err, disk.ErrMissing) {
		t.Errorf("a chain without its parents: %v, want ErrMissing", err)
	}
	if _, err := formats.Open(t.Context(), mustOpen(t, filepath.Join(dir, name(1))), formats.OpenOptions{}); !errors.Is(err, disk.ErrOutside) {
		t.Errorf("a chain without an opener: %v, want ErrOutside", err)
	}
}

func mustOpen(t *testing.T, path string) disk.File {
	t.Helper()
	f, err := disk.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func FuzzProbe(f *testing.F) {
	const most = 16 << 20 // beyond, reading the file takes longer than it helps
	disktest.Seeds(f, most, func(x disktest.Fixture) bool {
		return slices.Contains([]string{"qcow2", "vmdk", "vhd", "vdi"}, x.Format)
	},
		func(b []byte) { f.Add(b[:min(len(b), 2048)]) })
	f.Add(fixedVHD(make([]byte, 600)))
	for _, magic := range []string{"QFI\xfb\x00\x00\x00\x03", "KDMV\x01\x00\x00\x00", "# Disk DescriptorFile\nversion=1\n", "vhdxfile", "conectix", "BZh91AY&SY"} {
		f.Add(put(2048, 0, magic))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		name, err := formats.Probe(disktest.NewMemFile("disk", b))
		if name == "" {
			t.Fatalf("no name, and %v", err)
		}
		if err != nil && !errors.Is(err, disk.ErrUnsupported) && !errors.Is(err, disk.ErrFormat) {
			t.Fatalf("%s: %v", name, err)
		}
		if name == "raw" && err != nil {
			t.Fatalf("raw is refused: %v", err)
		}
	})
}

// TestEveryFormatChecksItself holds that an image of each format that is written, raw apart, is sound by its own check.
func TestEveryFormatChecksItself(t *testing.T) {
	content := disktest.Text(300_000)
	for _, f := range formats.Formats() {
		if !f.Write || f.Name == "raw" {
			continue
		}
		target := disktest.NewMemFile("x."+f.Name, nil)
		w, err := formats.Create(f.Name, target, 4<<20, formats.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := disk.Copy(t.Context(), w, disktest.NewMemImage(4<<20).Put(1<<20, content), disk.Options{}); err != nil {
			t.Fatal(err)
		}
		img, err := formats.Open(t.Context(), target, formats.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer img.Close()
		c, ok := img.(disk.Checker)
		if !ok {
			t.Errorf("%s: no check", f.Name)
			continue
		}
		found, err := c.Check(t.Context())
		if err != nil || found.Err() != nil || found.Leaks > 0 || found.Stored == 0 || found.Units < found.Stored {
			t.Errorf("%s: %+v, %v", f.Name, found, err)
		}
	}
}

// TestNamesThatContentContradicts holds that a raw disk under the name of another format is said to be one, where nobody stated the format.
func TestNamesThatContentContradicts(t *testing.T) {
	for _, c := range []struct{ name, format, note string }{
		{"web01.vmdk", "", "VMware VMDK image"},
		{"web01.VHDX", "", "VHDX image"},
		{"web01.ovf", "", "description of a VM"},
		{"web01.vmdk", "raw", ""},
		{"web01-flat.vmdk", "", ""},
		{"web01-F002.VMDK", "", ""},
		{"web01.img", "", ""},
		{"web01", "", ""},
		{"web01.vhd", "", "VHD image"},
	} {
		img, err := formats.Open(t.Context(), disktest.NewMemFile(c.name, make([]byte, 4096)), formats.OpenOptions{Format: c.format})
		if err != nil {
			t.Fatal(err)
		}
		notes := strings.Join(formats.Describe(img)[0].Notes, "; ")
		if c.note == "" && notes != "" || !strings.Contains(notes, c.note) {
			t.Errorf("%s as %q: notes %q, want %q", c.name, c.format, notes, c.note)
		}
		img.Close()
	}
}
