package sandbox

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Policy names what a process may use from now on, by absolute paths. A directory stands for all that is in it, then or later. What
// is not there is passed over. Symbolic links are followed now; a link met later counts by where it leads.
type Policy struct {
	Programs []string // read, listed and executed
	Read     []string // read and listed
	Write    []string // everything but executing and making devices
	Devices  []string // read, written and asked by ioctl
	Sockets  []string // directories in which directories and sockets may be made and removed
}

// Limits of a confined process and of what it starts.
const (
	// maxOpenFiles is three times what a VM of the most files has open at once.
	maxOpenFiles = 1 << 15
	// maxFileBytes is twice the largest disk, 64 TiB: a result with all its tables fits, an endless one does not.
	maxFileBytes = 128 << 40
	// oomScore makes the kernel end a conversion before the daemon, and before the host's own guests.
	oomScore = "500"
)

// The parts of a sandbox, as Missing and Enter name them.
const (
	partFiles    = "files are not confined"
	partSockets  = "the network is not closed"
	partThreads  = "nothing is confined"
	partAbstract = "abstract unix sockets are not closed"
)

// Missing says what this kernel cannot confine, each with its reason; nothing when it can do all.
func Missing() []string {
	var missing []string
	abi, err := landlockABI()
	switch {
	case err != nil:
		missing = append(missing, fmt.Sprintf("%s: the kernel has no Landlock (%v)", partFiles, err))
	case abi < abiScope:
		missing = append(missing, fmt.Sprintf("%s: Landlock of this kernel has version %d, %d is needed", partAbstract, abi, abiScope))
	}
	if _, err := socketFilter(runtime.GOARCH); err != nil {
		missing = append(missing, fmt.Sprintf("%s: %v", partSockets, err))
	}
	return missing
}

// Enter confines this process, all of its threads, and all that it starts from now on. It cannot be undone. What the kernel cannot do
// is in missing, as Missing says it. An error means that the process is confined in part: it should end.
func Enter(p Policy) (missing []string, err error) {
	if err := setLimits(); err != nil {
		return nil, err
	}
	// Threads that exist already have to be confined one by one; Go's runtime does that, unless C code may have made some.
	if _, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
		if errors.Is(errno, unix.ENOTSUP) {
			return []string{partThreads + ": this program was built with cgo"}, nil
		}
		return nil, fmt.Errorf("give up new privileges: %w", errno)
	}
	if err := dropCapabilities(); err != nil {
		return nil, err
	}
	missing = Missing()
	has := func(part string) bool {
		return !slices.ContainsFunc(missing, func(m string) bool { return len(m) >= len(part) && m[:len(part)] == part })
	}
	if has(partFiles) {
		if err := p.confineFiles(); err != nil {
			return missing, err
		}
	}
	if has(partSockets) {
		if err := closeNetwork(); err != nil {
			return missing, err
		}
	}
	return missing, nil
}
