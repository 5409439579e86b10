package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Whatever step fails, the file is the old one or the new one, and no temporary file is left behind.
func TestWriteIsWholeAtEveryStep(t *testing.T) {
	for _, kind := range []string{"durable", "fast"} {
		for n := 0; ; n++ {
			dir := t.TempDir()
			path := filepath.Join(dir, "status.json")
			if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			step := 0
			f := FS{Before: func(Step) error {
				if step++; step-1 == n {
					return unix.EIO
				}
				return nil
			}}
			write := f.Write
			if kind == "fast" {
				write = f.WriteFast
			}
			err := write(path, []byte("new"), 0o640)
			got := content(t, path)
			if err == nil && got != "new" || got != "old" && got != "new" {
				t.Fatalf("%s, step %d: %q after %v", kind, n, got, err)
			}
			left := names(t, dir)
			if len(left) > 2 || len(left) == 2 && got == "new" {
				t.Fatalf("%s, step %d: %v", kind, n, left)
			}
			if err == nil {
				if n < 3 {
					t.Fatal("too few steps")
				}
				if info, _ := os.Stat(path); info.Mode() != 0o640 {
					t.Error(info.Mode())
				}
				break
			}
		}
	}
}

func TestFailedSyncIsSaid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	f := FS{Before: func(s Step) error {
		if s.Op == "sync" {
			return unix.EIO
		}
		return nil
	}}
	if err := f.Write(path, []byte("x"), 0o600); !errors.Is(err, ErrSync) || !errors.Is(err, unix.EIO) {
		t.Fatal(err)
	}
	if left := names(t, filepath.Dir(path)); len(left) != 0 {
		t.Error(left)
	}
}

func TestPublishTakesOnlyAFreeName(t *testing.T) {
	dir, tmp := t.TempDir(), t.TempDir()
	if err := Publish(dir, "x.meta.json", []byte("one"), tmp, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := Publish(dir, "x.meta.json", []byte("two"), tmp, 0o640); !errors.Is(err, ErrExist) {
		t.Fatal(err)
	}
	if got := content(t, filepath.Join(dir, "x.meta.json")); got != "one" {
		t.Error(got)
	}
	if left := append(names(t, tmp), names(t, dir)...); !slices.Equal(left, []string{"x.meta.json"}) {
		t.Error(left)
	}
}

func TestRenameNoReplace(t *testing.T) {
	for name, rename := range map[string]func(string, string) error{
		"renameat2": RenameNoReplace,
		"by link": func(old, new string) error { // where renameat2 has no such flag
			info, err := os.Lstat(old)
			if err != nil {
				return err
			}
			return FS{}.renameByLink(old, new, info.IsDir())
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := func(name string) string { return filepath.Join(dir, name) }
			for _, err := range []error{
				os.WriteFile(p("a"), []byte("a"), 0o600), os.WriteFile(p("b"), []byte("b"), 0o600),
				os.MkdirAll(p("d/sub"), 0o700), os.MkdirAll(p("e"), 0o700),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range [][2]string{{"a", "b"}, {"d", "e"}, {"d", "b"}, {"a", "e"}} {
				if err := rename(p(c[0]), p(c[1])); !errors.Is(err, fs.ErrExist) {
					t.Errorf("%v: %v", c, err)
				}
			}
			if err := rename(p("none"), p("new")); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			if err := errors.Join(rename(p("a"), p("a2")), rename(p("d"), p("d2"))); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(names(t, dir)); got != "[a2 b d2 e]" || content(t, p("a2")) != "a" {
				t.Error(got)
			}
		})
	}
}

func TestRenameIsBelievedByTheNames(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := os.WriteFile(a, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	was, err := os.Lstat(a)
	if err != nil {
		t.Fatal(err)
	}
	if renamed(was, a, b) {
		t.Error("nothing happened yet")
	}
	if err := os.Rename(a, b); err != nil {
		t.Fatal(err)
	}
	if !renamed(was, a, b) {
		t.Error("the answer was lost, but the rename was done")
	}
}

func TestMkdirDurable(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "day")
	for range 2 {
		if err := (FS{}).MkdirDurable(path, 0o750|fs.ModeSetgid); err != nil {
			t.Fatal(err)
		}
	}
	if info, _ := os.Stat(path); info.Mode() != 0o750|fs.ModeSetgid|fs.ModeDir {
		t.Error(info.Mode())
	}
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := (FS{}).MkdirDurable(filepath.Join(dir, "link"), 0o750); !errors.Is(err, unix.ENOTDIR) {
		t.Error(err)
	}
}
