package vmdk

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// openPath opens an image of the host with its neighbours in reach.
func openPath(t *testing.T, path string) *Image {
	t.Helper()
	f, err := disk.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := Open(t.Context(), f, disktest.EnvOf(Open, formatName, disk.DirOpener(filepath.Dir(path)), nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { img.Close() })
	return img
}

// TestQemuImages reads what qemu-img writes: every kind of image it knows, of a size that ends inside a grain.
func TestQemuImages(t *testing.T) {
	dir := t.TempDir()
	raw := filepath.Join(dir, "x.raw")
	src := disktest.NewMemImage(70<<20+1536).Put(100000, disktest.Text(3<<20)).Put(33<<20+7, disktest.Random(1, 1<<20)).Put(70<<20+1500, []byte{7})
	content := disktest.ReadAll(t, src)
	if err := os.WriteFile(raw, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{"monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "streamOptimized", "monolithicSparse,zeroed_grain=on"} {
		t.Run(options, func(t *testing.T) {
			path := filepath.Join(dir, options+".vmdk")
			disktest.QemuImg(t, "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat="+options, raw, path)
			img := openPath(t, path)
			if !bytes.Equal(disktest.ReadAll(t, img), content) {
				t.Error("content differs")
			}
			found, err := img.Check(t.Context())
			if err != nil || len(found.Problems) > 0 {
				t.Errorf("check: %v, %v", found.Problems, err)
			}
		})
	}
}

// TestQemuSplit reads a disk of more than one extent.
func TestQemuSplit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.vmdk")
	disktest.QemuImg(t, "create", "-f", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", path, "5G")
	img := openPath(t, path)
	if info := img.Describe()[0]; img.Size() != 5<<30 || len(info.Files) != 4 {
		t.Errorf("%d bytes, described as %+v", img.Size(), info)
	}
}

// TestQemuSnapshot reads a chain that qemu made, and refuses it once the base was changed.
func TestQemuSnapshot(t *testing.T) {
	dir := t.TempDir()
	base, child := filepath.Join(dir, "base.vmdk"), filepath.Join(dir, "child.vmdk")
	disktest.QemuImg(t, "create", "-f", "vmdk", base, "10M")
	qemuIO(t, base, "write -P 1 0 3M")
	disktest.QemuImg(t, "create", "-f", "vmdk", "-F", "vmdk", "-b", base, child)
	qemuIO(t, child, "write -P 2 1M 1M")
	img := openPath(t, child)
	want := append(bytes.Repeat([]byte{1}, 1<<20), bytes.Repeat([]byte{2}, 1<<20)...)
	want = append(append(want, bytes.Repeat([]byte{1}, 1<<20)...), make([]byte, 7<<20)...)
	if !bytes.Equal(disktest.ReadAll(t, img), want) {
		t.Error("content differs")
	}
	qemuIO(t, base, "write -P 3 5M 1M")
	f, err := disk.OpenFile(child)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), f, disktest.EnvOf(Open, formatName, disk.DirOpener(dir), nil))
	disktest.CheckError(t, err, disk.ErrCorrupt, "the parent was changed")
}

func qemuIO(t *testing.T, path, command string) {
	t.Helper()
	tool, err := exec.LookPath("qemu-io")
	if err != nil {
		t.Skip("SKIPPED: qemu-io is not installed, so no snapshot of another program was read; install qemu-utils")
	}
	if out, err := exec.CommandContext(t.Context(), tool, "-f", "vmdk", "-c", command, path).CombinedOutput(); err != nil {
		t.Fatalf("qemu-io %s: %v\n%s", command, err, out)
	}
}
