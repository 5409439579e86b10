package vhd

import (
	"path/filepath"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// openFixture opens a fixture with its neighbours in reach.
func openFixture(t *testing.T, f disktest.Fixture) (*Image, error) {
	t.Helper()
	open, trace := disktest.TracingOpener(f.Opener(t))
	img, err := Open(t.Context(), f.Open(t), disktest.EnvOf(Open, formatName, open, nil))
	if err != nil {
		trace.CheckClosed(t)
		return nil, err
	}
	t.Cleanup(func() {
		img.Close()
		trace.CheckClosed(t)
	})
	return img, nil
}

func TestFixtures(t *testing.T) {
	read := 0
	for _, f := range disktest.FixturesOf(t, "vhd") {
		t.Run(f.Name, func(t *testing.T) {
			img, err := openFixture(t, f)
			if f.Expect == "policy" {
				disktest.CheckError(t, err, disk.ErrCorrupt, "checksum", filepath.Base(f.Name))
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			read++
			disktest.CheckContent(t, img, f)
			found, err := img.Check(t.Context())
			if err != nil || len(found.Problems) > 0 {
				t.Errorf("check: %v, %v", found.Problems, err)
			}
			if info := img.Describe()[0]; len(info.Notes) > 0 || info.Creator == "" {
				t.Errorf("described as %+v", info)
			}
		})
	}
	if read < 10 {
		t.Errorf("only %d images were read", read)
	}
}

func TestHostileFixtures(t *testing.T) {
	for name, want := range map[string]struct {
		kind  error
		words string
	}{
		"vhd-bat-eof":       {disk.ErrTruncated, "the table needs 4 bytes"},
		"vhd-bat-to-footer": {disk.ErrCorrupt, "block 0 at 0x0 lies on the footer copy"},
		"vhd-bs0":           {disk.ErrCorrupt, "block size 0"},
		"vhd-diff-abs":      {disk.ErrMissing, "passwd"},
		"vhd-type9":         {disk.ErrUnsupported, "disk type 9"},
		"vhd-mx-huge":       {nil, ""}, // more entries than needed, none of them read
	} {
		t.Run(name, func(t *testing.T) {
			img, err := openFixture(t, disktest.FixtureNamed(t, "hostile/made/"+name+".vhd"))
			if err == nil {
				_, err = img.ReadAt(make([]byte, 4096), 0)
			}
			if want.kind != nil {
				disktest.CheckError(t, err, want.kind, want.words, name+".vhd")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if e, err := img.Extent(t.Context(), 0); err != nil || e.Kind != disk.Unallocated || e.Len != img.Size() {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
}

// TestProbe holds Probe against every fixture there is.
func TestProbe(t *testing.T) {
	for _, f := range disktest.Fixtures(t) {
		if strings.HasSuffix(f.Name, ".gz") && f.Format != "vhd" || f.Expect == "parse" {
			continue
		}
		is := f.Format == "vhd" || strings.HasPrefix(f.Name, "hostile/made/vhd-") || f.Name == "hostile/qemu-afl5.img.bz2"
		h := f.Open(t)
		head, tail := make([]byte, min(512, h.Size())), make([]byte, min(512, h.Size()))
		h.ReadAt(head, 0)
		h.ReadAt(tail, h.Size()-int64(len(tail)))
		h.Close()
		if got := Probe(head, tail); got != is {
			t.Errorf("%s: %v", f.Name, got)
		}
	}
}
