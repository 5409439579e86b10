package nbd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/disk/qcow2"
)

// TestOverlayOverTheExport does what a repair does: qemu writes to an overlay above the export, discards some of it, and the overlay is
// then read above the source without a server. qemu-img, which goes through the server, must see the same.
func TestOverlayOverTheExport(t *testing.T) {
	for _, size := range []int64{6 << 20, 6<<20 + 700} {
		img := mixed(size)
		s, l := start(t, img)
		dir := t.TempDir()
		path := filepath.Join(dir, "overlay.qcow2")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := qcow2.CreateOverlay(t.Context(), f, size, qcow2.OverlayOptions{Backing: l.URI()}); err != nil {
			t.Fatal(err)
		}
		info := mustQemu(t, "qemu-img", "info", path)
		if !strings.Contains(info, "backing file: "+l.URI()) || !strings.Contains(info, "backing file format: raw") {
			t.Error(info)
		}
		out := mustQemu(t, "qemu-io", "-f", "qcow2", "-d", "unmap", path,
			"-c", "write -P 7 0 4k", "-c", "write -P 8 1100k 300k", "-c", "write -P 9 5M 64k", "-c", "write -P 3 2M 128k",
			"-c", "discard 1280k 128k", "-c", "write -z 64k 1k", "-c", "discard 2M 64k")
		if strings.Contains(out, "failed") {
			t.Fatal(out)
		}
		mustQemu(t, "qemu-img", "check", path)
		whole := filepath.Join(dir, "whole.raw")
		mustQemu(t, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, whole)
		want, err := os.ReadFile(whole)
		if err != nil {
			t.Fatal(err)
		}
		disktest.TestImage(t, func(tb testing.TB) disk.Image {
			tb.Helper()
			return openOver(tb, path, img)
		}, strings.NewReader(string(want)), int64(len(want)))
		over := openOver(t, path, img)
		for off, kind := range map[int64]disk.Kind{
			0: disk.Data, 1280 << 10: disk.Zero, 2 << 20: disk.Zero, 2<<20 + 64<<10: disk.Data, 3 << 20: disk.Unallocated, 1 << 20: disk.Data,
		} {
			if e, err := over.Extent(t.Context(), off); err != nil || e.Kind != kind {
				t.Errorf("at %#x: %s, %v; want %s", off, e.Kind, err, kind)
			}
		}
		if err := s.Err(); err != nil {
			t.Error(err)
		}
		over.Close()
	}
}

func openOver(tb testing.TB, path string, backing disk.Image) disk.Image {
	tb.Helper()
	f, err := disk.OpenFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	img, err := qcow2.OpenOver(context.WithoutCancel(tb.Context()), f, backing)
	if err != nil {
		tb.Fatal(err)
	}
	return img
}
