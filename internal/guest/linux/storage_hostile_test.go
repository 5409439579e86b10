package linux

import (
	"bytes"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
)

// everything asks for all repairs of disk names and boot loaders.
func everything() []guest.Fixer {
	o := Options{FstabMode: FstabStabilizeAll, BootLoader: true, SerialConsole: true}
	return slices.Concat(storageFixers(o), bootFixers(o))
}

func TestHostileTrees(t *testing.T) {
	uefi := fuzzSystem()
	uefi.Firmware = guest.FirmwareUEFI
	link := func(to string) guest.File { return guest.File{Link: to, Mode: fs.ModeSymlink | 0o777} }
	tests := []struct {
		name string
		fill func(tree *guesttest.Tree)
		warn string // part of a warning that must be there; "" = none is needed
	}{
		{"links in a circle", func(tree *guesttest.Tree) {
			tree.Put("/etc/fstab", link("fstab"))
			tree.Put("/boot", link("/boot/boot"))
			tree.Put("/etc/systemd/system", link("../systemd/system"))
		}, ""},
		{"directories where files should be", func(tree *guesttest.Tree) {
			for _, name := range []string{"/etc/fstab", "/etc/crypttab", "/boot/grub/grub.cfg", "/boot/grub2/grubenv", debconfFile, "/etc/default/grub", "/boot/efi/EFI/debian/grubx64.efi"} {
				tree.Mkdir(name)
			}
		}, "no loader"},
		{"files where directories should be", func(tree *guesttest.Tree) {
			for _, name := range []string{"/boot/loader", "/boot/efi", "/etc/default", "/etc/systemd", "/etc/grub.d", "/var/cache"} {
				tree.Text(name, "x")
			}
		}, ""},
		{"a table that is too large", func(tree *guesttest.Tree) {
			tree.Put("/etc/fstab", guest.File{Data: make([]byte, guest.MaxConfig+1), Mode: 0o644})
		}, "larger than a configuration file"},
		{"nothing but line ends", func(tree *guesttest.Tree) {
			for _, name := range []string{"/etc/default/grub", "/boot/grub/grub.cfg", "/etc/fstab"} {
				tree.Put(name, guest.File{Data: bytes.Repeat([]byte("\n"), 1<<18), Mode: 0o644})
			}
		}, ""},
		{"more lost devices than anyone reads", func(tree *guesttest.Tree) {
			tree.Text("/etc/fstab", strings.Repeat("/dev/sdz1 /a ext4 defaults 0 0\n", 5000))
		}, "there is more of this kind"},
		{"more paths than disks can be", func(tree *guesttest.Tree) {
			var b strings.Builder
			for i := range 2 * maxAliases {
				b.WriteString("/dev/disk/by-path/pci-" + strings.Repeat("0", i+1) + "-part1 /a ext4 defaults 0 0\n")
			}
			tree.Text("/etc/fstab", b.String())
		}, "cannot be told"},
		{"a loader without end", func(tree *guesttest.Tree) {
			tree.Put("/boot/efi/EFI/a/grubx64.efi", guest.File{Data: make([]byte, maxLoader+1), Mode: 0o644})
		}, "limit exceeded"},
		{"a vendor whose name would be a command", func(tree *guesttest.Tree) {
			tree.Text("/boot/efi/EFI/a\nreboot/grubx64.efi", "MZ")
			tree.Text("/boot/efi/EFI/a\nreboot/grub.cfg", "menuentry x {\n}\n")
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := guesttest.NewTree()
			tt.fill(tree)
			before := tree.Clone()
			work, err := guest.NewWork(t.Context(), uefi, tree, everything())
			if err != nil {
				t.Fatal(err)
			}
			if tt.warn != "" && !slices.ContainsFunc(work.Warnings, func(w guest.Warning) bool { return strings.Contains(w.Message, tt.warn) }) {
				t.Errorf("no warning says %q: %d others, such as %+v", tt.warn, len(work.Warnings), work.Warnings[:min(3, len(work.Warnings))])
			}
			for _, c := range work.Changes {
				if _, there := before.Get(c.Path); there && c.Path != "/etc/default/grub" {
					t.Errorf("%s is to change: %s", c.Path, c.Why)
				}
				if strings.Contains(string(c.After.Data), "reboot") {
					t.Errorf("%s becomes %q", c.Path, c.After.Data)
				}
			}
		})
	}
}

// hostileIDs come from the disk: none of them may become a second argument of a kernel or a second field of a table.
func TestHostileIDs(t *testing.T) {
	for _, id := range []string{"a b", "a\tb", "a\nroot=/x", `a"b`, "a'b", "a$(reboot)", "a;b", "a\\b", "a/b", "#", "", "a\x00b", "ä"} {
		d := devices{system: guest.System{Volumes: []guest.Volume{{Device: "/dev/sda1", Partition: 1, Type: "ext4", UUID: id, PartUUID: id}}}}
		for _, form := range []idForm{{}, {path: true}} {
			if text, ok := d.write(d.system.Volumes[0], form); ok {
				t.Errorf("%q is written as %q", id, text)
			}
		}
		if text, ok := d.write(d.system.Volumes[0], idForm{blank: true}); ok && len(strings.Fields(text)) != 1 {
			t.Errorf("%q is written as %q", id, text)
		}
	}
}
