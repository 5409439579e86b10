package convert

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/disk"
)

// OpenDirBelow opens a directory below root, for looking up names in it. Symbolic links on the way from root to it are not followed:
// an *disk.Error of kind ErrOutside says so. root itself may be reached through links. The caller closes what it returns.
func OpenDirBelow(root, rel string) (*os.File, error) {
	rel = filepath.Clean(rel)
	if !filepath.IsLocal(rel) {
		return nil, &disk.Error{Op: "open", File: rel, Off: -1, Kind: disk.ErrOutside, Detail: "it is not below " + root}
	}
	at, err := openDirAt(unix.AT_FDCWD, root, 0)
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(rel, string(filepath.Separator)) {
		if part == "." {
			continue
		}
		next, err := openDirAt(int(at.Fd()), part, unix.O_NOFOLLOW)
		at.Close()
		if err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

func openDirAt(dir int, name string, flags int) (*os.File, error) {
	for {
		fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|flags, 0)
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), name), nil
		case unix.EINTR:
			continue
		case unix.ENOENT:
			return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrMissing, Err: err}
		case unix.ENOTDIR, unix.ELOOP: // the kernel's answer to a link that is not to be followed
			return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrOutside, Detail: "it is a symbolic link or not a directory"}
		}
		return nil, &disk.Error{Op: "open", File: name, Off: -1, Err: err}
	}
}

// DirPath is a path that leads to an open directory, whatever its name leads to by now.
func DirPath(dir *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", dir.Fd()) }
