package guestfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hyper2kvm/internal/guest"
)

// zoo are disks with a system each, as commands of guestfish make them. Drives 3 and 4 are one array.
const zooDisks = 6

func startZoo(t *testing.T, dir string, readOnly bool) *Session {
	t.Helper()
	o := Options{Dir: t.TempDir(), ReadOnly: readOnly, Log: func(l string) { t.Log(l) }}
	for i := range zooDisks {
		o.Drives = append(o.Drives, Drive{Path: filepath.Join(dir, fmt.Sprint(i)), Format: "raw"})
	}
	begin := time.Now()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("started in %v", time.Since(begin))
	t.Cleanup(s.Kill)
	return s
}

const zoo = `
part-init /dev/sda mbr
part-add /dev/sda p 2048 206847
part-add /dev/sda p 206848 -2048
mkfs ext4 /dev/sda1 label:BOOT
pvcreate /dev/sda2
vgcreate vg-0 /dev/sda2
lvcreate root-fs vg-0 120
lvcreate swap vg-0 20
mkfs ext4 /dev/vg-0/root-fs
mkswap /dev/vg-0/swap label:SW
pwrite-device /dev/vg-0/swap S1SUSPEND\x01 4086
mount /dev/vg-0/root-fs /
mkdir /boot
mount /dev/sda1 /boot
mkdir-p /etc/default
mkdir-p /usr/bin
mkdir-p /lib64
mkdir-p /lib/x86_64-linux-gnu
ln-s usr/bin /bin
write /etc/os-release "ID=debian\n"
write /etc/hostname "web1\n"
write /etc/fstab "# <file system>\n/dev/mapper/vg--0-root--fs / ext4 defaults 0 1\n/dev/sda1 /boot ext4 defaults 0 2\n/dev/vg-0/swap none swap sw 0 0\nUUID=dead /data ext4 defaults 0 0\n/dev/md/data /srv\\040x ext4 defaults 0 0\nnas:/x /nas nfs defaults 0 0\n"
mkdir /dev
mkdir /proc
mkdir /sys
mkdir /tmp
mkdir-p "/srv x"
umount-all
part-init /dev/sdb gpt
part-add /dev/sdb p 2048 43007
part-add /dev/sdb p 43008 -2048
part-set-gpt-type /dev/sdb 1 C12A7328-F81F-11D2-BA4B-00A0C93EC93B
part-set-name /dev/sdb 2 root-part
mkfs vfat /dev/sdb1 label:ESP
mkfs-btrfs /dev/sdb2 label:SUSE
mount /dev/sdb2 /
btrfs-subvolume-create /@
mkdir-p /@/.snapshots/1
btrfs-subvolume-create /@/.snapshots/1/snapshot
mkdir-p /@/.snapshots/2
btrfs-subvolume-create /@/.snapshots/2/snapshot
btrfs-subvolume-create /@/home
mkdir-p /@/.snapshots/1/snapshot/etc
mkdir-p /@/.snapshots/1/snapshot/bin
mkdir-p /@/.snapshots/1/snapshot/home
mkdir-p /@/.snapshots/1/snapshot/boot/efi
mkdir-p /@/.snapshots/2/snapshot/etc
mkdir-p /@/.snapshots/2/snapshot/bin
write /@/.snapshots/2/snapshot/etc/os-release "ID=old\n"
write /@/.snapshots/2/snapshot/etc/fstab "LABEL=SUSE / btrfs defaults 0 0\n"
write /@/.snapshots/1/snapshot/etc/os-release "ID=sles\n"
write /@/.snapshots/1/snapshot/etc/fstab "LABEL=SUSE / btrfs defaults 0 0\nLABEL=SUSE /home btrfs subvol=/@/home 0 0\nLABEL=ESP /boot/efi vfat defaults 0 0\n"
umount-all
part-disk /dev/sdc mbr
mkfs ntfs /dev/sdc1
mount /dev/sdc1 /
mkdir-p /Windows/System32
write /hiberfil.sys hibr0123
umount-all
md-create data "/dev/sdd /dev/sde" level:raid1
mkfs ext4 /dev/md127
part-disk /dev/sdf mbr
`

// build makes the zoo with the session's own means.
func build(t *testing.T, s *Session) {
	t.Helper()
	run := func(line string, input ...string) {
		if _, err := s.f.do(t.Context(), nil, line, input...); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	for line := range strings.Lines(zoo) {
		if line = strings.TrimSpace(line); line != "" {
			run(strings.ReplaceAll(line, `S1SUSPEND\x01`, `"S1SUSPEND\x01"`))
		}
	}
	run("mount /dev/sdb2 /")
	ids, err := s.call(t.Context(), "btrfs-subvolume-list", "/")
	if err != nil {
		t.Fatal(err)
	}
	structs, err := parseStructs(ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range structs {
		if f["btrfssubvolume_path"] == "@/.snapshots/1/snapshot" {
			run("btrfs-subvolume-set-default " + f["btrfssubvolume_id"] + " /")
		}
	}
	run("umount-all")
	run("luks-format /dev/sdf1 0", "sesame")
	run("cryptsetup-open /dev/sdf1 inner", "sesame")
	for _, line := range []string{
		"pvcreate /dev/mapper/inner", "vgcreate secret /dev/mapper/inner", "lvcreate root secret 40", "mkfs ext4 /dev/secret/root",
		"mount /dev/secret/root /", "mkdir /etc", "mkdir /bin", `write /etc/os-release "ID=fedora\n"`,
		`write /etc/fstab "/dev/mapper/secret-root / ext4 defaults 0 1\n"`, `write /etc/crypttab "cryptlvm /dev/sdf1 none luks\n"`, "umount-all",
	} {
		run(line)
	}
	// Programs of this host, with their libraries, stand for the guest's.
	run("mount /dev/vg-0/root-fs /")
	s.upload(t, "/usr/bin/sh", "/bin/sh")
	for _, p := range []string{"/usr/bin/env", "/usr/bin/tail", "/usr/bin/ls", "/usr/bin/cat", "/lib64/ld-linux-x86-64.so.2",
		"/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libselinux.so.1", "/lib/x86_64-linux-gnu/libpcre2-8.so.0"} {
		s.upload(t, p, p)
	}
	run("umount-all")
}

func (s *Session) upload(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Skip("SKIPPED: this host has no program to stand for a guest's: ", err)
	}
	if err := s.Write(t.Context(), to, guest.File{Data: b, Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
}

// waitGone waits until no process of a group is left but for those that nobody has waited for yet.
func waitGone(t *testing.T, group int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for alive(group) {
		if time.Now().After(deadline) {
			t.Fatalf("processes of group %d live on", group)
		}
	}
}

func alive(group int) bool {
	if syscall.Kill(-group, 0) != nil {
		return false
	}
	names, _ := filepath.Glob("/proc/[0-9]*")
	return slices.ContainsFunc(names, func(dir string) bool {
		b, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil || groupOf(dir) != group {
			return false
		}
		return !bytes.HasPrefix(bytes.TrimSpace(b[bytes.LastIndexByte(b, ')')+1:]), []byte("Z"))
	})
}
