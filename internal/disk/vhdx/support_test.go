package vhdx

import (
	"context"
	"errors"
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

// envOf opens parents through open.
func envOf(open disk.Opener) disk.Env {
	env := disk.Env{Open: open}
	env.OpenImage = func(ctx context.Context, name, format string) (disk.Image, error) {
		if format != "vhdx" {
			return nil, errors.New("format is " + format)
		}
		f, err := open(name)
		if err != nil {
			return nil, err
		}
		return Open(ctx, f, env)
	}
	return env
}

// openIn opens an image with a folder in reach. It fails the test if a file stays open.
func openIn(tb testing.TB, f disk.File, d folder) (*Image, error) {
	tb.Helper()
	open, trace := disktest.TracingOpener(func(name string) (disk.File, error) {
		if name == "" {
			return shared{f}, nil
		}
		return d.open(name)
	})
	top, err := open("")
	if err != nil {
		tb.Fatal(err)
	}
	img, err := Open(tb.Context(), top, envOf(open))
	if err != nil {
		trace.CheckClosed(tb)
		return nil, err
	}
	tb.Cleanup(func() {
		if err := img.Close(); err != nil {
			tb.Error(err)
		}
		trace.CheckClosed(tb)
	})
	return img, nil
}

func mustOpen(tb testing.TB, f disk.File, d folder) *Image {
	tb.Helper()
	img, err := openIn(tb, f, d)
	if err != nil {
		tb.Fatal(err)
	}
	return img
}

// readAll reads a whole image.
func readAll(tb testing.TB, img disk.Image) []byte {
	tb.Helper()
	b := make([]byte, img.Size())
	if n, err := img.ReadAt(b, 0); n != len(b) {
		tb.Fatalf("read %d of %d bytes: %v", n, len(b), err)
	}
	return b
}

// checkError fails unless err is of this kind and says these words.
func checkError(t *testing.T, err, kind error, words ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("error %v, want %v", err, kind)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}

// isKind says whether an error is of one of the kinds that a reader may give for a bad image.
func isKind(err error) bool {
	for _, k := range []error{
		disk.ErrFormat, disk.ErrCorrupt, disk.ErrTruncated, disk.ErrUnsupported, disk.ErrEncrypted, disk.ErrMissing,
		disk.ErrOutside, disk.ErrLimit,
	} {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}
