package convert

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"hyper2kvm/internal/manifest"
)

// identity is what makes two looks at a source the same file, unchanged.
type identity struct {
	dev, ino    uint64
	size, mtime int64 // bytes; nanoseconds
}

// identify looks at a file of the host.
func identify(path string) (identity, error) {
	st, err := os.Lstat(path)
	if err != nil {
		return identity{}, err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}, fmt.Errorf("%s: the system does not tell the file's identity", path)
	}
	return identity{dev: sys.Dev, ino: sys.Ino, size: st.Size(), mtime: st.ModTime().UnixNano()}, nil
}

// watch remembers every host file that was opened, to tell at the end whether one changed while it was read.
type watch struct {
	mu   sync.Mutex
	seen map[string]identity // by host path
}

// note remembers a file that has just been opened, and in used, which may be nil, that it was needed. The first look counts.
func (w *watch) note(path string, used map[string]bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if used != nil {
		used[path] = true
	}
	if _, ok := w.seen[path]; ok {
		return nil
	}
	id, err := identify(path)
	if err != nil {
		return err
	}
	if w.seen == nil {
		w.seen = map[string]identity{}
	}
	w.seen[path] = id
	return nil
}

// changed returns an error with code H2K-SRC-003 when a file is no longer the one that was opened.
func (w *watch) changed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for path, was := range w.seen {
		now, err := identify(path)
		if err != nil {
			return coded(manifest.CodeSourceChanged, "", fmt.Errorf("the source went away while it was read: %w", err))
		}
		if now != was {
			return coded(manifest.CodeSourceChanged, "", fmt.Errorf("%q changed while it was read: %s", filepath.Base(path), difference(was, now)))
		}
	}
	return nil
}

func difference(was, now identity) string {
	switch {
	case was.dev != now.dev || was.ino != now.ino:
		return "another file stands in its place"
	case was.size != now.size:
		return fmt.Sprintf("it had %d bytes and now has %d", was.size, now.size)
	default:
		return "its time of modification moved"
	}
}
