package qcow2

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// chainEnv opens backing files through an opener: qcow2 as qcow2, everything else as plain content. It ends a loop.
func chainEnv(open disk.Opener) disk.Env {
	depth := 0
	var env disk.Env
	env = disk.Env{Open: open, OpenImage: func(ctx context.Context, name, format string) (disk.Image, error) {
		if depth++; depth > 8 {
			return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrLimit, Detail: "chain too long"}
		}
		f, err := open(name)
		if err != nil {
			return nil, err
		}
		if format == "qcow2" {
			return Open(ctx, f, env)
		}
		return fileImage{f}, nil
	}}
	return env
}

// fileImage is a raw image: all of it is data.
type fileImage struct{ disk.File }

func (f fileImage) Extent(_ context.Context, off int64) (disk.Extent, error) {
	if off >= f.Size() {
		return disk.Extent{}, io.EOF
	}
	return disk.Extent{Off: off, Len: f.Size() - off}, nil
}

func TestFixtures(t *testing.T) {
	for _, f := range disktest.FixturesOf(t, "qcow2") {
		if f.Expect != "ok" {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			open := func(tb testing.TB) disk.Image {
				tb.Helper()
				img, err := Open(tb.Context(), f.Open(tb), chainEnv(f.Opener(tb)))
				if err != nil {
					tb.Fatal(err)
				}
				return img
			}
			img := open(t)
			defer img.Close()
			disktest.CheckContent(t, img, f)
			res, err := img.(*Image).Check(t.Context())
			if err != nil && !errors.Is(err, disk.ErrUnsupported) || !res.Clean() {
				t.Errorf("check: %v %+v", err, res)
			}
			if img.Size() <= 64<<20 {
				whole := make([]byte, img.Size())
				if _, err := img.ReadAt(whole, 0); err != nil {
					t.Fatal(err)
				}
				disktest.TestImage(t, open, bytes.NewReader(whole), img.Size())
			}
		})
	}
}

// TestChainOfFixtures follows a chain whose formats are stated, and checks what is said about it.
func TestChainOfFixtures(t *testing.T) {
	f := disktest.FixtureNamed(t, "qcow2/dissect-chain/backing-chain-1.qcow2.gz")
	img, err := Open(t.Context(), f.Open(t), chainEnv(f.Opener(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if layers := img.Describe(); len(layers) != 3 || layers[0].Parent != "backing-chain-2.qcow2" || layers[2].Parent != "" {
		t.Errorf("layers %+v", layers)
	}
}

// TestHostileFixtures opens what was made to do harm. Nothing may be opened but what the opener gives, which is nothing here.
func TestHostileFixtures(t *testing.T) {
	want := map[string]error{
		"qcow2-backing-abs-nofmt.qcow2":   disk.ErrOutside,
		"qcow2-backing-abs.qcow2":         disk.ErrOutside,
		"qcow2-backing-json.qcow2":        disk.ErrOutside,
		"qcow2-backing-len.qcow2":         disk.ErrCorrupt,
		"qcow2-backing-nbd.qcow2":         disk.ErrOutside,
		"qcow2-backing-self.qcow2":        disk.ErrLimit,
		"qcow2-backing-loop-b.qcow2":      disk.ErrMissing,
		"qcow2-clusterbits-63.qcow2":      disk.ErrCorrupt,
		"qcow2-corrupt-bit.qcow2":         disk.ErrCorrupt,
		"qcow2-datafile-abs.qcow2":        disk.ErrOutside,
		"qcow2-datafile-json.qcow2":       disk.ErrOutside,
		"qcow2-huge-l1.qcow2":             disk.ErrLimit,
		"qcow2-huge-size.qcow2":           disk.ErrLimit,
		"qcow2-l2-past-eof.qcow2":         disk.ErrTruncated,
		"qcow2-luks.qcow2":                disk.ErrEncrypted,
		"qcow2-unknown-incompat.qcow2":    disk.ErrUnsupported,
		"filetests-qcow2-trunc.img":       disk.ErrTruncated,
		"filetests-qcow_v1.qcow":          disk.ErrUnsupported,
		"cdi-invalid-qcow-large-size.img": disk.ErrUnsupported,
	}
	seen := 0
	for _, f := range disktest.FixturesOf(t, "hostile", "qcow") {
		b := make([]byte, 8)
		file := f.Open(t)
		if _, err := file.ReadAt(b, 0); err != nil || !Probe(b) {
			file.Close()
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			img, err := Open(t.Context(), file, chainEnv(disk.DirOpener(filepath.Dir(f.Path(t)))))
			if w := want[filepath.Base(f.Name)]; w != nil {
				seen++
				if !errors.Is(err, w) {
					t.Errorf("got %v, want %v", err, w)
				}
			}
			if err != nil {
				if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
					t.Errorf("control bytes in the message %q", err)
				}
				t.Log(err)
				return
			}
			defer img.Close()
			exercise(t, img)
		})
	}
	if seen != len(want) {
		t.Errorf("%d of %d hostile fixtures found", seen, len(want))
	}
}

// exercise walks the start of a map and reads a little of everything. Errors are fine; hanging and wrong answers are not.
func exercise(t *testing.T, img *Image) {
	t.Helper()
	buf := make([]byte, 10_000)
	off := int64(0)
	for range 200 {
		if off >= img.Size() {
			break
		}
		e, err := img.Extent(t.Context(), off)
		if err != nil {
			return
		}
		if e.Off != off || e.Len < 1 || e.End() > img.Size() {
			t.Fatalf("map at %d of %d: %+v", off, img.Size(), e)
		}
		n, err := img.ReadAt(buf, off)
		if err != nil && !errors.Is(err, io.EOF) && n != 0 {
			t.Fatalf("%d bytes together with %v", n, err)
		}
		off = e.End()
	}
}

// TestBomb reads 512 GiB that share one cluster: it must take no memory to speak of, nor long to map.
func TestBomb(t *testing.T) {
	f := disktest.FixtureNamed(t, "hostile/made/qcow2-bomb-512GiB.qcow2.gz")
	img, err := Open(t.Context(), f.Open(t), disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if n := len(extents(t, img)); n > 4096 {
		t.Errorf("the map takes %d steps", n)
	}
	exercise(t, img)
	buf := make([]byte, 1<<20)
	if _, err := img.ReadAt(buf, img.Size()-1<<20); err != nil {
		t.Error(err)
	}
}

// TestQemuImages reads what qemu-img makes with its options.
func TestQemuImages(t *testing.T) {
	dir := t.TempDir()
	src := mixed(6<<20+512, 3)
	raw := filepath.Join(dir, "src.raw")
	writeRaw(t, raw, src)
	for i, args := range [][]string{
		{"-o", "compat=0.10"},
		{"-o", "compat=1.1,lazy_refcounts=on"},
		{"-c"},
		{"-c", "-o", "compat=0.10"},
		{"-c", "-o", "compression_type=zstd"},
		{"-c", "-o", "compression_type=zstd,cluster_size=2M"},
		{"-c", "-o", "cluster_size=2M"},
		{"-c", "-o", "cluster_size=512"},
		{"-o", "cluster_size=512"},
		{"-o", "cluster_size=4k,refcount_bits=1"},
		{"-o", "refcount_bits=64"},
		{"-o", "extended_l2=on"},
		{"-o", "extended_l2=on,cluster_size=16k"},
		{"-c", "-o", "extended_l2=on,cluster_size=2M"},
		{"-c", "-W", "-m", "8"},
		{"-o", "preallocation=metadata"},
		{"-o", "preallocation=falloc"},
		{"-S", "0"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			out := filepath.Join(dir, fmt.Sprintf("%d.qcow2", i))
			disktest.QemuImg(t, append(append([]string{"convert", "-f", "raw", "-O", "qcow2"}, args...), raw, out)...)
			disktest.TestImage(t, func(tb testing.TB) disk.Image {
				tb.Helper()
				return openPath(tb, out, disk.Env{})
			}, src, src.Size())
			checkClean(t, out)
		})
	}
}

// TestQemuOverlays reads overlays over backing files that are smaller, larger and of odd sizes.
func TestQemuOverlays(t *testing.T) {
	for _, c := range []struct {
		name          string
		base, overlay int64
		options       string
		raw           bool
	}{
		{name: "same", base: 8 << 20, overlay: 8 << 20, options: "cluster_size=64k"},
		{name: "raw", base: 8 << 20, overlay: 8 << 20, options: "cluster_size=64k", raw: true},
		{name: "smaller base", base: 3<<20 + 1536, overlay: 8 << 20, options: "cluster_size=64k", raw: true},
		{name: "larger base", base: 8 << 20, overlay: 3<<20 + 512, options: "cluster_size=64k"},
		{name: "subclusters", base: 8<<20 - 512, overlay: 8 << 20, options: "extended_l2=on,cluster_size=128k"},
		{name: "small clusters", base: 5<<20 + 512, overlay: 8 << 20, options: "cluster_size=512"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			baseRaw, base, top, flat := filepath.Join(dir, "base.raw"), filepath.Join(dir, "base.qcow2"), filepath.Join(dir, "top.qcow2"), filepath.Join(dir, "flat.raw")
			writeRaw(t, baseRaw, mixed(c.base, 9))
			backing, format := base, "qcow2"
			if c.raw {
				backing, format = baseRaw, "raw"
			} else {
				disktest.QemuImg(t, "convert", "-c", "-f", "raw", "-O", "qcow2", baseRaw, base)
			}
			disktest.QemuImg(t, "create", "-f", "qcow2", "-o", c.options, "-b", filepath.Base(backing), "-F", format, top, fmt.Sprint(c.overlay))
			qemuIO(t, top, "write -P 7 100k 30k", "write -z 1M 256k", "write -P 9 1234432 512", "write -z 2M 1536", "discard 2500k 200k")
			disktest.QemuImg(t, "convert", "-f", "qcow2", "-O", "raw", top, flat)
			want, err := os.Open(flat)
			if err != nil {
				t.Fatal(err)
			}
			defer want.Close()
			disktest.TestImage(t, func(tb testing.TB) disk.Image {
				tb.Helper()
				return openPath(tb, top, chainEnv(disk.DirOpener(dir)))
			}, want, c.overlay)
		})
	}
}

// qemuIO runs commands of qemu-io on an image.
func qemuIO(tb testing.TB, path string, commands ...string) {
	tb.Helper()
	bin, err := exec.LookPath("qemu-io")
	if err != nil {
		tb.Skip("SKIPPED: qemu-io is not installed, so no image was written by qemu itself; install qemu-utils")
	}
	args := []string{"-f", "qcow2"}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	if out, err := exec.CommandContext(tb.Context(), bin, append(args, path)...).CombinedOutput(); err != nil {
		tb.Fatalf("qemu-io %q: %v\n%s", commands, err, out)
	}
}

// TestSnapshotsIgnored reads the current state of an image with an internal snapshot.
func TestSnapshotsIgnored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snap.qcow2")
	disktest.QemuImg(t, "create", "-f", "qcow2", path, "4M")
	qemuIO(t, path, "write -P 1 0 128k")
	disktest.QemuImg(t, "snapshot", "-c", "before", path)
	qemuIO(t, path, "write -P 2 64k 64k")
	img := openPath(t, path, disk.Env{})
	got := make([]byte, 128<<10)
	if _, err := img.ReadAt(got, 0); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, append(bytes.Repeat([]byte{1}, 64<<10), bytes.Repeat([]byte{2}, 64<<10)...)) {
		t.Error("not the current state")
	}
	if found, err := img.Check(t.Context()); err != nil || !found.Clean() || found.Leaks > 0 || found.Stored != 2 {
		t.Errorf("check: %+v, %v", found, err)
	}
	if notes := img.Describe()[0].Notes; len(notes) != 1 || !strings.Contains(notes[0], "1 internal snapshot") {
		t.Errorf("notes %q", notes)
	}
}

// TestUnstatedBackingIsRaw: an overlay that does not state the format of its backing file must not have it guessed.
func TestUnstatedBackingIsRaw(t *testing.T) {
	img := disktest.NewMemFile("top.qcow2", overlayBytes("base.img", ""))
	var asked string
	env := disk.Env{OpenImage: func(_ context.Context, name, format string) (disk.Image, error) {
		asked = name + " as " + format
		return disktest.NewMemImage(1 << 20), nil
	}}
	top, err := Open(t.Context(), img, env)
	if err != nil {
		t.Fatal(err)
	}
	defer top.Close()
	if asked != "base.img as raw" {
		t.Errorf("asked for %q", asked)
	}
	if _, err := Open(t.Context(), img, disk.Env{}); !errors.Is(err, disk.ErrOutside) {
		t.Errorf("without a way to open parents: %v", err)
	}
	if img.Closed() != 1 {
		t.Errorf("closed %d times after an error, want once", img.Closed())
	}
}

// overlayBytes is an empty version 3 image of 1 MiB with a backing file.
func overlayBytes(backing, format string) []byte {
	b := make([]byte, 4*DefaultClusterSize)
	h := header{clusterBits: 16, size: 1 << 20, l1Entries: 1, l1Offset: DefaultClusterSize, refTableOffset: 2 * DefaultClusterSize,
		refTableClusters: 1, refcountOrder: 4}
	copy(b, h.encode())
	at := headerMax
	if format != "" {
		binary.BigEndian.PutUint32(b[at:], extBackingFormat)
		binary.BigEndian.PutUint32(b[at+4:], uint32(len(format)))
		copy(b[at+8:], format)
	}
	binary.BigEndian.PutUint64(b[8:], 1024)
	binary.BigEndian.PutUint32(b[16:], uint32(len(backing)))
	copy(b[1024:], backing)
	return b
}

// TestFailingFile lets each read fail once; content never comes together with an error.
func TestFailingFile(t *testing.T) {
	target := disktest.NewMemFile("x.qcow2", nil)
	copyTo(t, target, mixed(3<<20, 5), Options{Compression: "zlib"})
	for n := 1; ; n++ {
		file := &disktest.FailingFile{File: target, FailAt: n, Short: n%2 == 0}
		img, err := Open(t.Context(), file, disk.Env{})
		if err == nil {
			var m int
			m, err = img.ReadAt(make([]byte, 3<<20), 0)
			if err != nil && m != 0 {
				t.Fatalf("read %d: %d bytes together with %v", n, m, err)
			}
			img.Close()
		}
		if err == nil {
			if file.Reads() >= n {
				t.Fatalf("read %d failed, nobody said so", n)
			}
			return
		}
	}
}

// TestTruncated cuts an image everywhere: the error says so, and what can still be read is right.
func TestTruncated(t *testing.T) {
	src := mixed(3<<20, 5)
	target := disktest.NewMemFile("x.qcow2", nil)
	copyTo(t, target, src, Options{Compression: "zlib"})
	whole, got := make([]byte, src.Size()), make([]byte, src.Size())
	if _, err := src.ReadAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	for size := target.Size() - 1; size > 0; size -= 9973 {
		img, err := Open(t.Context(), disktest.TruncatedFile(target, size), disk.Env{})
		if err == nil {
			_, err = img.ReadAt(got, 0)
			img.Close()
		}
		switch {
		case err == nil && !bytes.Equal(got, whole):
			t.Fatalf("cut to %d of %d: wrong content", size, target.Size())
		case err != nil && !errors.Is(err, disk.ErrTruncated):
			t.Fatalf("cut to %d of %d: %v", size, target.Size(), err)
		}
	}
}
