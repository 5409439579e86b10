package linux

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
)

// silent is a journal that nobody reads.
type silent struct{}

func (silent) Log(string)                                   {}
func (silent) Keep(context.Context, guest.FS, string) error { return nil }

// fuzzSystem has a volume of each sort.
func fuzzSystem() guest.System {
	return guest.System{Root: "/dev/sda1", Firmware: guest.FirmwareBIOS, Volumes: []guest.Volume{
		{Device: "/dev/sda1", Disk: 0, Partition: 1, Type: "ext4", UUID: "aaaa-1", PartUUID: "p-1", Label: "my disk"},
		{Device: "/dev/sda2", Disk: 0, Partition: 2, Type: "swap", UUID: "aaaa-2"},
		{Device: "/dev/sdb1", Disk: 1, Partition: 1, Type: "xfs", UUID: "bbbb-1"},
		{Device: "/dev/vg/lv", Disk: -1, Type: "btrfs", UUID: "cccc-1"},
	}}
}

// fuzzFixers runs fixers over a file: as often as they like they may warn, but a second run must change nothing, and the lines that
// name no device must stay.
func fuzzFixers(t *testing.T, fixers []guest.Fixer, name string, content []byte) []byte {
	t.Helper()
	tree := guesttest.NewTree()
	tree.Put(name, guest.File{Data: content, Mode: 0o644})
	system := fuzzSystem()
	work, err := guest.NewWork(t.Context(), system, tree, fixers)
	if err != nil {
		t.Fatal(err)
	}
	if len(work.Warnings) > len(fixers)*(maxWarnings+1) {
		t.Fatalf("%d warnings", len(work.Warnings))
	}
	if _, err := guest.Apply(t.Context(), tree, work.Changes, silent{}, time.Now); err != nil {
		t.Fatal(err)
	}
	after, _ := tree.Get(name)
	had, now := slices.Collect(strings.Lines(string(content))), slices.Collect(strings.Lines(string(after.Data)))
	if len(had) != len(now) {
		t.Fatalf("%d lines became %d: %q", len(had), len(now), after.Data)
	}
	for i, line := range had {
		if !strings.Contains(line, "/dev/") && line != now[i] {
			t.Fatalf("%q became %q", line, now[i])
		}
	}
	again, err := guest.NewWork(t.Context(), system, tree, fixers)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range again.Changes {
		t.Fatalf("the second run still wants %s\n%s", c.Why, c.Diff())
	}
	return after.Data
}

func FuzzFstab(f *testing.F) {
	f.Add([]byte("# c\n/dev/sda1 / ext4 defaults 0 1\r\n/dev/sda2\tnone\tswap\tsw\n/dev/disk/by-path/pci-1-scsi-0:0:1:0-part1 /x xfs journal_path=/dev/sdb1"))
	f.Add([]byte("/dev/disk/by-label/my\\x20disk /my\\040disk auto bind,loop\nUUID=aaaa-1 / ext4 a\n"))
	f.Add([]byte("/dev/sds1 / ext4 defaults 0 1\n/dev/sda2 none swap sw\n"))
	f.Add([]byte("/dev/sdb1 /data xfs defaults 0 1\n/dev/sds1 /x auto noauto\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		tree := guesttest.NewTree()
		tree.Put("/etc/fstab", guest.File{Data: content, Mode: 0o644})
		d, err := newDevices(t.Context(), &fileSet{tree: tree}, fuzzSystem())
		if err != nil {
			t.Fatal(err)
		}
		if d.mixed {
			return // that the guest counted its disks in another order is seen only once
		}
		fuzzFixers(t, []guest.Fixer{fstabFixer{mode: FstabStabilizeAll}}, "/etc/fstab", content)
	})
}

func FuzzGrubConfig(f *testing.F) {
	f.Add([]byte("menuentry 'x' {\n\tset r=/dev/sda1\n\tlinux /v root=/dev/sda1 ro\n\tlinux /v root=$r\n\tinitrd /i\n}\nset kernelopts=\"root=/dev/sda1\"\n"))
	f.Add([]byte("# kopt=root=/dev/sda1\ntitle x\nkernel /v \"root=/dev/sda1\" cryptdevice=/dev/sda2:c\nmodule /x root=/dev/sda1\nmodule /y\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		fixers := bootFixers(Options{BootLoader: true})
		fuzzFixers(t, fixers, "/boot/grub/grub.cfg", content)
		fuzzFixers(t, fixers, "/boot/grub/menu.lst", content)
	})
}

func FuzzGrubenv(f *testing.F) {
	pad := func(s string) string { return s + strings.Repeat("#", max(0, grubenvSize-len(s))) }
	f.Add([]byte(pad(grubenvSignature + "kernelopts=root=/dev/sda1 ro\nsaved_entry=1\n")))
	f.Add([]byte(pad(grubenvSignature + "kernelopts=a\\\\b\\\nc root=/dev/sda1\n")))
	f.Add([]byte("kernelopts=root=/dev/sda1"))
	f.Fuzz(func(t *testing.T, content []byte) {
		block := string(content)
		if len(block) > 100 && strings.HasPrefix(block, grubenvSignature) && len(block) < grubenvSize {
			block = pad(block)
		}
		same, err := rewriteGrubenv(block, func(v string) string { return v })
		if same != block {
			t.Fatalf("nothing changed and %q became %q", block, same)
		}
		changed, err2 := rewriteGrubenv(block, func(v string) string { return strings.ReplaceAll(v, "/dev/sda1", "UUID=aaaa-1\\") })
		if len(changed) != len(block) || err != nil && changed != block || err2 != nil && changed != block {
			t.Fatalf("%v, %v: %d bytes became %d", err, err2, len(block), len(changed))
		}
	})
}

func FuzzDebconf(f *testing.F) {
	f.Add([]byte("Name: a\nValue: /dev/sda\n\nName: grub-pc/install_devices\nTemplate: x\nValue: /dev/sda, /dev/disk/by-id/x-part1\nFlags: seen\n\n"))
	f.Add([]byte("Name: grub-pc/install_devices\r\nValue: /dev/sda\r\n\r\nValue: /dev/sda"))
	f.Fuzz(func(t *testing.T, content []byte) {
		after := string(fuzzFixers(t, []guest.Fixer{debconfFixer{}}, debconfFile, content))
		had, now := strings.SplitAfter(string(content), "\n"), strings.SplitAfter(after, "\n")
		for i := range had {
			if had[i] != now[i] && (!strings.HasPrefix(had[i], "Value: ") || !strings.HasPrefix(now[i], "Value: ")) {
				t.Fatalf("%q became %q", had[i], now[i])
			}
		}
	})
}
