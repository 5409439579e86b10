package qcow2

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// closeCounter counts how often an image is closed.
type closeCounter struct {
	disk.Image
	closed int
}

func (c *closeCounter) Close() error {
	c.closed++
	return c.Image.Close()
}

func TestAnEmptyOverlayShowsWhatIsBelow(t *testing.T) {
	for _, o := range []OverlayOptions{
		{Backing: "nbd+unix:///?socket=/run/x/1.sock"},
		{Backing: strings.Repeat("n", maxBackingName), BackingFormat: "vmdk", ClusterBits: minChunkBits},
		{Backing: "b", BackingFormat: strings.Repeat("f", maxBackingFormat), ClusterBits: maxClusterBits},
	} {
		below := disktest.NewMemImage(3<<20+5).Put(100_000, disktest.Random(1, 70_000)).Zero(1<<20, 4096)
		f := disktest.NewMemFile("over.qcow2", nil)
		if err := CreateOverlay(t.Context(), f, below.Size(), o); err != nil {
			t.Fatal(err)
		}
		want := make([]byte, 3<<20+512)
		if _, err := below.ReadAt(want[:below.Size()], 0); err != nil {
			t.Fatal(err)
		}
		disktest.TestImage(t, func(tb testing.TB) disk.Image {
			tb.Helper()
			return over(tb, f, below)
		}, strings.NewReader(string(want)), int64(len(want)))
		img := over(t, f, below)
		if found, err := img.Check(t.Context()); err != nil || !found.Clean() || found.Leaks > 0 || found.Stored > 0 {
			t.Errorf("%+v, %v", found, err)
		}
		if d := img.Describe(); len(d) != 2 || d[0].Parent != o.Backing {
			t.Errorf("%+v", d)
		}
		if e, err := img.Extent(t.Context(), 1<<20); err != nil || e.Kind != disk.Zero {
			t.Errorf("%+v, %v", e, err)
		}
	}
}

func over(tb testing.TB, f disk.File, below disk.Image) *Image {
	tb.Helper()
	img, err := OpenOver(tb.Context(), f, below)
	if err != nil {
		tb.Fatal(err)
	}
	return img
}

// TestQemuTakesTheOverlay lets qemu-img read the header, write to the overlay and check it.
func TestQemuTakesTheOverlay(t *testing.T) {
	dir := t.TempDir()
	below := disktest.NewMemImage(5<<20).Put(1<<20, disktest.Random(1, 1<<20))
	writeRaw(t, filepath.Join(dir, "below.raw"), below)
	for _, bits := range []int{0, minChunkBits, maxClusterBits} {
		path := filepath.Join(dir, "over.qcow2")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := CreateOverlay(t.Context(), f, below.Size(), OverlayOptions{Backing: "below.raw", ClusterBits: bits}); err != nil {
			t.Fatal(err)
		}
		disktest.QemuImg(t, "compare", "-f", "qcow2", "-F", "raw", path, filepath.Join(dir, "below.raw"))
		disktest.QemuImg(t, "check", path)
		info := disktest.QemuImg(t, "info", "--output=json", path)
		for _, want := range []string{`"backing-filename": "below.raw"`, `"backing-filename-format": "raw"`, `"compat": "1.1"`, `"corrupt": false`} {
			if !strings.Contains(info, want) {
				t.Errorf("qemu-img does not say %s:\n%s", want, info)
			}
		}
	}
}

func TestOverlaysThatCannotBe(t *testing.T) {
	for name, o := range map[string]OverlayOptions{
		"no backing file":       {},
		"a name too long":       {Backing: strings.Repeat("n", maxBackingName+1)},
		"a format too long":     {Backing: "a", BackingFormat: strings.Repeat("f", maxBackingFormat+1)},
		"clusters too small":    {Backing: "a", ClusterBits: minChunkBits - 1},
		"clusters too large":    {Backing: "a", ClusterBits: maxClusterBits + 1},
		"negative cluster bits": {Backing: "a", ClusterBits: -1},
	} {
		if err := CreateOverlay(t.Context(), disktest.Nowhere{}, 1<<20, o); !errors.Is(err, disk.ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := CreateOverlay(t.Context(), disktest.Nowhere{}, disk.MaxSize+1, OverlayOptions{Backing: "a"}); !errors.Is(err, disk.ErrLimit) {
		t.Errorf("size: %v", err)
	}
}

// TestOpenOverClosesBoth also when it fails, and once.
func TestOpenOverClosesBoth(t *testing.T) {
	plain := disktest.NewMemFile("plain.qcow2", nil)
	w, err := NewWriter(plain, 1<<20, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file disk.File
		kind error
	}{
		"nothing below": {plain, disk.ErrUnsupported},
		"no image":      {disktest.NewMemFile("x", make([]byte, 4096)), disk.ErrFormat},
	} {
		below := &closeCounter{Image: disk.EmptyImage(1 << 20)}
		if img, err := OpenOver(t.Context(), c.file, below); img != nil || !errors.Is(err, c.kind) || below.closed != 1 {
			t.Errorf("%s: %v, closed %d times", name, err, below.closed)
		}
	}
	f := disktest.NewMemFile("over.qcow2", nil)
	if err := CreateOverlay(t.Context(), f, 1<<20, OverlayOptions{Backing: "/etc/passwd"}); err != nil {
		t.Fatal(err)
	}
	below := &closeCounter{Image: disk.EmptyImage(1 << 20)}
	img := over(t, f, below)
	img.Close()
	img.Close()
	if below.closed != 1 {
		t.Errorf("closed %d times", below.closed)
	}
}

// TestEveryWriteOfAnOverlayCanFail has each operation fail once, and demands that it is told.
func TestEveryWriteOfAnOverlayCanFail(t *testing.T) {
	count := &disktest.FailingTarget{Target: disktest.Nowhere{}}
	o := OverlayOptions{Backing: "a"}
	if err := CreateOverlay(t.Context(), count, 1<<30, o); err != nil || count.Ops() < 5 {
		t.Fatalf("%v after %d operations", err, count.Ops())
	}
	for i := range count.Ops() {
		target := &disktest.FailingTarget{Target: disktest.Nowhere{}, FailAt: i + 1}
		if err := CreateOverlay(t.Context(), target, 1<<30, o); !errors.Is(err, disktest.ErrInjected) {
			t.Errorf("operation %d failed, and %v came of it", i+1, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := CreateOverlay(ctx, disktest.Nowhere{}, 1<<30, o); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestAnyOverlay makes overlays of any size above disks of any size.
func TestAnyOverlay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		below := disktest.NewMemImage(rapid.Int64Range(0, 4<<20).Draw(rt, "below"))
		below.Put(rapid.Int64Range(0, 4<<20).Draw(rt, "off"), disktest.Random(1, rapid.IntRange(1, 9000).Draw(rt, "n")))
		size := rapid.Int64Range(0, 4<<20).Draw(rt, "size")
		f := disktest.NewMemFile("over.qcow2", nil)
		err := CreateOverlay(t.Context(), f, size, OverlayOptions{Backing: "b", ClusterBits: rapid.IntRange(minChunkBits, 16).Draw(rt, "bits")})
		if err != nil {
			rt.Fatal(err)
		}
		img := over(t, f, below)
		if img.Size() != (size+511)/512*512 {
			rt.Fatalf("size %d of %d", img.Size(), size)
		}
		d, err := disk.Compare(t.Context(), img, disk.Resize(below, img.Size()), disk.CompareOptions{Strict: true})
		if err != nil {
			rt.Fatal(d, err)
		}
	})
}
