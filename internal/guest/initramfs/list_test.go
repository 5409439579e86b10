package initramfs_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"pgregory.net/rapid"

	"hyper2kvm/internal/guest/initramfs"
	"hyper2kvm/internal/guest/initramfs/initramfstest"
)

const kernel = "6.1.0-18-amd64"

// sample is what the archives of these tests hold.
func sample() map[string]string {
	files := initramfstest.Modules(kernel, "virtio_blk", "virtio-scsi")
	files["lib/modules/"+kernel+"/modules.builtin"] = "kernel/drivers/virtio/virtio.ko\n"
	files["scripts/init-top/ORDER"] = "x"
	files["conf/param.conf"] = "ROOT=/dev/sda1\n"
	files["etc/fstab"] = "# none\n"
	files["usr/share/noise"] = noise(300 << 10)
	return files
}

// noise is content that does not compress to nothing.
func noise(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x>>24) & 0x3f
	}
	return string(b)
}

// packers compress; those of programs skip aloud where the program is not there.
var packers = []struct {
	name, method string
	pack         func(t testing.TB, b []byte) []byte
}{
	{"none", "none", func(_ testing.TB, b []byte) []byte { return b }},
	{"gzip", "gzip", packGzip},
	{"zstd", "zstd", packZstd},
	{"lz4 legacy", "lz4", packLZ4(lz4.LegacyOption(true))},
	{"lz4", "lz4", packLZ4(lz4.BlockChecksumOption(true))},
	{"xz", "xz", program("xz", "--check=crc32", "-c")},
	{"lzma", "lzma", program("xz", "--format=lzma", "-c")},
	{"bzip2", "bzip2", program("bzip2", "-c")},
	{"lz4 -l of lz4(1)", "lz4", program("lz4", "-l", "-c")},
	{"zstd of zstd(1)", "zstd", program("zstd", "-19", "-c")},
}

func packGzip(tb testing.TB, b []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	return written(tb, &out, w, b)
}

func packZstd(tb testing.TB, b []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	if err != nil {
		tb.Fatal(err)
	}
	return written(tb, &out, w, b)
}

func packLZ4(o lz4.Option) func(testing.TB, []byte) []byte {
	return func(tb testing.TB, b []byte) []byte {
		tb.Helper()
		var out bytes.Buffer
		w := lz4.NewWriter(&out)
		if err := w.Apply(o); err != nil {
			tb.Fatal(err)
		}
		return written(tb, &out, w, b)
	}
}

func written(tb testing.TB, out *bytes.Buffer, w io.WriteCloser, b []byte) []byte {
	tb.Helper()
	if _, err := w.Write(b); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func program(name string, args ...string) func(testing.TB, []byte) []byte {
	return func(tb testing.TB, b []byte) []byte {
		tb.Helper()
		if _, err := exec.LookPath(name); err != nil {
			tb.Skipf("%s is not installed: its format is not tested here", name)
		}
		c := exec.Command(name, args...)
		c.Stdin = bytes.NewReader(b)
		out, err := c.Output()
		if err != nil {
			tb.Fatal(err)
		}
		return out
	}
}

func list(b []byte) (initramfs.Contents, error) {
	return initramfs.List(context.Background(), bytes.NewReader(b), int64(len(b)))
}

func checkSample(t *testing.T, c initramfs.Contents) {
	t.Helper()
	for _, m := range []string{"virtio_blk", "virtio_scsi"} {
		if !c.Has(kernel, m) {
			t.Errorf("%s is not found in %v", m, c.Modules)
		}
	}
	if c.Has(kernel, "virtio_net") || c.Has("6.1.0-19-amd64", "virtio_blk") {
		t.Error("a module is found that is not there")
	}
	if !slices.Equal(c.Builtin, []string{kernel}) || !slices.Equal(c.Dep, []string{kernel}) || !slices.Equal(c.Kernels, []string{kernel}) {
		t.Errorf("builtin %v, dep %v, kernels %v", c.Builtin, c.Dep, c.Kernels)
	}
	if !c.Is(initramfs.KindInitramfsTools) || c.Files["conf/param.conf"] != "ROOT=/dev/sda1\n" || c.Files["etc/fstab"] != "# none\n" {
		t.Errorf("kinds %v, files %v", c.Kinds, c.Files)
	}
}

func TestListEachCompression(t *testing.T) {
	early := initramfstest.Archive(map[string]string{"kernel/x86/microcode/": "", "kernel/x86/microcode/GenuineIntel.bin": noise(5000)})
	second := initramfstest.Archive(map[string]string{"appended": "x"})
	for _, p := range packers {
		t.Run(p.name, func(t *testing.T) {
			main := p.pack(t, initramfstest.Archive(sample()))
			for _, shape := range []struct {
				name     string
				image    []byte
				parts    []string
				trailing bool
			}{
				{"alone", main, []string{p.method}, false},
				{"behind microcode", slices.Concat(early, make([]byte, 1024), main), []string{"none", p.method}, false},
				{"padded", slices.Concat(main, make([]byte, 4099)), []string{p.method}, p.method == "bzip2" || p.method == "lzma"},
				{"garbage behind", slices.Concat(main, []byte("no archive at all, long enough")), []string{p.method}, true},
			} {
				c, err := list(shape.image)
				if err != nil {
					t.Errorf("%s: %v", shape.name, err)
					continue
				}
				checkSample(t, c)
				var parts []string
				for _, a := range c.Archives {
					parts = append(parts, a.Compression)
				}
				if !slices.Equal(parts, shape.parts) || c.Trailing != shape.trailing {
					t.Errorf("%s: parts %v, trailing %v; want %v, %v", shape.name, parts, c.Trailing, shape.parts, shape.trailing)
				}
			}
			if p.method == "bzip2" || p.method == "lzma" {
				return // what follows one of these is not found; see Contents.Trailing
			}
			for _, q := range packers[:4] {
				for _, gap := range []int{0, 512} {
					if gap == 0 && (p.name != q.name && p.method == "lz4" && q.name == "gzip" || p.name == "gzip" && q.name == "lz4 legacy") {
						continue // the kernel too takes the header of gzip for the size of one more block of lz4
					}
					image := slices.Concat(q.pack(t, second), make([]byte, gap), main, make([]byte, gap), q.pack(t, second))
					if c, err := list(image); err != nil || len(c.Archives) != 3 || c.Trailing {
						t.Errorf("between two of %s, gap %d: %d archives, trailing %v, %v", q.name, gap, len(c.Archives), c.Trailing, err)
					}
				}
			}
		})
	}
}

func TestListRefuses(t *testing.T) {
	whole := initramfstest.Archive(sample())
	bad := slices.Clone(packGzip(t, whole))
	bad[len(bad)-6] ^= 1 // the checksum
	odd := slices.Clone(whole)
	odd[20] = 'z'
	for _, tc := range []struct {
		name  string
		image []byte
		want  error
	}{
		{"empty", nil, initramfs.ErrFormat},
		{"zeros", make([]byte, 4096), initramfs.ErrFormat},
		{"text", []byte("this is a text and no image"), initramfs.ErrFormat},
		{"kernel", append([]byte("MZ"), make([]byte, 600)...), initramfs.ErrFormat},
		{"lzo", []byte("\x89LZO\x00\r\n\x1a\n and more"), initramfs.ErrUnsupported},
		{"lzo behind microcode", append(initramfstest.Archive(map[string]string{"kernel/x86/microcode/GenuineIntel.bin": "x"}), "\x89LZO\x00\r\n\x1a\n and more"...), initramfs.ErrUnsupported},
		{"odc", []byte("070707 and more of it"), initramfs.ErrUnsupported},
		{"cut", whole[:len(whole)-200], initramfs.ErrCorrupt},
		{"no trailer", whole[:len(whole)-124], initramfs.ErrCorrupt},
		{"gzip cut", packGzip(t, whole)[:40<<10], initramfs.ErrCorrupt},
		{"gzip checksum", bad, initramfs.ErrCorrupt},
		{"zstd cut", packZstd(t, whole)[:40<<10], initramfs.ErrCorrupt},
		{"lz4 cut", packLZ4(lz4.LegacyOption(true))(t, whole)[:40<<10], initramfs.ErrCorrupt},
		{"gzip of text", packGzip(t, []byte("text")), initramfs.ErrCorrupt},
		{"gzip of nothing", packGzip(t, nil), initramfs.ErrCorrupt},
		{"field", odd, initramfs.ErrCorrupt},
		{"long name", initramfstest.Archive(map[string]string{strings.Repeat("n", 5000): ""}), initramfs.ErrLimit},
	} {
		c, err := list(tc.image)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", tc.name, err, tc.want)
		}
		if len(c.Archives)+len(c.Modules) > 0 {
			t.Errorf("%s: contents together with an error", tc.name)
		}
	}
	if _, err := list([]byte("\x89LZO\x00\r\n\x1a\n and more")); !strings.Contains(err.Error(), "LZO") {
		t.Errorf("the error does not name LZO: %v", err)
	}
}

// TestListAgainstCpio reads what cpio(1) writes, in both formats.
func TestListAgainstCpio(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("cpio is not installed: only archives of our own are read")
	}
	for _, format := range []string{"newc", "crc"} {
		c := exec.Command("cpio", "--quiet", "-o", "-H", format)
		c.Dir = "testdata/tree"
		c.Stdin = strings.NewReader(".\nlib\nlib/modules\nlib/modules/5.14.0\nlib/modules/5.14.0/virtio_net.ko\n")
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		got, err := list(out)
		if err != nil || !got.Has("5.14.0", "virtio_net") {
			t.Errorf("%s: %+v, %v", format, got, err)
		}
	}
}

func TestModulesThatCount(t *testing.T) {
	c, err := list(initramfstest.Archive(map[string]string{
		"lib/virtio_pci.ko": "old mkinitrd",
		"./usr/lib/modules/5.9/kernel/drivers/block/virtio_blk.ko.zst": "x",
		"usr/lib/modules/5.9/extra/a.ko.xz":                            "-> ../kernel/drivers/block/virtio_blk.ko.zst",
		"usr/lib/modules/5.9/extra/dangling.ko":                        "-> nowhere.ko",
		"usr/lib/modules/5.9/extra/empty.ko":                           "",
		"usr/lib/modules/5.9/extra/text.ko.conf":                       "x",
	}))
	if err != nil {
		t.Fatal(err)
	}
	for module, want := range map[string]bool{"virtio_blk": true, "virtio_pci": true, "a": true, "dangling": false, "empty": false, "text": false} {
		if c.Has("5.9", module) != want {
			t.Errorf("%s: found %v, want %v", module, !want, want)
		}
	}
	if c.Has("5.14", "virtio_blk") || !c.Has("5.14", "virtio_pci") {
		t.Error("modules of one kernel were taken for another's, or those of none for none's")
	}
}

func TestUnified(t *testing.T) {
	inner := slices.Concat(initramfstest.Archive(sample()), packGzip(t, initramfstest.Archive(map[string]string{"x": ""})))
	b := Unified(map[string][]byte{".initrd": inner, ".uname": []byte(kernel), ".cmdline": []byte("root=/dev/sda2 quiet\n\x00")})
	u, err := initramfs.ReadUnified(bytes.NewReader(b), int64(len(b)))
	if err != nil || u.Version != kernel || u.Cmdline != "root=/dev/sda2 quiet" {
		t.Fatalf("%+v, %v", u, err)
	}
	c, err := list(b)
	if err != nil {
		t.Fatal(err)
	}
	checkSample(t, c)
	if !c.Unified || len(c.Archives) != 2 {
		t.Errorf("unified %v, %d archives", c.Unified, len(c.Archives))
	}
	for cut := range len(b) {
		if _, err := list(b[:cut]); err == nil {
			t.Fatalf("cut to %d bytes it is still read", cut)
		} else if cut > 1024 {
			break
		}
	}
}

// Unified builds a program with these sections and as much of its headers as is read.
func Unified(sections map[string][]byte) []byte {
	b := make([]byte, 0x40, 4096)
	copy(b, "MZ")
	b[0x3c] = 0x40
	b = append(b, "PE\x00\x00"...)
	b = append(b, make([]byte, 20)...)
	binary.LittleEndian.PutUint16(b[0x46:], uint16(len(sections)))
	off := 1024
	table, body := b, []byte{}
	for name, content := range sections {
		h := make([]byte, 40)
		copy(h, name)
		binary.LittleEndian.PutUint32(h[8:], uint32(len(content)))
		binary.LittleEndian.PutUint32(h[16:], uint32((len(content)+511)&^511))
		binary.LittleEndian.PutUint32(h[20:], uint32(off+len(body)))
		table = append(table, h...)
		body = append(body, content...)
		body = append(body, make([]byte, -len(content)&511)...)
	}
	return slices.Concat(table, make([]byte, off-len(table)), body)
}

func TestListEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := packGzip(t, initramfstest.Archive(sample()))
	if _, err := initramfs.List(ctx, bytes.NewReader(b), int64(len(b))); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

var errDisk = errors.New("the disk is broken")

type broken struct{ at int64 }

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.at {
		return 0, errDisk
	}
	return bytes.NewReader(initramfstest.Archive(sample())).ReadAt(p, off)
}

func TestListReportsReadErrorsAsTheyAre(t *testing.T) {
	if _, err := initramfs.List(t.Context(), broken{at: 100 << 10}, 400<<10); !errors.Is(err, errDisk) {
		t.Errorf("error %v", err)
	}
}

// TestListFindsWhatWasPacked packs random sets of modules in random ways: what comes out is what went in.
func TestListFindsWhatWasPacked(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z][a-z0-9_]{0,12}`), 0, 12, rapid.ID[string]).Draw(rt, "modules")
		var image []byte
		for rest := names; ; {
			n := rapid.IntRange(0, len(rest)).Draw(rt, "take")
			p := packers[rapid.IntRange(0, 4).Draw(rt, "packer")]
			part := p.pack(t, initramfstest.Archive(initramfstest.Modules(kernel, rest[:n]...)))
			image = append(image, part...)
			image = append(image, make([]byte, 4+-len(image)&3)...)
			if rest = rest[n:]; len(rest) == 0 {
				break
			}
		}
		c, err := list(image)
		if err != nil || c.Trailing {
			rt.Fatalf("trailing %v, %v", c.Trailing, err)
		}
		var got []string
		for _, m := range c.Modules {
			got = append(got, m.Name)
		}
		if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(names))) {
			rt.Fatalf("found %q of %q", got, names)
		}
	})
}
