package packed_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/zstd"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/packed"
)

// memory is a disk.File of bytes.
type memory struct {
	*bytes.Reader
	name string
}

func (m memory) Name() string { return m.name }
func (m memory) Close() error { return nil }

func file(name string, b []byte) disk.File { return memory{bytes.NewReader(b), name} }

// content is a small disk: data, holes and an odd end.
func content(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for off := 0; off < n; off += 4096 {
		if r.IntN(3) == 0 {
			for i := off; i < min(off+4096, n); i += 1 + r.IntN(9) {
				b[i] = byte(r.Uint32())
			}
		}
	}
	return b
}

func gzipped(parts ...[]byte) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		w := gzip.NewWriter(&b)
		w.Write(p)
		w.Close()
	}
	return b.Bytes()
}

func zstded(p []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(p, nil)
}

// tool compresses with a program of the system.
func tool(tb testing.TB, name string, p []byte, args ...string) []byte {
	tb.Helper()
	if _, err := exec.LookPath(name); err != nil {
		tb.Skipf("SKIPPED: %s is not installed, so nothing writes its files; scripts/test-deps installs it", name)
	}
	cmd := exec.CommandContext(tb.Context(), name, append([]string{"-c"}, args...)...)
	cmd.Stdin = bytes.NewReader(p)
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return out
}

const plenty = 1 << 30

func unpack(tb testing.TB, f disk.File, opt packed.Options) ([]byte, error) {
	tb.Helper()
	if opt.Dir == "" {
		opt.Dir = tb.TempDir()
	}
	got, _, err := packed.Unpack(tb.Context(), f, opt)
	if left, _ := os.ReadDir(opt.Dir); len(left) > 0 {
		tb.Errorf("%d files are left in the directory", len(left))
	}
	if err != nil {
		return nil, err
	}
	defer got.Close()
	b, err := io.ReadAll(io.NewSectionReader(got, 0, got.Size()))
	if err != nil {
		tb.Fatal(err)
	}
	return b, nil
}

func TestUnpacksEveryMethod(t *testing.T) {
	disks := map[string][]byte{"empty": {}, "small": content(100, 1), "odd": content(1<<20+777, 2), "ends in zeroes": append(content(300_000, 3), make([]byte, 1<<20)...)}
	type packing struct {
		method string
		pack   func(b []byte) []byte
	}
	split := func(pack func(b []byte) []byte) func(b []byte) []byte {
		return func(b []byte) []byte { return append(pack(b[:len(b)/2]), pack(b[len(b)/2:])...) }
	}
	gz := func(b []byte) []byte { return gzipped(b) }
	xz := func(b []byte) []byte { return tool(t, "xz", b) }
	bz := func(b []byte) []byte { return tool(t, "bzip2", b) }
	for _, m := range []packing{
		{packed.Gzip, gz}, {packed.Gzip, split(gz)}, {packed.Gzip, func(b []byte) []byte { return append(gz(b), make([]byte, 1000)...) }},
		{packed.Zstd, zstded}, {packed.Zstd, split(zstded)}, {packed.XZ, xz}, {packed.XZ, split(xz)}, {packed.Bzip2, bz}, {packed.Bzip2, split(bz)},
	} {
		t.Run(m.method, func(t *testing.T) {
			for name, want := range disks {
				b := m.pack(want)
				if len(b) == 0 { // zstd writes nothing for nothing
					continue
				}
				f := file("disk.img.x", b)
				if got, ok := packed.Detect(f); !ok || got != m.method {
					t.Errorf("%s: detected as %q", name, got)
				}
				var done int64
				got, err := unpack(t, f, packed.Options{Room: packed.AtMost(plenty), Progress: func(n int64) { done = max(done, n) }})
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(want), err)
				}
				if done != f.Size() {
					t.Errorf("%s: the progress ended at %d of %d", name, done, f.Size())
				}
			}
		})
	}
}

func TestZeroesBecomeHoles(t *testing.T) {
	data := content(256<<10, 5)
	data[0], data[len(data)-1] = 1, 1
	disk10G := io.MultiReader(bytes.NewReader(data), io.LimitReader(zeroes{}, 200<<20), bytes.NewReader(data))
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.Copy(w, disk10G); err != nil {
		t.Fatal(err)
	}
	w.Close()
	f, told, err := packed.Unpack(t.Context(), file("d.raw.gz", b.Bytes()), packed.Options{Dir: t.TempDir(), Room: packed.AtMost(2 * int64(len(data)))})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if want := int64(200<<20 + 2*len(data)); f.Size() != want || f.Name() != "d.raw" {
		t.Errorf("%s has %d bytes, want %d", f.Name(), f.Size(), want)
	}
	holes, ok := f.(disk.HoleFinder)
	if !ok {
		t.Fatal("the scratch file does not know its holes")
	}
	var stored int64
	for off := int64(0); ; {
		start, end, err := holes.NextData(off)
		if err != nil {
			break
		}
		stored, off = stored+end-start, end
	}
	if stored > 2*int64(len(data))+2*4096 || told > stored {
		t.Errorf("%d bytes are stored for %d of data, and %d are told", stored, 2*len(data), told)
	}
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestBounds(t *testing.T) {
	data := bytes.Repeat([]byte("disk"), 100_000)
	if _, err := unpack(t, file("d.gz", gzipped(data)), packed.Options{Room: packed.AtMost(int64(len(data)))}); err != nil {
		t.Errorf("with just enough space: %v", err)
	}
	_, err := unpack(t, file("d.gz", gzipped(data)), packed.Options{Room: packed.AtMost(int64(len(data)) - 1)})
	if !errors.Is(err, packed.ErrSpace) {
		t.Errorf("with a byte less: %v", err)
	}
	if _, err := unpack(t, file("d.gz", gzipped(make([]byte, 3<<20))), packed.Options{}); err != nil {
		t.Errorf("zeroes need no space: %v", err)
	}
	if _, _, err := packed.Unpack(t.Context(), file("d.gz", gzipped(data)), packed.Options{Dir: "/nonexistent", Room: packed.AtMost(plenty)}); !errors.Is(err, packed.ErrScratch) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
}

// TestLongestRunsUnpack: runs of zstd stand for 32768 bytes a byte, which is below the ratio that is allowed.
func TestLongestRunsUnpack(t *testing.T) {
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88} // RFC 8878 section 3.1.1: no size, a window of 128 MiB
	for range 64 << 20 / (128 << 10) {
		frame = append(frame, 0x02, 0x00, 0x10, 0x00) // a run of 128 KiB
	}
	frame = append(frame, 0x03, 0x00, 0x00, 0x00) // the last, empty
	got, err := unpack(t, file("d.zst", frame), packed.Options{})
	if err != nil || len(got) != 64<<20 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestRefuses(t *testing.T) {
	disk1 := content(200_000, 9)
	gz, zs := gzipped(disk1), zstded(disk1)
	flipped := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 0x55
		return b
	}
	wide := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x03, 0x00, 0x00, 0x00} // a window of 2 GiB
	for _, tt := range []struct {
		name string
		b    []byte
		kind error
		says string
	}{
		{"plain", disk1, disk.ErrFormat, "not compressed"},
		{"twice", gzipped(gz), disk.ErrUnsupported, "compressed twice: the content of the gzip file is a gzip file"},
		{"two methods", zstded(gz), disk.ErrUnsupported, "compressed twice: the content of the zstd file is a gzip file"},
		{"gzip cut", gz[:len(gz)/2], disk.ErrTruncated, ""},
		{"gzip without its trailer", gz[:len(gz)-3], disk.ErrTruncated, ""},
		{"gzip header only", gz[:5], disk.ErrTruncated, ""},
		{"gzip second header cut", append(bytes.Clone(gz), gz[:4]...), disk.ErrTruncated, ""},
		{"gzip damaged", flipped(gz, len(gz)-6), disk.ErrCorrupt, "checksum"},
		{"gzip with a text behind", append(bytes.Clone(gz), "surprise, and more of it"...), disk.ErrCorrupt, "no gzip member"},
		{"gzip behind zeroes", append(append(bytes.Clone(gz), 0, 0), gz...), disk.ErrCorrupt, "no gzip member"},
		{"zstd cut", zs[:len(zs)/2], disk.ErrTruncated, ""},
		{"zstd damaged", flipped(zs, len(zs)-2), disk.ErrCorrupt, ""},
		{"zstd window", wide, disk.ErrLimit, ""},
	} {
		_, err := unpack(t, file("disk.x", tt.b), packed.Options{Room: packed.AtMost(plenty)})
		if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v; want %v", tt.name, err, tt.kind)
		}
		var at *disk.Error
		if !errors.As(err, &at) || at.File != "disk.x" || at.Off < 0 && !errors.Is(err, disk.ErrFormat) {
			t.Errorf("%s: %v does not say where", tt.name, err)
		}
	}
	xz, bz := tool(t, "xz", disk1), tool(t, "bzip2", disk1)
	for _, b := range [][]byte{xz, bz} {
		if _, err := unpack(t, file("d", b[:len(b)-5]), packed.Options{Room: packed.AtMost(plenty)}); !errors.Is(err, disk.ErrTruncated) {
			t.Errorf("cut: %v", err)
		}
		if _, err := unpack(t, file("d", flipped(b, len(b)/2)), packed.Options{Room: packed.AtMost(plenty)}); !errors.Is(err, disk.ErrCorrupt) {
			t.Errorf("damaged: %v", err)
		}
	}
}

// broken is a file that cannot be read from an offset on.
type broken struct {
	disk.File
	from int64
}

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.from {
		return 0, &disk.Error{Op: "read", File: b.Name(), Off: off, Err: syscall.EIO}
	}
	return b.File.ReadAt(p, off)
}

func TestErrorsOfTheFileAndTheContextComeAsTheyAre(t *testing.T) {
	noisy := make([]byte, 2<<20)
	rand.NewChaCha8([32]byte{}).Read(noisy)
	for _, b := range [][]byte{gzipped(noisy), zstded(noisy), tool(t, "xz", noisy, "-0"), tool(t, "bzip2", noisy)} {
		f := file("d", b)
		_, err := unpack(t, broken{f, 1 << 20}, packed.Options{Room: packed.AtMost(plenty)})
		if !errors.Is(err, syscall.EIO) || errors.Is(err, disk.ErrCorrupt) || errors.Is(err, disk.ErrTruncated) {
			t.Errorf("%v", err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("somebody cancelled")
		_, _, err = packed.Unpack(ctx, f, packed.Options{Dir: t.TempDir(), Room: packed.AtMost(plenty), Progress: func(int64) { cancel(stop) }})
		if !errors.Is(err, stop) {
			t.Errorf("cancelled: %v", err)
		}
		cancel(nil)
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"disk.img.gz": "disk.img", "A.VMDK.GZ": "A.VMDK", "d.raw.xz": "d.raw", "d.zst": "d", "d.qcow2.bz2": "d.qcow2", ".gz": ".gz", "dir/.gz": "dir/.gz",
		"d.gz.img": "d.gz.img", "disk": "disk", "d.gz.gz": "d.gz",
	} {
		if got := packed.PlainName(name); got != want {
			t.Errorf("PlainName(%q) = %q, want %q", name, got, want)
		}
	}
}

// FuzzUnpack proves that any file either unpacks within its bounds or fails with one kind, and leaves nothing behind.
func FuzzUnpack(f *testing.F) {
	small := content(3000, 1)
	for _, b := range [][]byte{gzipped(small), gzipped(small, small), zstded(small), gzipped(gzipped(small))} {
		f.Add(b)
	}
	const space = 1 << 20
	f.Fuzz(func(t *testing.T, b []byte) {
		got, _, err := packed.Unpack(t.Context(), file("f", b), packed.Options{Dir: t.TempDir(), Room: packed.AtMost(space)})
		if err != nil {
			n := 0
			for _, k := range []error{packed.ErrSpace, disk.ErrFormat, disk.ErrCorrupt, disk.ErrTruncated, disk.ErrUnsupported, disk.ErrLimit} {
				if errors.Is(err, k) {
					n++
				}
			}
			if n != 1 || got != nil {
				t.Fatalf("error of %d kinds: %v", n, err)
			}
			return
		}
		got.Close()
	})
}
