package disktest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
)

// Folder is a directory in memory that holds what an image may name.
type Folder map[string][]byte

// Open is a disk.Opener: names with a directory in them, but for "./", are outside.
func (d Folder) Open(name string) (disk.File, error) {
	plain := strings.TrimPrefix(name, "./")
	b, ok := d[plain]
	switch {
	case strings.ContainsAny(plain, `/\`):
		return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrOutside}
	case !ok:
		return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrMissing}
	}
	return NewMemFile(plain, b), nil
}

// Names returns what is in the folder, sorted.
func (d Folder) Names() []string { return slices.Sorted(maps.Keys(d)) }

// OpenImage is the function Open of a format.
type OpenImage[I disk.Image] func(context.Context, disk.File, disk.Env) (I, error)

// maxDepth is the length of a chain that EnvOf takes for a loop.
const maxDepth = 20

// EnvOf opens siblings through open, and parents as images of this format, as which they must be asked for. names lists the siblings
// that are looked through; nil lists none.
func EnvOf[I disk.Image](as OpenImage[I], format string, open disk.Opener, names func() []string) disk.Env {
	depth := 0
	env := disk.Env{Open: open}
	if names != nil {
		env.Siblings = disk.Siblings{Names: names, Look: open}
	}
	env.OpenImage = func(ctx context.Context, name, asked string) (disk.Image, error) {
		fail := func(kind error, detail string) (disk.Image, error) {
			return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: kind, Detail: detail}
		}
		if depth++; depth > maxDepth {
			return fail(disk.ErrLimit, "a loop")
		}
		if asked != format {
			return fail(disk.ErrFormat, "asked for as "+asked)
		}
		f, err := open(name)
		if err != nil {
			return nil, err
		}
		return as(ctx, f, env)
	}
	return env
}

// OpenIn opens the image that open has under a name, with everything else that open and names have in reach. It fails the test if a
// file stays open.
func OpenIn[I disk.Image](tb testing.TB, as OpenImage[I], format, name string, open disk.Opener, names func() []string) (I, error) {
	tb.Helper()
	open, trace := TracingOpener(open)
	f, err := open(name)
	if err != nil {
		tb.Fatal(err)
	}
	img, err := as(tb.Context(), f, EnvOf(as, format, open, names))
	if err != nil {
		trace.CheckClosed(tb)
		return img, err
	}
	tb.Cleanup(func() {
		if err := img.Close(); err != nil {
			tb.Error(err)
		}
		trace.CheckClosed(tb)
	})
	return img, nil
}

// CheckError fails the test unless err is of this kind and says these words.
func CheckError(tb testing.TB, err, kind error, words ...string) {
	tb.Helper()
	if !errors.Is(err, kind) {
		tb.Fatalf("error %v, want %v", err, kind)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			tb.Errorf("error %q does not say %q", err, word)
		}
	}
}

// IsKind says whether an error is of one of the kinds that a reader may give for a bad image.
func IsKind(err error) bool {
	return slices.ContainsFunc([]error{disk.ErrFormat, disk.ErrCorrupt, disk.ErrTruncated, disk.ErrUnsupported, disk.ErrEncrypted,
		disk.ErrMissing, disk.ErrOutside, disk.ErrLimit}, func(k error) bool { return errors.Is(err, k) })
}

// ReadAll reads a whole image.
func ReadAll(tb testing.TB, img disk.Image) []byte {
	tb.Helper()
	b := make([]byte, img.Size())
	if n, err := img.ReadAt(b, 0); n != len(b) {
		tb.Fatalf("read %d of %d bytes: %v", n, len(b), err)
	}
	return b
}
