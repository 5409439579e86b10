package linux

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
)

// drawSystem draws volumes whose ids may be missing or shared.
func drawSystem(t *rapid.T) guest.System {
	s := guest.System{Family: guest.FamilyLinux}
	id := rapid.SampledFrom([]string{"", "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"})
	for disk := range rapid.IntRange(1, 3).Draw(t, "disks") {
		for part := range rapid.IntRange(1, 3).Draw(t, "partitions") {
			s.Volumes = append(s.Volumes, guest.Volume{
				Device: "/dev/sd" + string(rune('a'+disk)) + string(rune('1'+part)), Disk: disk, Partition: part + 1,
				Type: rapid.SampledFrom([]string{"ext4", "xfs", "swap", "btrfs", "crypto_LUKS", ""}).Draw(t, "type"),
				UUID: id.Draw(t, "uuid"), PartUUID: id.Draw(t, "partuuid"), Label: rapid.SampledFrom([]string{"", "a b", "data"}).Draw(t, "label"),
			})
		}
	}
	s.Root = rapid.SampledFrom(s.Volumes).Draw(t, "root").Device
	return s
}

// drawFstab draws a table of lines as people write them, without devices in options.
func drawFstab(t *rapid.T) string {
	spec := rapid.SampledFrom([]string{
		"/dev/sda1", "/dev/sdb2", "/dev/sdc", "/dev/hda1", "/dev/nvme0n1p2", "/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part1",
		"/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:1:0-part1", "/dev/disk/by-id/scsi-36000c29-part2", "/dev/disk/by-label/a\\x20b", "LABEL=a\\040b",
		"UUID=11111111-1111-4111-8111-111111111111", "/dev/mapper/vg-lv", "/dev/root", "tmpfs", "filer:/x", "/dev/loop0", "#/dev/sda1",
	})
	blank := rapid.SampledFrom([]string{" ", "\t", "    ", " \t "})
	var b strings.Builder
	for range rapid.IntRange(0, 6).Draw(t, "lines") {
		b.WriteString(rapid.SampledFrom([]string{"", " ", "# "}).Draw(t, "lead") + spec.Draw(t, "spec"))
		for _, f := range []string{
			rapid.SampledFrom([]string{"/", "/data", "none", "/my\\040dir"}).Draw(t, "point"),
			rapid.SampledFrom([]string{"ext4", "xfs", "auto", "swap", "tmpfs", "none"}).Draw(t, "kind"),
			rapid.SampledFrom([]string{"defaults", "noatime,bind", "subvol=@,x=/dev/sda1"}).Draw(t, "options"), "0", "0",
		} {
			b.WriteString(blank.Draw(t, "blank") + f)
		}
		b.WriteString(rapid.SampledFrom([]string{"\n", "\r\n", "\n\n", " \n"}).Draw(t, "end"))
	}
	return strings.TrimSuffix(b.String(), rapid.SampledFrom([]string{"", "\n"}).Draw(t, "cut"))
}

func TestFstabChangesOnlyTheFirstField(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		system, table := drawSystem(rt), drawFstab(rt)
		tree := guesttest.NewTree()
		tree.Text("/etc/fstab", table)
		work, err := guest.NewWork(t.Context(), system, tree, storageFixers(Options{FstabMode: FstabStabilizeAll}))
		if err != nil {
			rt.Fatal(err)
		}
		if len(work.Changes) == 0 {
			return
		}
		had := slices.Collect(strings.Lines(table))
		now := slices.Collect(strings.Lines(string(work.Changes[0].After.Data)))
		if len(had) != len(now) {
			rt.Fatalf("%d lines became %d", len(had), len(now))
		}
		for i := range had {
			if had[i] == now[i] {
				continue
			}
			before, after := strings.Fields(had[i]), strings.Fields(now[i])
			if !slices.Equal(before[1:], after[1:]) || strings.HasPrefix(before[0], "#") {
				rt.Errorf("%q became %q", had[i], now[i])
			}
			kind, value, ok := parseID(fstabDecode(after[0]))
			d := devices{system: system}
			if !ok || len(d.byID(kind, value)) != 1 {
				rt.Errorf("%q became %q, and that is not the id of one volume of %+v", had[i], now[i], system.Volumes)
			}
		}
	})
}

func TestFixersTwiceIsOnce(t *testing.T) {
	options := Options{FstabMode: FstabStabilizeAll, BootLoader: true, SerialConsole: true}
	rapid.Check(t, func(rt *rapid.T) {
		system := drawSystem(rt)
		tree := guesttest.NewTree()
		spec := rapid.SampledFrom([]string{"/dev/sda1", "/dev/sdb2", "/dev/sdc3", "/dev/disk/by-id/scsi-36000c29-part2", "LABEL=data", "UUID=22222222-2222-4222-8222-222222222222"})
		line := func(name string) string {
			return rapid.SampledFrom([]string{"root=", "ro root=", "quiet console=tty0 root=", "console=ttyS0 root="}).Draw(rt, name) + spec.Draw(rt, name) + " resume=" + spec.Draw(rt, name) + " "
		}
		// That the guest counts its disks otherwise is seen in fstab alone, and only as long as it has kernel names.
		tree.Text("/etc/fstab", rapid.SampledFrom([]string{system.Root, "LABEL=data", "/dev/root"}).Draw(rt, "fstab")+" / auto defaults 0 1\n")
		tree.Text("/etc/crypttab", "x "+spec.Draw(rt, "crypttab")+" none luks\n")
		tree.Text("/etc/initramfs-tools/conf.d/resume", "RESUME="+spec.Draw(rt, "resume")+"\n")
		tree.Text("/boot/grub/grub.cfg", "menuentry x {\nlinux /vmlinuz "+line("grub")+"\n"+rapid.SampledFrom([]string{"", "initrd /i\n"}).Draw(rt, "initrd")+"}\n")
		tree.Text("/boot/loader/entries/a.conf", "linux /a\ninitrd /b\noptions "+line("bls")+"\noptions "+line("bls")+"\n")
		tree.Text("/etc/default/grub", "GRUB_CMDLINE_LINUX=\""+line("default")+"\"\nGRUB_DEVICE="+spec.Draw(rt, "device")+"\n")
		block := grubenvSignature + "kernelopts=" + line("env") + "\n"
		tree.Text("/boot/grub2/grubenv", block+strings.Repeat("#", grubenvSize-len(block)))
		tree.Text("/boot/extlinux.conf", "label x\nlinux x\nappend "+line("ext"))
		tree.Text(debconfFile, "Name: grub-pc/install_devices\nValue: "+spec.Draw(rt, "debconf")+"\n")
		fixers := slices.Concat(storageFixers(options), bootFixers(options))
		work, err := guest.NewWork(t.Context(), system, tree, fixers)
		if err != nil {
			rt.Fatal(err)
		}
		for _, c := range work.Changes {
			tree.Put(c.Path, *c.After)
		}
		if f, _ := tree.Get("/boot/grub2/grubenv"); len(f.Data) != grubenvSize {
			rt.Errorf("the environment block has %d bytes", len(f.Data))
		}
		again, err := guest.NewWork(t.Context(), system, tree, fixers)
		if err != nil {
			rt.Fatal(err)
		}
		for _, c := range again.Changes {
			rt.Errorf("the second run still wants: %s\n%s", c.Why, c.Diff())
		}
	})
}

func TestSwapUnitGetsTheNameOfItsDevice(t *testing.T) {
	system := guest.System{Volumes: []guest.Volume{{Device: "/dev/sda2", Disk: 0, Partition: 2, Type: "swap", UUID: "1-2"}}}
	tree := guesttest.NewTree()
	const old, link = "/etc/systemd/system/dev-sda2.swap", "/etc/systemd/system/swap.target.wants/dev-sda2.swap"
	tree.Text(old, "[Swap]\nWhat=/dev/sda2\n")
	tree.Put(link, guest.File{Link: old, Mode: 0o777 | 1<<27})
	fixers := storageFixers(Options{FstabMode: FstabStabilizeAll})
	work, err := guest.NewWork(t.Context(), system, tree, fixers)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guest.Apply(t.Context(), tree, work.Changes, silent{}, time.Now); err != nil {
		t.Fatal(err)
	}
	const name = `dev-disk-by\x2duuid-1\x2d2.swap`
	want := []string{"/etc/systemd/system/" + name, "/etc/systemd/system/swap.target.wants/" + name}
	if got := tree.Files(); !slices.Equal(got, want) {
		t.Fatalf("files are %q, want %q", got, want)
	}
	if f, _ := tree.Get(want[0]); string(f.Data) != "[Swap]\nWhat=/dev/disk/by-uuid/1-2\n" {
		t.Errorf("the unit is %q", f.Data)
	}
	if f, _ := tree.Get(want[1]); f.Link != want[0] {
		t.Errorf("the link leads to %q", f.Link)
	}
	if again, err := guest.NewWork(t.Context(), system, tree, fixers); err != nil || len(again.Changes) > 0 {
		t.Errorf("the second run wants %v, %v", again.Changes, err)
	}
}
