package qcow2

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// TestExternalDataFile reads images of qemu-img whose clusters stand in another file: from its first byte on, where an offset of 0 means
// data, raw or in the order of writing, with subclusters, and on a backing file.
func TestExternalDataFile(t *testing.T) {
	qemu, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Skip("SKIPPED: qemu-img is not installed, so no external data file of its making was read")
	}
	content := disktest.NewMemImage(5<<20 + 512)
	content.Put(0, disktest.Random(1, 100_000))
	content.Put(3<<20+70_000, disktest.Random(2, 300_000))
	content.Put(5<<20, disktest.Random(3, 512))
	want, err := disk.DigestOf(t.Context(), content, disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string]string{
		"in order":    "data_file=x.data",
		"raw":         "data_file=x.data,data_file_raw=on",
		"subclusters": "data_file=x.data,extended_l2=on,cluster_size=128k",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			raw := make([]byte, content.Size())
			if _, err := content.ReadAt(raw, 0); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "x.raw"), raw, 0o600); err != nil {
				t.Fatal(err)
			}
			run := func(args ...string) {
				cmd := exec.CommandContext(t.Context(), qemu, args...)
				cmd.Dir = dir // qemu looks for data files where it runs
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("qemu-img %q: %v: %s", args, err, out)
				}
			}
			run("convert", "-f", "raw", "-O", "qcow2", "-o", options, "x.raw", "x.qcow2")
			img := openPath(t, filepath.Join(dir, "x.qcow2"), disk.Env{Open: disk.DirOpener(dir)})
			if got, err := disk.DigestOf(t.Context(), img, disk.Options{}); err != nil || got != want {
				t.Errorf("digest %s, want %s: %v", got, want, err)
			}
			if info := img.Describe()[0]; len(info.Files) != 2 || info.Files[1] != "x.data" {
				t.Errorf("described as %+v", info)
			}
			if found, err := img.Check(t.Context()); err != nil || !found.Clean() || found.Leaks > 0 || found.Stored == 0 {
				t.Errorf("check: %+v, %v", found, err)
			}
			if err := os.Truncate(filepath.Join(dir, "x.data"), 4096); err != nil {
				t.Fatal(err)
			}
			cut := openPath(t, filepath.Join(dir, "x.qcow2"), disk.Env{Open: disk.DirOpener(dir)})
			if _, err := disk.DigestOf(t.Context(), cut, disk.Options{}); err == nil {
				t.Error("a data file that was cut short reads as if it were whole")
			} else {
				disktest.CheckError(t, err, disk.ErrTruncated, "cluster", "x.data")
			}
		})
	}
}

// TestExternalDataFileRefused holds what must not be opened or believed. The image is laid out here by the specification: header, L1 at 64 KiB,
// L2 at 128 KiB, and a data file of one cluster.
func TestExternalDataFileRefused(t *testing.T) {
	const cluster = 64 << 10
	be := binary.BigEndian
	image := func(name string, entry uint64) []byte {
		b := make([]byte, 4*cluster)
		copy(b, magic())
		be.PutUint32(b[4:], 3)
		be.PutUint32(b[20:], 16)
		be.PutUint64(b[24:], cluster)
		be.PutUint32(b[36:], 1)
		be.PutUint64(b[40:], cluster)
		be.PutUint64(b[48:], 3*cluster)
		be.PutUint32(b[56:], 1)
		be.PutUint64(b[72:], 1<<2)
		be.PutUint32(b[96:], 4)
		be.PutUint32(b[100:], 112)
		if name != "" {
			be.PutUint32(b[112:], 0x44415441)
			be.PutUint32(b[116:], uint32(len(name)))
			copy(b[120:], name)
		}
		be.PutUint64(b[cluster:], 2*cluster|1<<63)
		be.PutUint64(b[2*cluster:], entry)
		return b
	}
	data := disktest.Random(5, cluster)
	for _, c := range []struct {
		what, name string
		entry      uint64
		open       bool
		want       error
	}{
		{"data at 0", "x.data", 1 << 63, true, nil},
		{"no name", "", 1 << 63, true, disk.ErrUnsupported},
		{"no opener", "x.data", 1 << 63, false, disk.ErrOutside},
		{"missing", "y.data", 1 << 63, true, disk.ErrMissing},
		{"compressed", "x.data", 1 << 62, true, disk.ErrCorrupt},
		{"past its end", "x.data", 1<<63 | cluster, true, disk.ErrTruncated},
	} {
		t.Run(c.what, func(t *testing.T) {
			env := disk.Env{}
			closed := disktest.NewMemFile("x.data", data)
			if c.open {
				env.Open = func(name string) (disk.File, error) {
					if name != "x.data" {
						return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrMissing}
					}
					return closed, nil
				}
			}
			img, err := Open(t.Context(), disktest.NewMemFile("x.qcow2", image(c.name, c.entry)), env)
			got := make([]byte, cluster)
			if err == nil {
				defer img.Close()
				_, err = img.ReadAt(got, 0)
			}
			if c.want != nil {
				disktest.CheckError(t, err, c.want, "", "x.")
				return
			}
			if err != nil || string(got) != string(data) {
				t.Errorf("the content differs, or %v", err)
			}
		})
	}
}
