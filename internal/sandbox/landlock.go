package sandbox

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The versions of Landlock (landlock(7)) from which on a kernel knows more than the first one.
const (
	abiRefer    = 2 // renames between directories
	abiTruncate = 3
	abiTCP      = 4
	abiIoctl    = 5
	abiScope    = 6 // abstract unix sockets
)

const (
	rightsRead    = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	rightsProgram = rightsRead | unix.LANDLOCK_ACCESS_FS_EXECUTE
	rightsSocket  = unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE
	rightsWrite = rightsRead | rightsSocket | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	rightsDevice = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	// rightsOfFile are those that mean something for what is no directory; the kernel refuses others in a rule about one.
	rightsOfFile = unix.LANDLOCK_ACCESS_FS_EXECUTE | rightsDevice
	rightsDevs   = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK
	rightsAll    = rightsProgram | rightsWrite | rightsDevice | rightsDevs
)

// known masks what a version does not know.
func known(rights uint64, abi int) uint64 {
	for _, later := range []struct {
		abi    int
		rights uint64
	}{
		{abiRefer, unix.LANDLOCK_ACCESS_FS_REFER}, {abiTruncate, unix.LANDLOCK_ACCESS_FS_TRUNCATE}, {abiIoctl, unix.LANDLOCK_ACCESS_FS_IOCTL_DEV},
	} {
		if abi < later.abi {
			rights &^= later.rights
		}
	}
	return rights
}

// landlockABI asks the kernel for the version that it knows.
func landlockABI() (int, error) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, errno
	}
	return int(abi), nil
}

// confineFiles leaves to the process what the policy names.
func (p Policy) confineFiles() error {
	abi, err := landlockABI()
	if err != nil {
		return err
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: known(rightsAll, abi)}
	if abi >= abiTCP {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= abiScope {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	}
	// An older kernel takes a longer structure as long as what it does not know is zero.
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return fmt.Errorf("landlock: %w", errno)
	}
	defer unix.Close(int(fd)) //nolint:errcheck // it has done its work
	for _, rule := range []struct {
		paths  []string
		rights uint64
	}{
		{p.Programs, rightsProgram}, {p.Read, rightsRead}, {p.Write, rightsWrite}, {p.Devices, rightsDevice}, {p.Sockets, rightsSocket},
	} {
		for _, path := range rule.paths {
			if err := allow(int(fd), path, known(rule.rights, abi)); err != nil {
				return fmt.Errorf("landlock: allow %q: %w", path, err)
			}
		}
	}
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("landlock: %w", errno)
	}
	return nil
}

// allow adds a rule about what stands at a path, if something does.
func allow(ruleset int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EACCES) {
		return nil // what cannot be reached needs no leave
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // it was only named
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= rightsOfFile
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
