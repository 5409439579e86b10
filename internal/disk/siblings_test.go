package disk_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"hyper2kvm/internal/disk"
)

func TestSiblings(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.vdi", "a.vdi", "secret"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600))
	}
	must(t, os.Mkdir(filepath.Join(dir, "c.vdi"), 0o700))
	must(t, os.Symlink("secret", filepath.Join(dir, "link.vdi")))
	for kind, c := range map[string]struct {
		siblings disk.Siblings
		names    []string
	}{
		"directory": {disk.DirSiblings(dir), []string{"a.vdi", "b.vdi", "secret"}},
		"files":     {disk.FilesSiblings(map[string]string{"x/b": filepath.Join(dir, "b.vdi"), "gone": filepath.Join(dir, "gone")}), []string{"x/b"}},
		"none":      {disk.Siblings{}, nil},
		"not there": {disk.DirSiblings(filepath.Join(dir, "gone")), nil},
	} {
		t.Run(kind, func(t *testing.T) {
			var names []string
			found, err := c.siblings.Find(t.Context(), func(name string, _ disk.File) bool { names = append(names, name); return false })
			if found != "" || err != nil || !slices.Equal(names, c.names) {
				t.Errorf("looked at %q and found %q, %v; want %q", names, found, err, c.names)
			}
			if len(c.names) == 0 {
				return
			}
			want := c.names[len(c.names)-1]
			if found, err := c.siblings.Find(t.Context(), func(name string, _ disk.File) bool { return name == want }); found != want || err != nil {
				t.Errorf("found %q, %v; want %q", found, err, want)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := c.siblings.Find(ctx, func(string, disk.File) bool { return true }); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
}
