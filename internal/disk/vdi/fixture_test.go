package vdi

import (
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

func TestFixtures(t *testing.T) {
	read := 0
	for _, f := range disktest.FixturesOf(t, "vdi") {
		if f.Expect != "ok" {
			t.Errorf("%s: no test for %q", f.Name, f.Expect)
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			img, err := Open(t.Context(), f.Open(t), disk.Env{})
			if err != nil {
				t.Fatal(err)
			}
			defer img.Close()
			read++
			disktest.CheckContent(t, img, f)
			found, err := img.Check(t.Context())
			if err != nil || len(found.Problems) > 0 {
				t.Errorf("check: %v, %v", found.Problems, err)
			}
			if info := img.Describe()[0]; info.Creator != "QEMU VM Virtual Disk Image" || info.Variant != "dynamic" {
				t.Errorf("described as %+v", info)
			}
		})
	}
	if read < 2 {
		t.Errorf("only %d images were read", read)
	}
}

func TestHostileFixtures(t *testing.T) {
	for name, want := range map[string]struct {
		kind  error
		words string
	}{
		"vdi-blocks-huge": {disk.ErrCorrupt, "4294967295 map entries"},
		"vdi-dup":         {disk.ErrCorrupt, "block 1 is number 0 in the file, which is another block's"},
		"vdi-map-eof":     {disk.ErrTruncated, "block 0 is number 2147483647"},
	} {
		t.Run(name, func(t *testing.T) {
			f := disktest.FixtureNamed(t, "hostile/made/"+name+".vdi")
			img, err := Open(t.Context(), f.Open(t), disk.Env{})
			if err == nil {
				img.Close()
			}
			disktest.CheckError(t, err, want.kind, want.words, name+".vdi")
		})
	}
}

// TestProbe holds Probe against every fixture there is.
func TestProbe(t *testing.T) {
	for _, f := range disktest.Fixtures(t) {
		if strings.HasSuffix(f.Name, ".gz") || f.Expect == "parse" {
			continue
		}
		is := f.Format == "vdi" || strings.HasPrefix(f.Name, "hostile/made/vdi-")
		h := f.Open(t)
		head := make([]byte, min(512, h.Size()))
		h.ReadAt(head, 0)
		h.Close()
		if got := Probe(head); got != is {
			t.Errorf("%s: %v", f.Name, got)
		}
	}
}
