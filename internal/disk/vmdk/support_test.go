package vmdk

import (
	"context"
	"errors"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// folder is a directory in memory that holds what an image may name.
type folder map[string][]byte

func (d folder) open(name string) (disk.File, error) {
	plain := strings.TrimPrefix(name, "./")
	b, ok := d[plain]
	switch {
	case strings.ContainsAny(plain, `/\`):
		return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrOutside}
	case !ok:
		return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrMissing}
	}
	return disktest.NewMemFile(plain, b), nil
}

// envOf opens siblings, and parents as VMDKs.
func envOf(open disk.Opener) disk.Env {
	env := disk.Env{Open: open}
	env.OpenImage = func(ctx context.Context, name, _ string) (disk.Image, error) {
		f, err := open(name)
		if err != nil {
			return nil, err
		}
		return Open(ctx, f, env)
	}
	return env
}

// openIn opens a file of the folder with everything in it in reach. It fails the test if a file stays open.
func openIn(tb testing.TB, d folder, name string) (*Image, error) {
	tb.Helper()
	open, trace := disktest.TracingOpener(d.open)
	f, err := open(name)
	if err != nil {
		tb.Fatal(err)
	}
	img, err := Open(tb.Context(), f, envOf(open))
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

// containsAll says whether a text has all these words.
func containsAll(text string, words ...string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
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
