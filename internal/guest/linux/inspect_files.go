package linux

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"hyper2kvm/internal/guest"
)

// maxFact bounds a line that a guest says of itself: it ends in reports and on screens.
const maxFact = 256

// absent reports whether an error says no more than that there is nothing to be read: no such file, a directory in its place, a file
// that is too large to be what it is named.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) || errors.Is(err, guest.ErrLimit)
}

// lookFile reads a file of configuration; ok is false where there is none.
func lookFile(ctx context.Context, tree guest.FS, name string) (content []byte, ok bool, err error) {
	content, err = tree.ReadFile(ctx, name)
	if err != nil && absent(err) {
		return nil, false, nil
	}
	return content, err == nil, err
}

// lookDir lists a directory; nothing where there is none.
func lookDir(ctx context.Context, tree guest.FS, name string) ([]string, error) {
	names, err := tree.ReadDir(ctx, name)
	if err == nil || absent(err) {
		return names, nil
	}
	// Something else than a directory is told in different ways.
	if info, ok, serr := lookStat(ctx, tree, name); serr == nil && (!ok || !info.Mode.IsDir()) {
		return nil, nil
	}
	return nil, err
}

// lookStat follows links; ok is false where nothing is.
func lookStat(ctx context.Context, tree guest.FS, name string) (info guest.Info, ok bool, err error) {
	info, err = tree.Stat(ctx, name)
	if err != nil && absent(err) {
		return guest.Info{}, false, nil
	}
	return info, err == nil, err
}

// lookFirst returns the first of names that is there as a file, "" where none is.
func lookFirst(ctx context.Context, tree guest.FS, names ...string) (string, error) {
	for _, n := range names {
		info, ok, err := lookStat(ctx, tree, n)
		if err != nil {
			return "", err
		}
		if ok && !info.Mode.IsDir() {
			return n, nil
		}
	}
	return "", nil
}

// fact makes a short line of what a guest says: no control bytes, bounded.
func fact(s string) string {
	s = strings.ToValidUTF8(strings.TrimSpace(s), "?")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	return strings.ToValidUTF8(s[:min(len(s), maxFact)], "")
}

// firstLine is the first line that is neither empty nor a comment.
func firstLine(b []byte) string {
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line
		}
	}
	return ""
}
