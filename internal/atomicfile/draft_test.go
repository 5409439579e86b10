package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestDraft(t *testing.T) {
	for name, make := range map[string]func(dir, prefix string, perm fs.FileMode) (*Draft, error){"without a name": NewDraft, "with one": namedDraft} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			left := func(want int) {
				t.Helper()
				if all, err := os.ReadDir(dir); err != nil || len(all) != want {
					t.Errorf("in the directory: %v, %v; want %d", all, err, want)
				}
			}
			d, err := make(dir, ".draft-", 0o640)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.WriteString("whole"); err != nil {
				t.Fatal(err)
			}
			again, err := d.Reopen()
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(again); string(b) != "whole" {
				t.Errorf("read %q, %v", b, err)
			}
			again.Close()
			path := filepath.Join(dir, "image")
			if err := d.Publish(path); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			b, err := os.ReadFile(path)
			if st, serr := os.Stat(path); string(b) != "whole" || err != nil || serr != nil || st.Mode().Perm()&^0o640 != 0 || st.Mode().Perm()&0o600 != 0o600 {
				t.Errorf("published %q, %v, %v, %v", b, st.Mode(), err, serr)
			}
			left(1)

			for _, publish := range []bool{true, false} { // onto a name that is taken, and not at all
				d, err := make(dir, ".draft-", 0o640)
				if err != nil {
					t.Fatal(err)
				}
				if publish {
					if err := d.Publish(path); !errors.Is(err, fs.ErrExist) {
						t.Error("a taken name:", err)
					}
				}
				if err := d.Close(); err != nil {
					t.Error(err)
				}
				left(1)
			}
		})
	}
	if _, err := NewDraft(filepath.Join(t.TempDir(), "none"), "x", 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a directory that is not there:", err)
	}
}
