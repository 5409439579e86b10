package convert

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guestfs"
	"hyper2kvm/internal/guest/guesttest"
	"hyper2kvm/internal/manifest"
)

// fakeGuests opens a tree in memory in the place of a guest. What it "writes" to a drive is done with qemu-io, through the NBD export and
// the overlay, as the appliance does it.
type fakeGuests struct {
	t       *testing.T
	tree    *guesttest.Tree
	system  guest.System
	inspect error
	planted error // of writing the marker
	boot    BootResult
	bootErr error
	booted  []BootTest
	opened  []ApplianceOptions
	write   string // qemu-io command on the first drive when it is closed
}

func (f *fakeGuests) Missing(context.Context) (repairs, boot string) { return "", "" }

func (f *fakeGuests) Open(_ context.Context, o ApplianceOptions) (Appliance, error) {
	f.opened = append(f.opened, o)
	return &fakeAppliance{Tree: f.tree, f: f, o: o}, nil
}

func (f *fakeGuests) Marker(line, _ string) (map[string]guest.File, error) {
	return map[string]guest.File{"/etc/marker": {Data: []byte(line), Mode: 0o644}}, f.planted
}

func (f *fakeGuests) Boot(_ context.Context, b BootTest) (BootResult, error) {
	f.booted = append(f.booted, b)
	if err := os.WriteFile(filepath.Join(b.Dir, "serial.log"), []byte(b.Marker), 0o640); err != nil {
		return BootResult{}, err
	}
	r := f.boot
	r.SerialLog = "serial.log"
	return r, f.bootErr
}

type fakeAppliance struct {
	*guesttest.Tree
	f *fakeGuests
	o ApplianceOptions
}

func (a *fakeAppliance) Inspect(context.Context, map[string]string, int) (guest.System, []guest.Warning, error) {
	return a.f.system, nil, a.f.inspect
}

func (a *fakeAppliance) Mount(context.Context, *guest.System, bool) ([]guest.Warning, error) {
	return nil, nil
}

func (a *fakeAppliance) Unmount(context.Context) error { return nil }

func (a *fakeAppliance) Label(context.Context, []string) ([]guest.Warning, error) { return nil, nil }

func (a *fakeAppliance) Trim(context.Context) ([]guest.Warning, error) { return nil, nil }

func (a *fakeAppliance) Check(context.Context, guest.System) ([]guest.Warning, error) {
	return nil, nil
}

func (a *fakeAppliance) Close(ctx context.Context) error {
	if err := ctx.Err(); err != nil || a.f.write == "" || len(a.f.opened) > 1 {
		return err
	}
	out, err := exec.CommandContext(ctx, "qemu-io", "-f", "qcow2", "-c", a.f.write, a.o.Drives[0]).CombinedOutput()
	if err != nil || strings.Contains(string(out), "failed") {
		return errors.Join(err, errors.New(string(out)))
	}
	return nil
}

// swapDisk is a disk of a megabyte with a file system on it: enough for the native look to see that a guest may be there.
func ext4Disk() []byte {
	b := make([]byte, 1<<20)
	sb := b[1024:]
	binary.LittleEndian.PutUint16(sb[0x38:], 0xef53) // s_magic
	binary.LittleEndian.PutUint32(sb[0x04:], 256)    // s_blocks_count_lo
	binary.LittleEndian.PutUint32(sb[0x18:], 2)      // s_log_block_size: 4 KiB
	binary.LittleEndian.PutUint32(sb[0x60:], 0x40)   // s_feature_incompat: extents
	binary.LittleEndian.PutUint32(sb[0x4c:], 1)      // s_rev_level
	copy(sb[0x68:], "0123456789abcdef")              // s_uuid
	for i := range b[8192:] {
		b[8192+i] = byte(i >> 8)
	}
	return b
}

func guestBench(t *testing.T) (*bench, *fakeGuests) {
	t.Helper()
	if _, err := exec.LookPath("qemu-io"); err != nil {
		t.Skip("SKIPPED: qemu-io is not installed: make test installs it")
	}
	b := newBench(t)
	b.write("web01.img", ext4Disk())
	b.req.Entry = "web01.img"
	b.req.Job.Source.Disks = []manifest.SourceDisk{{Path: "web01.img"}}
	tree := guesttest.NewTree()
	tree.Text("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n")
	tree.Text("/etc/fstab", "/dev/sda1 / ext4 errors=remount-ro 0 1\n")
	f := &fakeGuests{t: t, tree: tree, boot: BootResult{Passed: true, Why: "the marker was printed", Took: time.Second}, system: guest.System{
		Family: guest.FamilyLinux, Root: "/dev/sda1",
		Volumes: []guest.Volume{{Device: "/dev/sda1", Disk: 0, Partition: 1, Type: "ext4", UUID: "30313233-3435-3637-3839-616263646566"}},
		Mounts:  []guest.Mount{{Point: "/", Device: "/dev/sda1", Type: "ext4", Free: 1 << 30}},
	}}
	b.options.Guests = f
	return b, f
}

func TestRepairsReachTheOutput(t *testing.T) {
	b, f := guestBench(t)
	f.write = "write -P 0x5a 512k 4k"
	b.req.Job.Check.BootTest = true
	report, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Stages[2].Status != manifest.StageDone {
		t.Errorf("fix is %+v", report.Stages[2])
	}
	if report.BootTest == nil || !report.BootTest.Passed || len(f.booted) != 1 {
		t.Errorf("boot test %+v, booted %+v", report.BootTest, f.booted)
	}
	raw := filepath.Join(t.TempDir(), "out.raw")
	out, err := exec.CommandContext(t.Context(), "qemu-img", "convert", "-O", "raw", filepath.Join(b.req.Partial, "web01.qcow2"), raw).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	want := ext4Disk()
	for i := range 4096 {
		want[512<<10+i] = 0x5a
	}
	if !slices.Equal(got, want) {
		t.Error("the output is not the source with what the appliance wrote")
	}
	for _, name := range []string{guestDir} {
		if _, err := os.Stat(filepath.Join(b.req.Partial, name)); err == nil {
			t.Errorf("%s became part of the result", name)
		}
	}
	if got := commandWords(report); got != "guestfish ok, guestfish ok, qemu-system-x86_64 ok" {
		t.Errorf("the programs that ran are %s", got)
	}
	if len(f.opened) != 2 {
		t.Errorf("%d appliances were opened, want one for the source and one for the result", len(f.opened))
	}
	if len(report.Repairs) == 0 {
		t.Log("no repairs are reported: the fixers found nothing")
		return
	}
	wantUndo(t, filepath.Join(b.req.Partial, report.Undo), "etc/fstab", "/dev/sda1 / ext4 errors=remount-ro 0 1\n")
}

// commandWords are the external programs of a report by name, and whether they failed.
func commandWords(r manifest.Report) string {
	var words []string
	for _, c := range r.Commands {
		word := c.Name + " ok"
		if c.Failed != "" {
			word = c.Name + " failed"
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func wantUndo(t *testing.T, path, name, content string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("%s is not in the undo data: %v", name, err)
		}
		if h.Name == name {
			if b, err := io.ReadAll(r); err != nil || string(b) != content {
				t.Errorf("%s was %q, %v", name, b, err)
			}
			return
		}
	}
}

func TestDryRunChangesNothingInTheGuest(t *testing.T) {
	b, f := guestBench(t)
	b.req.Job.DryRun = true
	before := f.tree.Clone()
	if _, err := b.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range before.Files() {
		had, _ := before.Get(name)
		is, _ := f.tree.Get(name)
		if string(had.Data) != string(is.Data) {
			t.Errorf("%s was changed", name)
		}
	}
}

func TestGuestThatCannotBeOpened(t *testing.T) {
	for _, tc := range []struct {
		name  string
		err   error
		asked bool
		code  string
	}{
		{"encrypted by default", guest.ErrEncrypted, false, manifest.CodeGuestEncrypted},
		{"encrypted and asked", guest.ErrEncrypted, true, manifest.CodeGuestEncrypted},
		{"data disk", guest.ErrNoSystem, true, manifest.CodeGuestUnknown},
		{"appliance by default", guest.ErrAppliance, false, manifest.CodeGuestAppliance},
		{"appliance and asked", guest.ErrAppliance, true, manifest.CodeGuestAppliance},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, f := guestBench(t)
			f.inspect = tc.err
			if tc.asked {
				b.req.Job.Asked = manifest.Asked{"fix.grub": true}
			}
			report, err := b.run(t.Context())
			if got, died := commandWords(report), errors.Is(tc.err, guest.ErrAppliance); strings.Contains(got, "failed") != died || !strings.Contains(got, "guestfish") {
				t.Errorf("the programs that ran are %s", got)
			}
			if fails := tc.asked && !errors.Is(tc.err, guest.ErrNoSystem); fails {
				if err == nil || report.Error.Code != tc.code {
					t.Errorf("got %v, want a failure with %s", err, tc.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(report.Warnings, func(w manifest.Warning) bool { return w.Code == tc.code }) {
				t.Errorf("no warning %s in %+v", tc.code, report.Warnings)
			}
			if report.Stages[2].Status != manifest.StageSkipped {
				t.Errorf("fix is %+v", report.Stages[2])
			}
		})
	}
}

func TestHibernatedGuestIsNamedBeforeAnyWork(t *testing.T) {
	b, f := guestBench(t)
	f.system.Hibernated = true
	b.req.Job.Asked = manifest.Asked{"fix.grub": true}
	report, err := b.run(t.Context())
	if err == nil || report.Error.Code != manifest.CodeGuestUnclean || report.Error.Stage != StageInspect {
		t.Errorf("got %v, %+v", err, report.Error)
	}
}

// TestNoRoomForOverlays fails the start of a session before there is anything to be ended.
func TestNoRoomForOverlays(t *testing.T) {
	b, _ := guestBench(t)
	if err := os.WriteFile(filepath.Join(b.req.Partial, guestDir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := b.run(t.Context())
	if err == nil || report.Error.Code != manifest.CodeOutputWrite {
		t.Errorf("got %v, %+v", err, report.Error)
	}
}

// TestReportsStayReadable whatever a guest holds: the report of a run must fit into one message to the daemon.
func TestReportsStayReadable(t *testing.T) {
	r := &Run{Events: &recorder{}, Clock: testClock()}
	for range 100 {
		r.reportRepair(guest.Done{Change: guest.Change{Path: "/etc/x", After: &guest.File{Data: bytes.Repeat([]byte("\x01\n"), 40<<10)}}})
	}
	r.warnGuest(make([]guest.Warning, 100_000))
	b, err := json.Marshal(r.report(time.Time{}, nil, nil))
	if most := 16 << 20; err == nil && len(b) > most { // daemon.MaxMessage
		err = fmt.Errorf("it has %d bytes", len(b))
	}
	if err != nil || len(r.Repairs) != 100 || len(r.Warnings) != maxGuestWarnings+1 {
		t.Errorf("%v; %d repairs, %d warnings", err, len(r.Repairs), len(r.Warnings))
	}
	if first, last := r.Repairs[0].Diff, r.Repairs[99].Diff; !strings.HasPrefix(first, "--- ") || !strings.HasPrefix(last, "left out") {
		t.Errorf("the first diff is %.20q, the last %.20q", first, last)
	}
}

// TestPlannedChangesAreTheOnesMade: a dry run reports what a real one does, the guest agent included.
func TestPlannedChangesAreTheOnesMade(t *testing.T) {
	packages := t.TempDir()
	for _, name := range []string{"qemu-guest-agent_1_amd64.deb", "qemu-guest-agent-1.x86_64.rpm"} {
		if err := os.WriteFile(filepath.Join(packages, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var reports [2][]manifest.Repair
	for i, dry := range []bool{true, false} {
		b, f := guestBench(t)
		b.req.Guest.AgentPackages, b.req.Job.DryRun = packages, dry
		f.system.Packages = "dpkg"
		f.tree.Text("/usr/bin/dpkg", "")
		f.tree.Text("/var/lib/dpkg/status", "Package: base-files\nStatus: install ok installed\nVersion: 1\n\n")
		f.tree.OnRun = func(tree *guesttest.Tree, c guest.Command) (string, error) {
			tree.Text("/usr/sbin/qemu-ga", "")
			return "", nil
		}
		before := f.tree.Files()
		report, err := b.run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if dry && !slices.Equal(f.tree.Files(), before) {
			t.Errorf("a dry run leaves %q", f.tree.Files())
		}
		for n := range report.Repairs {
			report.Repairs[n].Seconds = 0
		}
		reports[i] = report.Repairs
	}
	agent := slices.ContainsFunc(reports[0], func(r manifest.Repair) bool {
		return len(r.Command) > 1 && strings.HasSuffix(r.Command[len(r.Command)-1], "agent_1_amd64.deb")
	})
	if !reflect.DeepEqual(reports[0], reports[1]) || !agent {
		t.Errorf("planned %+v\nmade    %+v", reports[0], reports[1])
	}
}

// TestFaults keeps quiet only about what was checked and is clean.
func TestFaults(t *testing.T) {
	got := faults([]guestfs.Finding{
		{Device: "/dev/sda1", Type: "ext4", Tool: "e2fsck", Checked: true, Clean: true},
		{Device: "/dev/sda2", Type: "ext4", Tool: "e2fsck", Checked: true, Detail: "bad\nblocks"},
		{Device: "/dev/sda3", Type: "xfs", Tool: "xfs_repair", Detail: "the appliance has no xfs_repair"},
	})
	if len(got) != 2 || got[0].Message != `e2fsck finds faults in /dev/sda2 (ext4): bad\nblocks` || !strings.Contains(got[1].Message, "/dev/sda3 (xfs) was not checked") {
		t.Errorf("%+v", got)
	}
}

// TestHibernatedGuestByDefault is converted as it is, and is not held against what nobody could read of it.
func TestHibernatedGuestByDefault(t *testing.T) {
	b, f := guestBench(t)
	f.system.Hibernated = true
	b.req.Job.Check.BootTest = true
	report, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{manifest.CodeGuestUnclean, manifest.CodeBootUnavailable} {
		if !slices.ContainsFunc(report.Warnings, func(w manifest.Warning) bool { return w.Code == code }) {
			t.Errorf("no warning %s in %+v", code, report.Warnings)
		}
	}
	if len(f.opened) != 1 || len(f.booted) != 0 {
		t.Errorf("%d appliances and %d VMs were started", len(f.opened), len(f.booted))
	}
}
