package linux

import (
	"testing"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
)

func TestParseDiskName(t *testing.T) {
	for name, want := range map[string]diskName{
		"sda": {0, 0}, "sda1": {0, 1}, "sdb12": {1, 12}, "sdaa3": {26, 3}, "hdc1": {2, 1}, "vdb": {1, 0}, "xvdf1": {5, 1},
		"nvme0n1": {0, 0}, "nvme0n2p3": {1, 3}, "nvme2n1p1": {2, 1}, "nvme1n2p1": {-1, 1}, "mmcblk0p2": {0, 2}, "cciss/c0d1p2": {1, 2}, "cciss/c1d0": {-1, 0},
	} {
		if got, ok := parseDiskName(name); !ok || got != want {
			t.Errorf("%s is %+v, %v, want %+v", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "sd", "sda0", "sda1p1", "sdaaaa", "sdA", "nvme0", "nvme0n", "nvme0n1p", "nvme0n1p0", "mmcblk0boot0", "md0", "dm-0", "sda99999", "cciss/c0", "vgroot/lv"} {
		if got, ok := parseDiskName(name); ok {
			t.Errorf("%q is %+v", name, got)
		}
	}
}

func TestUnitEscape(t *testing.T) {
	for name, want := range map[string]string{ // as systemd-escape --path prints them
		"/dev/sda1":           "dev-sda1",
		"/dev/mapper/vg-lv":   `dev-mapper-vg\x2dlv`,
		"/dev/disk/by-uuid/a": `dev-disk-by\x2duuid-a`,
		"//srv/my data/":      `srv-my\x20data`,
		"/.hidden":            `\x2ehidden`,
	} {
		if got := unitEscape(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

func TestMapperNames(t *testing.T) {
	d := devices{system: guest.System{Volumes: []guest.Volume{{Device: "/dev/my-vg/root", Disk: -1, Type: "xfs"}}}}
	for spec, want := range map[string]fate{
		"/dev/my-vg/root": fateStable, "/dev/mapper/my--vg-root": fateStable, "/dev/disk/by-id/dm-name-my--vg-root": fateStable, "/dev/mapper/my-vg-root": fateLost,
		"/dev/dm-0": fateLost, "/dev/sr0": fateForeign, "tmpfs": fateForeign, "/dev/root": fateLost,
	} {
		if got := d.find(use{spec: spec}, nil); got.fate != want {
			t.Errorf("%s has fate %d (%s), want %d", spec, got.fate, got.why, want)
		}
	}
}

func TestAddConsole(t *testing.T) {
	for _, tt := range []struct{ text, around, want string }{
		{"ro quiet", "", "ro quiet console=tty0 console=ttyS0,115200"},
		{"", "", "console=tty0 console=ttyS0,115200"},
		{"ro console=tty1\n", "", "ro console=tty1 console=ttyS0,115200\n"},
		{"ro console=ttyS0", "", "ro console=ttyS0"},
		{"ro console=ttyS0,9600n8", "", "ro console=ttyS0,9600n8"},
		{"ro console=ttyS01", "", "ro console=ttyS01 console=ttyS0,115200"},
		{"ro", "console=ttyS0", "ro"},
		{"ro \\\n", "", "ro \\\n"},
	} {
		if got := addConsole(tt.text, tt.around, serialConsole("x86_64")); got != tt.want {
			t.Errorf("%q became %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestOrderOfDisksStaysKnown(t *testing.T) {
	system, fresh := fuzzSystem(), fuzzSystem()
	tree := guesttest.NewTree()
	tree.Text("/etc/fstab", "/dev/sdb1 / ext4 defaults 0 1\n")
	if err := inspectOrder(t.Context(), tree, &system); err != nil || !system.Renumbered {
		t.Errorf("the root is on disk 1 and the guest calls it sdb: %v, %v", system.Renumbered, err)
	}
	tree.Text("/etc/fstab", "UUID=aaaa-1 / ext4 defaults 0 1\n")
	if err := inspectOrder(t.Context(), tree, &system); err != nil || !system.Renumbered {
		t.Errorf("the repaired table makes it forgotten: %v", err)
	}
	if err := inspectOrder(t.Context(), tree, &fresh); err != nil || fresh.Renumbered {
		t.Errorf("nothing tells the order: %v, %v", fresh.Renumbered, err)
	}
}

func TestWholeDisk(t *testing.T) {
	for name, want := range map[string]string{
		"sda1": "sda", "sdp12": "sdp", "hdc": "hdc", "xvdf1": "xvdf", "nvme0n1p2": "nvme0n1", "nvme0n1": "nvme0n1", "mmcblk0p1": "mmcblk0", "cciss/c0d1p2": "cciss/c0d1",
	} {
		n, ok := parseDiskName(name)
		if got := wholeDisk(name, n.part); !ok || got != want {
			t.Errorf("%s is on %s, want %s", name, got, want)
		}
	}
}
