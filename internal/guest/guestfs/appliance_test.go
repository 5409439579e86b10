package guestfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hyper2kvm/internal/guest"
)

// needAppliance skips tests that start a real one.
func needAppliance(t *testing.T) {
	t.Helper()
	if os.Getenv("HYPER2KVM_GUESTS") != "1" {
		t.Skip("SKIPPED: starts a libguestfs appliance; set HYPER2KVM_GUESTS=1 to run it")
	}
	if _, err := Available(t.Context()); err != nil {
		t.Skip("SKIPPED: no libguestfs here: ", err)
	}
}

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

func TestApplianceZoo(t *testing.T) {
	needAppliance(t)
	dir := t.TempDir()
	for i := range zooDisks {
		size := int64(300 << 20)
		if i > 1 {
			size = 64 << 20
		}
		f, err := os.Create(filepath.Join(dir, strconv.Itoa(i)))
		if err == nil {
			err = errors.Join(f.Truncate(size), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s := startZoo(t, dir, false)
	build(t, s)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = startZoo(t, dir, false)
	t.Run("inspect", func(t *testing.T) { zooInspect(t, s) })
	t.Run("locked", func(t *testing.T) {
		in, err := s.Inspect(t.Context(), InspectOptions{BootDisk: 5})
		if err != nil || in.System.Root == "/dev/secret/root" {
			t.Errorf("without a key: %v %+v", err, in.System)
		}
		if !hasWarning(in.Warnings, "/dev/sdf1 is encrypted") {
			t.Errorf("no word of the locked volume: %v", in.Warnings)
		}
	})
	t.Run("open", func(t *testing.T) {
		in, err := s.Inspect(t.Context(), InspectOptions{BootDisk: 5, Keys: map[string]string{"/dev/sdf1": "sesame"}})
		if err != nil || in.System.Root != "/dev/secret/root" {
			t.Fatalf("with a key: %v %+v", err, in.System)
		}
		crypt := slices.IndexFunc(in.System.Volumes, func(v guest.Volume) bool { return slices.Contains(v.Names, "/dev/mapper/cryptlvm") })
		if crypt < 0 {
			t.Errorf("crypttab's name is none of the opened volume: %+v", in.System.Volumes)
		}
	})
	t.Run("change", func(t *testing.T) { zooChange(t, s) })
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	s = startZoo(t, dir, true)
	t.Run("again", func(t *testing.T) { zooAgain(t, s) })
}

func hasWarning(warnings []guest.Warning, text string) bool {
	return slices.ContainsFunc(warnings, func(w guest.Warning) bool { return strings.Contains(w.Message, text) })
}

func zooInspect(t *testing.T, s *Session) {
	begin := time.Now()
	in, err := s.Inspect(t.Context(), InspectOptions{BootDisk: 0})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("inspected in %v: %+v", time.Since(begin), in)
	sys := in.System
	if sys.Family != guest.FamilyLinux || sys.Root != "/dev/vg-0/root-fs" || !sys.Hibernated {
		t.Errorf("family %q, root %q, hibernated %v", sys.Family, sys.Root, sys.Hibernated)
	}
	if want := []string{"btrfsvol:/dev/sdb2/@/.snapshots/1/snapshot", "btrfsvol:/dev/sdb2/@/.snapshots/2/snapshot", "/dev/sdc1"}; !slices.Equal(sys.Roots, want) {
		t.Errorf("other roots %q, want %q", sys.Roots, want)
	}
	var points []string
	for _, m := range sys.Mounts {
		points = append(points, m.Point+" "+m.Device)
	}
	if want := []string{"/ /dev/vg-0/root-fs", "/boot /dev/sda1", "/srv x /dev/md127"}; !slices.Equal(points, want) {
		t.Errorf("mounts %q, want %q", points, want)
	}
	if !hasWarning(in.Warnings, "UUID=dead for /data") || !hasWarning(in.Warnings, "/dev/vg-0/swap holds a hibernated") {
		t.Errorf("warnings %v", in.Warnings)
	}
	v, _ := sys.VolumeByDevice("/dev/sdb2")
	if v.PartLabel != "root-part" || len(v.PartUUID) != 36 || v.Disk != 1 || v.Partition != 2 || v.Label != "SUSE" || v.UUID == "" {
		t.Errorf("volume %+v", v)
	}
	in, err = s.Inspect(t.Context(), InspectOptions{BootDisk: 1})
	if err != nil || in.System.Root != "/dev/sdb2" || in.System.Subvol != "@/.snapshots/1/snapshot" {
		t.Fatalf("btrfs: %v %+v", err, in.System)
	}
	if m := in.System.Mounts; len(m) != 3 || m[0].Options != "subvol=@/.snapshots/1/snapshot" || m[1].Options != "subvol=@/home" || m[2].Type != "vfat" {
		t.Errorf("btrfs mounts %+v", m)
	}
	if _, err := s.Mount(t.Context(), &in.System, false); err != nil {
		t.Error(err)
	}
	b, err := s.ReadFile(t.Context(), "/etc/os-release")
	if err != nil || string(b) != "ID=sles\n" {
		t.Errorf("%q %v", b, err)
	}
	if err := s.Write(t.Context(), "/etc/x", guest.File{Mode: 0o644}); err == nil {
		t.Error("a tree mounted read-only was written")
	}
	if err := s.Unmount(t.Context()); err != nil {
		t.Fatal(err)
	}
	in, err = s.Inspect(t.Context(), InspectOptions{BootDisk: 2})
	if err != nil || in.System.Family != guest.FamilyWindows || !in.System.Hibernated {
		t.Fatalf("windows: %v %+v", err, in.System)
	}
	if _, err := s.Mount(t.Context(), &in.System, true); !errors.Is(err, guest.ErrUnclean) {
		t.Errorf("a hibernated Windows was mounted for writing: %v", err)
	}
}

// hostile are names that a parser could trip over.
var hostile = []string{
	"a b", "-rf", "*", "[x]?", "q'q", `d"d`, `back\slash`, `end\`, `\'`, "new\nline", "tab\tx", "\x01\x7f\xff", "~root", "!sh", "#c", "|cat", "win:c", "é", "$(id)", "<!x", "}", "] = {",
}

func zooChange(t *testing.T, s *Session) {
	ctx := t.Context()
	in, err := s.Inspect(ctx, InspectOptions{BootDisk: 0})
	if err != nil {
		t.Fatal(err)
	}
	sys := in.System
	sys.Hibernated = false // on purpose: what is here is a test's
	if _, err := s.Mount(ctx, &sys, true); err != nil {
		t.Fatal(err)
	}
	for i, n := range hostile {
		f := guest.File{Data: []byte(n + "\n" + n), Mode: 0o640, UID: 7, GID: i}
		if err := s.Write(ctx, "/etc/h/"+n, f); err != nil {
			t.Fatalf("%q: %v", n, err)
		}
	}
	names, err := s.ReadDir(ctx, "/etc/h")
	if want := slices.Sorted(slices.Values(hostile)); err != nil || !slices.Equal(names, want) {
		t.Fatalf("%q %v", names, err)
	}
	for i, n := range hostile {
		info, err := s.Lstat(ctx, "/etc/h/"+n)
		if err != nil || info.Mode != 0o640 || info.UID != 7 || info.GID != i || info.Size != int64(2*len(n)+1) {
			t.Errorf("%q: %+v %v", n, info, err)
		}
		if b, err := s.ReadFile(ctx, "/etc/h/"+n); err != nil || string(b) != n+"\n"+n {
			t.Errorf("%q: %q %v", n, b, err)
		}
		if err := s.Remove(ctx, "/etc/h/"+n); err != nil {
			t.Errorf("%q: %v", n, err)
		}
	}
	if names, err := s.ReadDir(ctx, "/etc/h"); err != nil || len(names) != 0 {
		t.Errorf("left: %q %v", names, err)
	}
	if _, err := s.Stat(ctx, "/etc/none/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	big := bytes.Repeat([]byte("0123456789abcde\x00"), 5<<20/16)
	if err := s.Write(ctx, "/var/tmp/made", guest.File{Data: big, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(ctx, "/boot/initrd", guest.File{Data: []byte("old"), Mode: 0o640, GID: 5}); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(ctx, "/link", guest.File{Link: "boot/initrd", Mode: fs.ModeSymlink | 0o777}); err != nil {
		t.Fatal(err)
	}
	if err := s.Replace(ctx, "/link", "/var/tmp/made"); err != nil {
		t.Fatal(err)
	}
	if info, err := s.Lstat(ctx, "/boot/initrd"); err != nil || info.Mode != 0o640 || info.GID != 5 || info.Size != int64(len(big)) {
		t.Errorf("%+v %v", info, err)
	}
	if l, err := s.Readlink(ctx, "/link"); err != nil || l != "boot/initrd" {
		t.Errorf("%q %v", l, err)
	}
	c, err := s.Open(ctx, "/link")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	if err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes of %d, %v", len(got), len(big), err)
	}
	c.Close()
	if free, err := s.Free(ctx, "/boot/not/there"); err != nil || free <= 0 || free > 100<<20 {
		t.Errorf("free %d %v", free, err)
	}
	out, err := s.Run(ctx, guest.Command{Args: []string{"/bin/ls", "/boot", "/it's not there"}, Env: []string{"A=b c"}})
	if !errors.Is(err, guest.ErrCommand) || !strings.Contains(out, "initrd") || !strings.Contains(out, "it's not there") {
		t.Errorf("%q %v", out, err)
	}
	if out, err = s.Run(ctx, guest.Command{Args: []string{"/usr/bin/env"}, Env: []string{"A=b c'd\"e$x"}}); err != nil || !strings.Contains(out, "A=b c'd\"e$x\n") {
		t.Errorf("%q %v", out, err)
	}
	trimmed, err := s.Trim(ctx)
	if err != nil || len(trimmed) != 3 {
		t.Errorf("%v %v", trimmed, err)
	}
	var config int64
	begin := time.Now()
	for range 100 {
		info, err := s.Lstat(ctx, "/etc/fstab")
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.ReadFile(ctx, "/etc/fstab")
		if err != nil || int64(len(b)) != info.Size {
			t.Fatal(err)
		}
		config += info.Size
	}
	t.Logf("100 times Lstat and ReadFile of %d bytes: %v", config/100, time.Since(begin))
}

func zooAgain(t *testing.T, s *Session) {
	in, err := s.Inspect(t.Context(), InspectOptions{BootDisk: 0})
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Check(t.Context(), in.System)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Logf("%+v", f)
		if f.Checked && !f.Clean {
			t.Errorf("%+v", f)
		}
	}
	if _, err := s.Mount(t.Context(), &in.System, false); err != nil {
		t.Fatal(err)
	}
	if l, err := s.Readlink(t.Context(), "/link"); err != nil || l != "boot/initrd" {
		t.Errorf("what was written before Close is not on the drives: %q %v", l, err)
	}
	// Somebody kills everything; no process may be left, and the next call must say what happened.
	group := s.f.cmd.Process.Pid
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.f.do(ctx, nil, "sync"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if s.sockets == "" {
		t.Error("the directory of the sockets was not found")
	}
	s.Kill()
	if _, err := s.Lstat(t.Context(), "/x"); !errors.Is(err, guest.ErrAppliance) {
		t.Errorf("after Kill: %v", err)
	}
	if _, err := os.Stat(s.sockets); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", s.sockets, err)
	}
	waitGone(t, group)
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
