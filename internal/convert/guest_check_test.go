package convert

import (
	"strings"
	"testing"

	"hyper2kvm/internal/guest"
)

// A path of a disk that is gone is not that of the root's disk, as long as the root is named by its own path: once that is repaired,
// the path could mean the root's disk too.
func TestWhatStaysUnclearIsNoFaultOfTheProgram(t *testing.T) {
	b, f := guestBench(t)
	const left = "/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:1:0-part1 /old ext4 noauto 0 0\n"
	f.tree.Text("/etc/fstab", "/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part2 / ext4 defaults 0 1\n"+left)
	f.system.Root = "/dev/sda2"
	f.system.Mounts[0].Device = "/dev/sda2"
	f.system.Volumes = append(f.system.Volumes, guest.Volume{Device: "/dev/sda2", Disk: 0, Partition: 2, Type: "ext4", UUID: "40313233-3435-3637-3839-616263646566"})
	report, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if table, _ := f.tree.Get("/etc/fstab"); string(table.Data) != "UUID=40313233-3435-3637-3839-616263646566             / ext4 defaults 0 1\n"+left {
		t.Errorf("fstab is %q", table.Data)
	}
	found := false
	for _, w := range report.Warnings {
		found = found || strings.Contains(w.Message, "line 2 of /etc/fstab is kept")
	}
	if !found {
		t.Errorf("the line that is kept is not told of: %+v", report.Warnings)
	}
}
