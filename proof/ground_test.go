package proof_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/proof/cutdisk"
)

// fileSystem is one on which power cuts are tried.
type fileSystem struct {
	name   string
	kind   string // of mount(2)
	size   int64  // bytes of a disk
	sector int64  // bytes that the disk writes as one: ext4 and btrfs need their superblock whole, xfs each block of metadata
	mkfs   []string
	opts   string
	split  bool // the output is on a disk of its own
}

const mib = 1 << 20

// fileSystems are the ones in the table. Two disks show what one hides: there, syncing a record also syncs the output's directory.
var fileSystems = []fileSystem{
	{name: "ext4", kind: "ext4", size: 64 * mib, sector: 1024, opts: "",
		mkfs: []string{"mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", "-J", "size=4"}},
	{name: "xfs", kind: "xfs", size: 320 * mib, sector: 4096, opts: "nouuid", mkfs: []string{"mkfs.xfs", "-q", "-f", "-K"}},
	{name: "btrfs", kind: "btrfs", size: 160 * mib, sector: 4096, opts: "nodiscard", mkfs: []string{"mkfs.btrfs", "-q", "-f", "-K", "-m", "single"}},
	{name: "ext4, two disks", kind: "ext4", size: 64 * mib, sector: 1024, opts: "", split: true,
		mkfs: []string{"mkfs.ext4", "-q", "-F", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", "-J", "size=4"}},
	{name: "xfs, two disks", kind: "xfs", size: 320 * mib, sector: 4096, opts: "nouuid", split: true, mkfs: []string{"mkfs.xfs", "-q", "-f", "-K"}},
}

// disks is how many disks lose their power together.
func (f fileSystem) disks() int {
	if f.split {
		return 2
	}
	return 1
}

// server mounts the file system of disks, or skips the test and says what is missing.
func server(t *testing.T) *cutdisk.Server {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: power cuts need root, to mount what a cut left")
	}
	for _, dev := range []string{"/dev/fuse", "/dev/loop-control"} {
		if _, err := os.Stat(dev); err != nil {
			t.Skipf("SKIPPED: power cuts need FUSE and loop devices: %v", err)
		}
	}
	binDir(t)
	if err := cutdisk.Sweep(os.TempDir()); err != nil {
		t.Logf("what a killed run left: %v", err)
	}
	dir := t.TempDir()
	s, err := cutdisk.Serve(dir)
	if err != nil {
		t.Skipf("SKIPPED: power cuts need FUSE: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("unmount the disks: %v", err)
		}
	})
	return s
}

// rig is a place where disks are shown to the kernel and mounted: W is on the first, OUT on the last.
type rig struct {
	srv   *cutdisk.Server
	fs    fileSystem
	slots []*cutdisk.Slot
	dirs  []string
	conf  string // the daemon's configuration
}

// newRigs prepares loop devices for n rigs that mount in the same places, because records hold absolute paths: all but one at a time do so
// in a mount namespace of their own.
func newRigs(t *testing.T, srv *cutdisk.Server, f fileSystem, n int) []*rig {
	t.Helper()
	var dirs []string
	for range f.disks() {
		dirs = append(dirs, t.TempDir())
	}
	rigs := make([]*rig, n)
	for i := range rigs {
		rigs[i] = newRig(t, srv, f, dirs)
	}
	return rigs
}

// ownMounts gives the calling goroutine, and the programs that it starts, a mount namespace that goes when the goroutine ends.
func ownMounts(srv *cutdisk.Server) error {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	return srv.Leave()
}

// missing says what a file system needs that is not here.
func (f fileSystem) missing() string {
	if _, err := exec.LookPath(f.mkfs[0]); err != nil {
		return err.Error()
	}
	for _, load := range []bool{true, false} {
		b, err := os.ReadFile("/proc/filesystems")
		if err != nil || slices.Contains(strings.Fields(string(b)), f.kind) {
			return ""
		}
		if load {
			_ = exec.Command("modprobe", f.kind).Run() // what is not built in may be a module
		}
	}
	return "the kernel has no " + f.kind
}

func newRig(t *testing.T, srv *cutdisk.Server, f fileSystem, dirs []string) *rig {
	t.Helper()
	if missing := f.missing(); missing != "" {
		t.Skipf("SKIPPED: %s: %s", f.name, missing)
	}
	r := &rig{fs: f, srv: srv, dirs: dirs, conf: filepath.Join(t.TempDir(), "daemon.yaml")}
	for range f.disks() {
		slot, err := srv.NewSlot(f.size, f.sector)
		if err != nil {
			t.Skipf("SKIPPED: power cuts need loop devices: %v", err)
		}
		t.Cleanup(func() { slot.Close() })
		r.slots = append(r.slots, slot)
	}
	conf := fmt.Sprintf("workflow_dir: %s\noutput_dir: %s\nsettle: 0.05\nstop_timeout: 20\nmax_concurrent_jobs: 2\nout_format: qcow2\nlog_level: debug\n", r.w(), r.out())
	if err := os.WriteFile(r.conf, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, dir := range r.dirs {
			_ = unix.Unmount(dir, unix.MNT_DETACH) // what a failed test left
		}
	})
	return r
}

func (r *rig) w() string   { return filepath.Join(r.dirs[0], "w") }
func (r *rig) out() string { return filepath.Join(r.dirs[len(r.dirs)-1], "out") }

// format makes empty file systems.
func (r *rig) format() error {
	for _, slot := range r.slots {
		if err := slot.Load(cutdisk.NewImage(r.fs.size), nil, 0); err != nil {
			return err
		}
		if out, err := exec.Command(r.fs.mkfs[0], append(r.fs.mkfs[1:], slot.Path())...).CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", r.fs.mkfs, err, out)
		}
	}
	return nil
}

// load shows images to the kernel.
func (r *rig) load(images []*cutdisk.Image, j *cutdisk.Journal) error {
	for i, slot := range r.slots {
		if err := slot.Load(images[i], j, i); err != nil {
			return err
		}
	}
	return nil
}

// images are copies of what the disks hold.
func (r *rig) images() []*cutdisk.Image {
	var all []*cutdisk.Image
	for _, slot := range r.slots {
		all = append(all, slot.Image())
	}
	return all
}

// mount mounts the disks; what it replays is the file system's own recovery.
func (r *rig) mount() error {
	for i, slot := range r.slots {
		if err := unix.Mount(slot.Path(), r.dirs[i], r.fs.kind, 0, r.fs.opts); err != nil {
			for _, dir := range r.dirs[:i] {
				err = fmt.Errorf("%w %w", err, unix.Unmount(dir, 0))
			}
			return fmt.Errorf("mount %s: %w", r.fs.name, err)
		}
	}
	return nil
}

// busyTries and busyWait bound how long an unmount is tried again: a program that is being started elsewhere holds all open files of this
// process for a moment.
const (
	busyTries = 100
	busyWait  = 20 * time.Millisecond
)

// unmount unmounts the disks.
func (r *rig) unmount() error {
	for _, dir := range r.dirs {
		err := unix.Unmount(dir, 0)
		for range busyTries {
			if !errors.Is(err, unix.EBUSY) {
				break
			}
			time.Sleep(busyWait)
			err = unix.Unmount(dir, 0)
		}
		if err != nil {
			return fmt.Errorf("unmount %s: %w", dir, err)
		}
	}
	return nil
}
