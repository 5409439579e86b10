package formats_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/disk/vdi"
)

// TestParentByIdentifier opens a differencing VDI, which names no file, in a directory, with a job's files, and alone.
func TestParentByIdentifier(t *testing.T) {
	dir := t.TempDir()
	content := disktest.Random(1, 1<<20)
	write := func(name string, create byte, off int64, change func(b []byte)) {
		t.Helper()
		target := disktest.NewMemFile(name, nil)
		w, err := vdi.NewWriter(target, 2<<20, vdi.Options{CreateID: [16]byte{create}, ModifyID: [16]byte{create, 1}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := disk.Copy(t.Context(), w, disktest.NewMemImage(2<<20).Put(off, content), disk.Options{}); err != nil {
			t.Fatal(err)
		}
		b := target.Bytes()
		change(b)
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("base.vdi", 1, 0, func([]byte) {})
	write("other.vdi", 3, 0, func([]byte) {})
	write("snapshot.vdi", 2, 1<<20, func(b []byte) {
		b[0x4c] = 4               // differencing
		b[0x1a8] = 1              // the parent's identifier
		b[0x1b8], b[0x1b9] = 1, 1 // and that of its last change
	})
	top := filepath.Join(dir, "snapshot.vdi")
	want := append(bytes.Clone(content), content...)
	check := func(t *testing.T, img disk.Image) {
		t.Helper()
		defer img.Close()
		got := make([]byte, 2<<20)
		if _, err := img.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the content is not that of both: %v", err)
		}
		if layers := formats.Describe(img); len(layers) != 2 || layers[1].Files[0] != "base.vdi" {
			t.Errorf("described as %+v", layers)
		}
	}
	t.Run("directory", func(t *testing.T) {
		img, err := formats.OpenPath(t.Context(), top, formats.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		check(t, img)
	})
	t.Run("files of a job", func(t *testing.T) {
		files := map[string]string{}
		for _, name := range []string{"snapshot.vdi", "base.vdi", "other.vdi"} {
			files[name] = filepath.Join(dir, name)
		}
		open, trace := disktest.TracingOpener(disk.FilesOpener(files))
		img, err := formats.Open(t.Context(), mustOpen(t, top), formats.OpenOptions{Open: open, Siblings: disk.FilesSiblings(files)})
		if err != nil {
			t.Fatal(err)
		}
		check(t, img)
		if names := trace.Names(); len(names) != 1 || names[0] != "base.vdi" {
			t.Errorf("opened %q: what was only looked at must not count", names)
		}
		trace.CheckClosed(t)
	})
	t.Run("alone", func(t *testing.T) {
		_, err := formats.Open(t.Context(), mustOpen(t, top), formats.OpenOptions{Open: disk.FilesOpener(nil)})
		if !errors.Is(err, disk.ErrMissing) {
			t.Errorf("error %v, want ErrMissing", err)
		}
	})
}
