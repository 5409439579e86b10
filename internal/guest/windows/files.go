package windows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"hyper2kvm/internal/guest"
)

// find resolves a path whose letters' case does not matter, as on NTFS: a Linux host that mounts it sees the names as they were
// written, and Windows itself writes System32, system32 and SYSTEM32. What is not there is an fs.ErrNotExist.
func find(ctx context.Context, tree guest.FS, elements ...string) (string, error) {
	at := "/"
	for _, e := range elements {
		next := path.Join(at, e)
		_, err := tree.Lstat(ctx, next)
		if err == nil {
			at = next
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		names, err := tree.ReadDir(ctx, at)
		if err != nil {
			if errors.Is(err, fs.ErrInvalid) {
				err = fmt.Errorf("%w: %w", fs.ErrNotExist, err) // a file where a directory should be
			}
			return "", err
		}
		found := false
		for _, n := range names {
			if strings.EqualFold(n, e) && !strings.Contains(n, "/") {
				at, found = path.Join(at, n), true
				break
			}
		}
		if !found {
			return "", fmt.Errorf("%w: %q in %s", fs.ErrNotExist, e, at)
		}
	}
	return at, nil
}

// exists reports whether find finds something.
func exists(ctx context.Context, tree guest.FS, elements ...string) (bool, error) {
	_, err := find(ctx, tree, elements...)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// systemDirs are the names of Windows' own directory; WINNT is that of Windows 2000 and NT.
var systemDirs = []string{"Windows", "WINNT"}

// systemDir returns Windows' own directory, as its name is written.
func systemDir(ctx context.Context, tree guest.FS) (string, error) {
	for _, d := range systemDirs {
		ok, err := exists(ctx, tree, d, "System32", "config")
		if err != nil {
			return "", err
		}
		if ok {
			return d, nil
		}
	}
	return "", fmt.Errorf("%w: there is no Windows/System32/config", guest.ErrNoSystem)
}

// hiveBlock is how much of a hive is read at once: keys that belong together lie together.
const hiveBlock = 64 << 10

// maxBlocks bounds what is kept of a hive, 16 MiB.
const maxBlocks = 256

// blocks keeps what was read of a file, for each read of a guest's file may be a message to the appliance.
type blocks struct {
	r    io.ReaderAt
	size int64
	kept map[int64][]byte
}

// ReadAt implements io.ReaderAt.
func (b *blocks) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		at := off + int64(n)
		if at < 0 || at >= b.size {
			return n, io.ErrUnexpectedEOF
		}
		start := at / hiveBlock * hiveBlock
		block, ok := b.kept[start]
		if !ok {
			block = make([]byte, min(hiveBlock, b.size-start))
			if _, err := b.r.ReadAt(block, start); err != nil && !errors.Is(err, io.EOF) {
				return n, err
			}
			if len(b.kept) >= maxBlocks {
				clear(b.kept)
			}
			b.kept[start] = block
		}
		n += copy(p[n:], block[at-start:])
	}
	return n, nil
}

// withHive opens a hive of Windows' configuration for as long as f runs.
func withHive(ctx context.Context, tree guest.FS, dir, name string, f func(h *hive) error) error {
	file, err := find(ctx, tree, dir, "System32", "config", name)
	if err != nil {
		return err
	}
	content, err := tree.Open(ctx, file)
	if err != nil {
		return err
	}
	defer content.Close()
	h, err := openHive(&blocks{r: content, size: content.Size(), kept: map[int64][]byte{}}, content.Size())
	if err == nil {
		err = f(h)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
