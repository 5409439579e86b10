package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// scratchPrefix begins the names of the directories for temporary files of jobs.
const scratchPrefix = "h2k-job-"

// scratch makes the directory for the temporary files of one run of a child. Sockets stand in it, whose paths have to be short, so it is
// among the temporary files of the host; the daemon removes it, whatever became of the child. As long as the daemon lives it holds a lock
// on it, which tells it apart from what a killed daemon left.
func scratch() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", scratchPrefix)
	if err != nil {
		return "", nil, err
	}
	f, err := lockDir(dir)
	if err != nil {
		_ = os.Remove(dir) // nothing is in it
		return "", nil, err
	}
	return dir, func() { _ = os.RemoveAll(dir); f.Close() }, nil
}

// lockDir locks a directory that nobody else has locked.
func lockDir(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = unix.Close(fd) // it was only to be locked
		return nil, &os.PathError{Op: "lock", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// leftAfter is how old something must be to be taken for a leftover: what is just being made has no lock and no process yet.
const leftAfter = time.Minute

// sweep removes what killed jobs left on the host.
func (d *Daemon) sweep() {
	sweepScratch(os.TempDir(), d.clock())
	if os.Geteuid() == 0 {
		sweepSockets(rootSocketDir, d.clock())
	}
}

// sweepScratch removes directories of jobs that no daemon has locked.
func sweepScratch(temp string, now time.Time) {
	for _, dir := range leftovers(temp, scratchPrefix+"*", now) {
		if f, err := lockDir(dir); err == nil {
			_ = os.RemoveAll(dir)
			f.Close()
		}
	}
}

// sweepSockets removes the directories in which libguestfs had the sockets of appliances that are gone: those that stand in no command
// line of a process. Only sockets in them are removed.
func sweepSockets(temp string, now time.Time) {
	dirs := leftovers(temp, "libguestfs[A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9][A-Za-z0-9]", now)
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

// leftovers lists directories of ours that have not just been made.
func leftovers(temp, pattern string, now time.Time) []string {
	dirs, _ := filepath.Glob(filepath.Join(temp, pattern)) // the patterns are right
	return slices.DeleteFunc(dirs, func(dir string) bool {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || now.Sub(info.ModTime()) < leftAfter {
			return true
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		return !ok || int(st.Uid) != os.Geteuid()
	})
}
