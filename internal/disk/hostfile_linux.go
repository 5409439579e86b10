package disk

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// deviceSize asks a block device for its size in bytes. The ioctl writes 64 bits, which x/sys has no call for.
func deviceSize(fd int) (int64, error) {
	var size uint64
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.BLKGETSIZE64, uintptr(unsafe.Pointer(&size))); errno != 0 {
		return 0, errno
	}
	return int64(size), nil
}
