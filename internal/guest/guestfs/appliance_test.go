package guestfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
		if _, err := s.Inspect(t.Context(), InspectOptions{BootDisk: 5}); !errors.Is(err, guest.ErrEncrypted) || !strings.Contains(err.Error(), "/dev/sdf1") {
			t.Errorf("without a key: %v", err)
		}
		in, err := s.Inspect(t.Context(), InspectOptions{BootDisk: -1, Keys: map[string]string{"": "wrong"}})
		if err != nil || !hasWarning(in.Warnings, "/dev/sdf1 is encrypted") {
			t.Errorf("no word of the locked volume: %v %v", err, in.Warnings)
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
	t.Helper()
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
	volumes, err := s.list(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(volumes, func(v volume) bool { return v.Device == "/dev/sdc1" })
	if dirty, why, err := s.dirty(t.Context(), volumes[at]); dirty || err != nil {
		t.Errorf("a clean NTFS is dirty: %s %v", why, err)
	}
	if _, err := s.Mount(t.Context(), &in.System, true); !errors.Is(err, guest.ErrUnclean) {
		t.Errorf("a hibernated Windows was mounted for writing: %v", err)
	}
	for _, step := range [][]string{
		{"mount-options", "remove_hiberfile", "/dev/sdc1", "/"},
		{"umount-all"},
		{"debug", "sh", "ntfsfix " + volumes[at].kernel() + " 2>&1"}, // it asks Windows to check the volume
	} {
		if out, err := s.call(t.Context(), step[0], step[1:]...); err != nil {
			t.Fatalf("%q: %s %v", step, out, err)
		}
	}
	if dirty, _, err := s.dirty(t.Context(), volumes[at]); !dirty || err != nil {
		t.Errorf("a dirty NTFS was not noticed: %v", err)
	}
}

// hostile are names that a parser could trip over.
var hostile = []string{
	"a b", "-rf", "*", "[x]?", "q'q", `d"d`, `back\slash`, `end\`, `\'`, "new\nline", "tab\tx", "\x01\x7f\xff", "~root", "!sh", "#c", "|cat", "win:c", "é", "$(id)", "<!x", "}", "] = {",
}

func zooChange(t *testing.T, s *Session) {
	t.Helper()
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
	t.Helper()
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
