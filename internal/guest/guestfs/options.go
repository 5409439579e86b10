package guestfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Options say what a Session works on.
type Options struct {
	Drives []Drive // all disks of one VM, in order
	KVM    bool    // false: the appliance runs in software (TCG)
	// MemoryMiB is the appliance's memory; 0 is what libguestfs thinks right (1280 in most builds).
	MemoryMiB int
	// ReadOnly keeps every drive from being written: what is written goes to an overlay of libguestfs and is lost.
	ReadOnly bool
	// Dir is a directory of the caller's, used for everything that the session puts on the host. The appliance that libguestfs keeps for
	// all sessions stays in the user's cache.
	Dir string
	// Log gets lines for people: what takes long, and that it still runs. nil is silence.
	Log func(string)
	// Program is guestfish; "" looks for it in PATH.
	Program string
	// Timeout bounds the start of the appliance; 0 is 5 minutes. Under TCG on a busy host a start takes half a minute.
	Timeout time.Duration
}

// Drive is one disk: a file of ours, written only there.
type Drive struct {
	Path     string
	Format   string // qcow2 or raw; libguestfs never guesses it from the content
	ReadOnly bool
}

// Limits of a Session.
const (
	startTimeout = 5 * time.Minute
	// maxDrives is how many disks the virtio-scsi controller of the appliance takes, one less for the appliance's own.
	maxDrives = 254
)

// check refuses what cannot be meant.
func (o Options) check() error {
	switch {
	case len(o.Drives) == 0:
		return fmt.Errorf("guestfs: no drives")
	case len(o.Drives) > maxDrives:
		return fmt.Errorf("guestfs: %d drives, at most %d can be attached", len(o.Drives), maxDrives)
	case !filepath.IsAbs(o.Dir):
		return fmt.Errorf("guestfs: the directory %q is not absolute", o.Dir)
	case o.MemoryMiB < 0:
		return fmt.Errorf("guestfs: %d MiB of memory", o.MemoryMiB)
	}
	for _, d := range o.Drives {
		if d.Format != "qcow2" && d.Format != "raw" {
			return fmt.Errorf("guestfs: drive %q: format %q is neither qcow2 nor raw", d.Path, d.Format)
		}
	}
	return nil
}

// environment is all that guestfish gets to know of ours.
func (o Options) environment() []string {
	env := []string{
		"LC_ALL=C", "HOME=" + o.Dir, "TMPDIR=" + o.Dir, "LIBGUESTFS_TMPDIR=" + o.Dir, "XDG_RUNTIME_DIR=" + o.Dir,
		"LIBGUESTFS_BACKEND=direct", "LIBGUESTFS_CACHEDIR=" + cacheDir(),
	}
	if !o.KVM {
		env = append(env, "LIBGUESTFS_BACKEND_SETTINGS=force_tcg")
	}
	if o.MemoryMiB > 0 {
		env = append(env, "LIBGUESTFS_MEMSIZE="+strconv.Itoa(o.MemoryMiB))
	}
	for _, name := range []string{"PATH", "LIBGUESTFS_PATH", "LIBGUESTFS_HV", "SUPERMIN_KERNEL", "SUPERMIN_KERNEL_VERSION", "SUPERMIN_MODULES"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// cacheDir is where libguestfs keeps the appliance between sessions. It follows TMPDIR, which is another one for guestfish, so it is
// stated.
func cacheDir() string {
	for _, name := range []string{"LIBGUESTFS_CACHEDIR", "TMPDIR"} {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return "/var/tmp"
}
