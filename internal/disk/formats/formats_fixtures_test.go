package formats_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/disk/formats"
)

// read are the formats whose fixtures must give their content.
var read = []string{"raw", "qcow2", "vmdk", "vhdx", "vhd", "vdi"}

// fixturesToRead returns the rows that must be read and fails without them: an empty loop proves nothing.
func fixturesToRead(t *testing.T, expect string) []disktest.Fixture {
	t.Helper()
	some := slices.DeleteFunc(disktest.FixturesOf(t, read...), func(f disktest.Fixture) bool { return f.Expect != expect })
	if len(some) == 0 {
		t.Fatalf("INDEX.tsv has no row of %q that is %q", read, expect)
	}
	return some
}

func openFixture(t *testing.T, f disktest.Fixture, open disk.Opener) disk.Image {
	t.Helper()
	img, err := formats.Open(t.Context(), f.Open(t), formats.OpenOptions{Open: open})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { img.Close() })
	return img
}

func TestFixturesGiveTheirContent(t *testing.T) {
	for _, f := range fixturesToRead(t, "ok") {
		t.Run(f.Name, func(t *testing.T) {
			name, err := formats.Probe(f.Open(t))
			if err != nil || name != f.Format {
				t.Fatalf("probed as %q, %v; it is %s", name, err, f.Format)
			}
			open, trace := disktest.TracingOpener(f.Opener(t))
			img := openFixture(t, f, open)
			disktest.CheckContent(t, img, f)
			if info := formats.Describe(img); len(info) == 0 || info[0].Format != f.Format {
				t.Errorf("described as %+v", info)
			}
			if err := img.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			trace.CheckClosed(t)
		})
	}
}

// What is converted to which format is bounded, because a run of this test shall take well below a minute: disks of which more than
// maxConverted must be read are converted to the core targets alone.
const (
	maxConverted = 32 << 20
	// maxJudged is the virtual size up to which qemu-img judges: it takes seconds for a larger one, and learns nothing new.
	maxJudged = 64 << 20
	// maxFixed is the virtual size up to which a fixed VHD, whose proof reads all of it, is written.
	maxFixed = 1 << 30
)

// writtenTargets are all kinds of images that are written. Core ones get every disk.
var writtenTargets = []struct {
	name, format string
	core         bool
	o            formats.CreateOptions
}{
	{"raw", "raw", true, formats.CreateOptions{}},
	{"qcow2", "qcow2", false, formats.CreateOptions{}},
	{"qcow2 zlib", "qcow2", true, formats.CreateOptions{Compression: "zlib"}},
	{"qcow2 zstd", "qcow2", false, formats.CreateOptions{Compression: "zstd"}},
	{"vmdk streamOptimized", "vmdk", false, formats.CreateOptions{}},
	{"vmdk monolithicSparse", "vmdk", false, formats.CreateOptions{Subformat: "monolithicSparse"}},
	{"vhdx", "vhdx", false, formats.CreateOptions{}},
	{"vhd", "vhd", false, formats.CreateOptions{}},
	{"vhd fixed", "vhd", false, formats.CreateOptions{Subformat: "fixed"}},
	{"vdi", "vdi", false, formats.CreateOptions{}},
}

// maxVHD is the largest disk that a VHD holds: 2040 GiB.
const maxVHD = 2040 << 30

// leftOut says why a disk is not converted to a target; "" if it is.
func leftOut(format string, core, fixed bool, size, data int64) string {
	switch {
	case !core && data > maxConverted:
		return fmt.Sprintf("%d bytes to read, more than %d", data, int64(maxConverted))
	case format == "vhd" && size > maxVHD:
		return "larger than any VHD"
	case fixed && size > maxFixed:
		return fmt.Sprintf("a fixed disk of %d bytes, more than %d", size, int64(maxFixed))
	}
	return ""
}

func TestFixturesConverted(t *testing.T) {
	for _, f := range fixturesToRead(t, "ok") {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			src := openFixture(t, f, f.Opener(t))
			data, err := disk.Allocated(t.Context(), src)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			want, err := disk.DigestOf(t.Context(), src, disk.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var rawPath string
			for _, target := range writtenTargets {
				if why := leftOut(target.format, target.core, target.o.Subformat == "fixed", src.Size(), data); why != "" {
					t.Logf("left out: %s: %s", target.name, why)
					continue
				}
				path := filepath.Join(dir, "disk."+strings.ReplaceAll(target.name, " ", "."))
				convert(t, src, path, target.format, target.o, want)
				copied, err := formats.OpenPath(t.Context(), path, formats.OpenOptions{Format: target.format})
				if err != nil {
					t.Fatalf("%s: %v", target.name, err)
				}
				if n := copied.Size() - src.Size(); n < 0 || n >= disk.SectorSize {
					t.Errorf("%s: %d bytes, the source has %d", target.name, copied.Size(), src.Size())
				}
				back := disk.Resize(copied, src.Size())
				if got, err := disk.DigestOf(t.Context(), back, disk.Options{}); err != nil || got != want {
					t.Errorf("%s: the content differs, or %v", target.name, err)
				}
				if data <= maxConverted { // the index's own hashes, through the writer and back
					disktest.CheckContent(t, back, f)
				}
				copied.Close()
				if target.format == "raw" {
					rawPath = path
					continue
				}
				if src.Size() <= maxJudged {
					judge(t, target.format, path, rawPath)
				}
			}
		})
	}
}

// unsynced is a file that is not synced: a thousand syncs would take longer than all the rest.
type unsynced struct{ *os.File }

func (unsynced) Sync() error { return nil }

func convert(t *testing.T, src disk.Image, path, format string, o formats.CreateOptions, want disk.Digest) {
	t.Helper()
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w, err := formats.Create(format, unsynced{out}, src.Size(), o)
	if err != nil {
		t.Fatal(err)
	}
	res, err := disk.Copy(t.Context(), w, src, disk.Options{Digest: true})
	if err != nil {
		t.Fatal(err)
	}
	if res.Digest != want {
		t.Errorf("%s: the copy's digest is %s, the source's %s", format, res.Digest, want)
	}
}

// judge asks qemu-img about an image that was written here. qemu rounds raw up to sectors, so sizes may differ by less.
func judge(t *testing.T, format, path, rawPath string) {
	t.Helper()
	switch format {
	case "qcow2", "vhdx", "vdi":
		disktest.QemuImg(t, "check", "-f", format, path)
	case "vhd":
		format = "vpc" // as qemu calls it
	}
	disktest.QemuImg(t, "compare", "-f", "raw", "-F", format, rawPath, path)
}

func TestFixturesWithoutTheirExtents(t *testing.T) {
	for _, f := range fixturesToRead(t, "missing-extent") {
		t.Run(f.Name, func(t *testing.T) {
			open, trace := disktest.TracingOpener(f.Opener(t))
			img, err := formats.Open(t.Context(), f.Open(t), formats.OpenOptions{Open: open})
			if err == nil {
				img.Close()
				t.Fatal("it opened without its extent")
			}
			names := trace.Names()
			if !errors.Is(err, disk.ErrMissing) || len(names) == 0 || !strings.Contains(err.Error(), names[len(names)-1]) {
				t.Errorf("error is %v, want ErrMissing with the name of the extent, one of %q", err, names)
			}
			trace.CheckClosed(t)
		})
	}
}

// TestFormatsKnownByName holds that no file of another format is taken for a raw disk.
func TestFormatsKnownByName(t *testing.T) {
	for _, f := range disktest.Fixtures(t) {
		want := ""
		switch f.Format {
		case "other":
			want = map[string]string{
				"other/qemu-empty.bochs.bz2":          "bochs",
				"other/qemu-parallels-v1.bz2":         "parallels",
				"other/qemu-parallels-v2.bz2":         "parallels",
				"other/qemu-simple-pattern.cloop.bz2": "cloop",
				"other/filetests-qed.img":             "qed",
			}[f.Name]
		case "qcow":
			want = f.Format
		default:
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			h := f.Open(t)
			name, err := formats.Probe(h)
			if name != want || !errors.Is(err, disk.ErrUnsupported) || !strings.Contains(err.Error(), want) {
				t.Errorf("probed as %q, %v; want %q and ErrUnsupported", name, err, want)
			}
			if img, err := formats.Open(t.Context(), h, formats.OpenOptions{}); !errors.Is(err, disk.ErrUnsupported) {
				t.Errorf("opened: %v, %v", img, err)
			}
		})
	}
}

const (
	hostileMemory = 256 << 20        // bytes allocated in all for opening, mapping and sampling one hostile image
	hostileTime   = 10 * time.Second // for the same
)

// TestHostileFixtures holds that a hostile image ends in a clean error or in bounded content, asks for nothing outside, and
// costs little.
func TestHostileFixtures(t *testing.T) {
	count := 0
	for _, f := range disktest.FixturesOf(t, "hostile") {
		if strings.HasSuffix(f.Name, ".ova") || strings.HasSuffix(f.Name, ".ovf") {
			continue // not disks
		}
		count++
		t.Run(f.Name, func(t *testing.T) {
			h := f.Open(t)
			dir := filepath.Dir(f.Path(t))
			open, trace := disktest.TracingOpener(disk.DirOpener(dir))
			ctx, cancel := context.WithTimeout(t.Context(), hostileTime)
			defer cancel()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			img, err := formats.Open(ctx, h, formats.OpenOptions{Open: open})
			if err == nil {
				err = sample(ctx, img)
				img.Close()
			}
			runtime.ReadMemStats(&after)
			if errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("not done after %v", hostileTime)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > hostileMemory {
				t.Errorf("%d bytes were allocated", n)
			}
			if err != nil {
				if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Errorf("the message is not fit to print: %q", err)
				}
				if !kindOf(err) {
					t.Errorf("the error has no kind: %v", err)
				}
			}
			trace.CheckClosed(t)
			t.Logf("%v; asked for %q", err, trace.Names())
		})
	}
	if count < 20 {
		t.Fatalf("only %d hostile images", count)
	}
}

// kindOf says whether an error has one of the engine's kinds.
func kindOf(err error) bool {
	for _, kind := range []error{disk.ErrFormat, disk.ErrCorrupt, disk.ErrTruncated, disk.ErrUnsupported, disk.ErrEncrypted,
		disk.ErrMissing, disk.ErrOutside, disk.ErrLimit} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// sample walks part of the map and reads part of the content.
func sample(ctx context.Context, img disk.Image) error {
	buf := make([]byte, 256<<10)
	read := 0
	off := int64(0)
	for range 5000 {
		if off >= img.Size() {
			break
		}
		e, err := img.Extent(ctx, off)
		if err != nil {
			return err
		}
		if e.Kind == disk.Data && read < 64<<20 {
			n := min(int64(len(buf)), e.Len)
			if _, err := img.ReadAt(buf[:n], off); err != nil {
				return err
			}
			read += int(n)
		}
		off = e.End()
	}
	return nil
}

// TestHostileNames holds what the images that point elsewhere must end in.
func TestHostileNames(t *testing.T) {
	for name, want := range map[string]error{
		"hostile/made/qcow2-backing-abs.qcow2":       disk.ErrOutside,
		"hostile/made/qcow2-backing-abs-nofmt.qcow2": disk.ErrOutside,
		"hostile/made/qcow2-backing-json.qcow2":      disk.ErrOutside,
		"hostile/made/qcow2-backing-nbd.qcow2":       disk.ErrOutside,
		"hostile/made/vmdk-flat-abs.vmdk":            disk.ErrOutside,
		"hostile/made/vmdk-flat-dev.vmdk":            disk.ErrOutside,
		"hostile/made/qcow2-luks.qcow2":              disk.ErrEncrypted,
	} {
		t.Run(name, func(t *testing.T) {
			f := disktest.FixtureNamed(t, name)
			img, err := formats.Open(t.Context(), f.Open(t), formats.OpenOptions{Open: f.Opener(t)})
			if err == nil {
				img.Close()
			}
			if !errors.Is(err, want) {
				t.Errorf("error is %v, want %v", err, want)
			}
		})
	}
	for _, name := range []string{"hostile/made/qcow2-backing-self.qcow2", "hostile/made/qcow2-backing-loop-b.qcow2", "hostile/made/vmdk-self.vmdk"} {
		t.Run(name, func(t *testing.T) {
			f := disktest.FixtureNamed(t, name)
			open, trace := disktest.TracingOpener(f.Opener(t))
			img, err := formats.Open(t.Context(), f.Open(t), formats.OpenOptions{Open: open})
			if err == nil {
				img.Close()
			}
			if err == nil || len(trace.Names()) > disk.MaxChain {
				t.Errorf("error is %v after the names %q", err, trace.Names())
			}
			trace.CheckClosed(t)
		})
	}
}
