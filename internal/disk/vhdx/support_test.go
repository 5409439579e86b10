package vhdx

import (
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// folder is what an image may name.
type folder map[string]disk.File

// shared keeps a file of the folder open for the next who asks.
type shared struct{ disk.File }

func (shared) Close() error { return nil }

func (d folder) open(name string) (disk.File, error) {
	f, ok := d[name]
	switch {
	case strings.ContainsAny(name, `/\`):
		return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrOutside}
	case !ok:
		return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrMissing}
	}
	return shared{f}, nil
}

// openIn opens an image with a folder in reach. It fails the test if a file stays open.
func openIn(tb testing.TB, f disk.File, d folder) (*Image, error) {
	tb.Helper()
	return disktest.OpenIn(tb, Open, formatName, "", func(name string) (disk.File, error) {
		if name == "" {
			return shared{f}, nil
		}
		return d.open(name)
	}, nil)
}

func mustOpen(tb testing.TB, f disk.File, d folder) *Image {
	tb.Helper()
	img, err := openIn(tb, f, d)
	if err != nil {
		tb.Fatal(err)
	}
	return img
}
