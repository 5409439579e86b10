package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// snapshotsAndBitmaps returns an image that qemu made, with two internal snapshots that share clusters and a dirty bitmap that takes some.
func snapshotsAndBitmaps(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	raw, path := filepath.Join(dir, "a.raw"), filepath.Join(dir, "a.qcow2")
	writeRaw(t, raw, mixed(20<<20, 4))
	disktest.QemuImg(t, "convert", "-f", "raw", "-O", "qcow2", raw, path)
	disktest.QemuImg(t, "bitmap", "--add", "--enable", "-g", "65536", path, "dirty")
	for i, offset := range []string{"1M", "15M"} {
		disktest.QemuImg(t, "snapshot", "-c", fmt.Sprintf("s%d", i), path)
		qemuIO(t, path, "write -P 9 "+offset+" 300k")
	}
	disktest.QemuImg(t, "check", path)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCheckFollowsSnapshotsAndBitmaps holds that their clusters are counted, each as often as it is referred to, and that damage in them is
// found.
func TestCheckFollowsSnapshotsAndBitmaps(t *testing.T) {
	good := snapshotsAndBitmaps(t)
	be := binary.BigEndian
	table := be.Uint64(good[64:])    // of snapshots
	l1 := be.Uint64(good[table:])    // of the first
	l2 := be.Uint64(good[l1:])       // its first
	directory := findDirectory(good) // of bitmaps
	bitmaps := be.Uint64(good[directory:])
	for _, c := range []struct {
		name   string
		damage func(b []byte)
		want   string
		kind   error
	}{
		{"sound", func([]byte) {}, "", nil},
		{"fewer snapshots than are counted", func(b []byte) { be.PutUint32(b[60:], 1) }, "", nil}, // leaks
		{"more snapshots than there are", func(b []byte) { be.PutUint32(b[60:], 1<<31) }, "snapshot table has", nil},
		{"snapshot table past the end", func(b []byte) { be.PutUint64(b[64:], 1<<40) }, "snapshot table has 0 of 2", nil},
		{"snapshot table not at a cluster", func(b []byte) { be.PutUint64(b[64:], table+512) }, "not at a cluster", nil},
		{"L1 table past the end", func(b []byte) { be.PutUint64(b[table:], 1<<62) }, "past the end", nil},
		{"L1 table not at a cluster", func(b []byte) { be.PutUint64(b[table:], l1+8) }, "not at a cluster", nil},
		{"huge L1 table", func(b []byte) { be.PutUint32(b[table+8:], 1<<32-1) }, "", disk.ErrLimit},
		{"L1 entry past the end", func(b []byte) { be.PutUint64(b[l1:], 1<<50) }, "past the end", nil},
		{"data over the header", func(b []byte) { be.PutUint64(b[l2&offsetMask:], 512) }, "does not point at a cluster", nil},
		{"data over a table", func(b []byte) { be.PutUint64(b[l2&offsetMask:], l1) }, "references", nil},
		{"bitmap table past the end", func(b []byte) { be.PutUint64(b[directory:], 1<<62) }, "past the end", nil},
		{"bitmap over a table", func(b []byte) { be.PutUint64(b[bitmaps:], l1) }, "references", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := append([]byte(nil), good...)
			c.damage(b)
			img, err := Open(t.Context(), disktest.NewMemFile("bad.qcow2", b), disk.Env{})
			if err != nil {
				t.Fatal(err)
			}
			defer img.Close()
			res, err := img.Check(t.Context())
			if c.kind != nil {
				if !errors.Is(err, c.kind) {
					t.Errorf("error %v, want %v", err, c.kind)
				}
				return
			}
			all := fmt.Sprint(res.Problems)
			if err != nil || !strings.Contains(all, c.want) || res.Clean() != (c.want == "") {
				t.Errorf("want %q, found %s, error %v", c.want, all, err)
			}
			if c.name == "sound" && (res.Leaks != 0 || res.Stored == 0) {
				t.Errorf("%+v", res)
			}
			if strings.HasPrefix(c.name, "fewer") && res.Leaks == 0 {
				t.Error("what a forgotten snapshot takes is no leak")
			}
		})
	}
}

// findDirectory returns where the bitmap directory of an image of version 3 stands.
func findDirectory(b []byte) uint64 {
	be := binary.BigEndian
	at := be.Uint32(b[100:])
	for be.Uint32(b[at:]) != extBitmaps {
		at += 8 + (be.Uint32(b[at+4:])+7)&^7
	}
	return be.Uint64(b[at+8+bitmapsDirectoryAt:])
}
