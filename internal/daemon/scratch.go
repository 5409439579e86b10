package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"time"

	"hyper2kvm/internal/scratch"
)

// scratchPrefix begins the names of the directories for temporary files of jobs.
const scratchPrefix = "h2k-job-"

// newScratch makes the directory for the temporary files of one run of a child. Sockets stand in it, whose paths have to be short, so it is
// among the temporary files of the host; the daemon removes it, whatever became of the child.
func newScratch() (dir string, remove func(), err error) {
	dir, drop, err := scratch.New(scratchPrefix)
	return dir, func() { _ = drop() }, err // what cannot be removed now is swept later
}

// sweep removes what killed jobs left on the host.
func (d *Daemon) sweep() {
	if d.unswept {
		return
	}
	scratch.Sweep(os.TempDir(), scratchPrefix, d.clock())
	if os.Geteuid() == 0 {
		sweepSockets(rootSocketDir, d.clock())
	}
}

// sweepSockets removes the directories in which libguestfs had the sockets of appliances that are gone: those that stand in no command
// line of a process. Only sockets in them are removed.
func sweepSockets(temp string, now time.Time) {
	dirs := scratch.Leftovers(temp, "libguestfs[A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9]", now)
	if len(dirs) == 0 {
		return
	}
	var lines []byte
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is right
	for _, name := range names {
		b, _ := os.ReadFile(name) // a process that has ended uses nothing
		lines = append(append(lines, b...), 0)
	}
	for _, dir := range dirs {
		if bytes.Contains(lines, []byte(dir+"/")) {
			continue
		}
		for _, name := range []string{"guestfsd.sock", "console.sock"} {
			path := filepath.Join(dir, name)
			if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
				_ = os.Remove(path)
			}
		}
		_ = os.Remove(dir) // unless something else is in it
	}
}
