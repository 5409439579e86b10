package native

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/guest"
)

// unpacked returns the content of a raw or qcow2 fixture.
func unpacked(t *testing.T, name string) []byte {
	t.Helper()
	b := readFixture(t, name)
	switch filepath.Ext(name) {
	case ".gz":
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	case ".qcow2":
		program, err := exec.LookPath("qemu-img")
		if err != nil {
			t.Skip("SKIPPED: qemu-img is not installed, the qcow2 fixture cannot be unpacked")
		}
		out := filepath.Join(t.TempDir(), "raw")
		if msg, err := exec.CommandContext(t.Context(), program, "convert", "-O", "raw", filepath.Join(disktest.FixtureDir(t), name), out).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, msg)
		}
		if b, err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestFixtures(t *testing.T) {
	for name, c := range map[string]struct {
		want, firmware string
		boot           int
	}{
		"raw/trivy-AmazonLinux2.img.gz":        {"gpt/512 1:1048576+1048576 EFI system 2:2097152+39828992 Linux filesystem=xfs(1b1bcec8-c7eb-4ff3-bfd5-1fadcd95ee46  39825408)", guest.FirmwareUEFI, 0},
		"raw/libguestfs-mbr-ext2-empty.img.gz": {"mbr/512 1:512+1474048 Linux=ext2(cccd2e04-8376-48cf-9e6d-cabee3fd503e  1470464)", "", -1},
		"raw/dfvfs-ext2.raw.gz":                {"none/0=ext2(f00050bb-07ee-46a3-83a6-a405ee0db51f ext2_test 4194304)", "", -1},
		"raw/dfvfs-mbr.raw.gz": {"mbr/512 1:512+66048 Linux=ext2(ef72775f-21ef-488c-a6cc-01c3fa1a1b43 ext3_test 65536) 2:66560+4127744 Extended" +
			" 5:67072+66048 Linux=ext4(1b4c0a74-16d2-4777-934d-5ca2664e89a4 ext4_test 65536)", "", -1},
		"raw/r2-gpt.img":              {"gpt/512 1:1048576+536870912 EFI system 2:537919488+116037517312 Linux filesystem 3:116575436800+8493465600 Linux swap needs 125069950976", guest.FirmwareUEFI, 0},
		"raw/openpreserve-floppy.img": {"empty/0", "", -1},
		"qcow2/cdi-cirros.qcow2": {"gpt/512 code GRUB 1:9437184+36683264 Linux filesystem=ext3(e65b9425-9b57-4801-bc6b-a1a34826dca7 cirros-rootfs 33554432)" +
			" 15:1048576+8388608 EFI system=vfat(23A0-8FEB  8388608)", guest.FirmwareUEFI, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := unpacked(t, name)
			f, err := Inspect(t.Context(), []Disk{{R: bytes.NewReader(b), Size: int64(len(b))}})
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(f.Disks[0]); got != c.want || f.Firmware != c.firmware || f.BootDisk != c.boot {
				t.Errorf("got  %s %s %d\nwant %s %s %d", got, f.Firmware, f.BootDisk, c.want, c.firmware, c.boot)
			}
		})
	}
}
