package disk

import (
	"os"
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

// startStoring asks the kernel to begin writing all pages of a file that are not on the disk yet, and does not wait for them.
func startStoring(fd uintptr) {
	_ = unix.SyncFileRange(int(fd), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
}

// CloneTo makes t share the whole content of h, as XFS, Btrfs and ZFS can, so that nothing is copied and nothing takes space twice. False: that
// is not possible here, and what t holds means nothing.
func (h *HostFile) CloneTo(t Target) bool {
	if e, ok := t.(*earlyTarget); ok {
		t = e.Target
	}
	f, ok := t.(*os.File)
	if !ok || h.size == 0 || unix.IoctlFileClone(int(f.Fd()), int(h.f.Fd())) != nil {
		return false
	}
	st, err := f.Stat()
	// What came behind the end since h was opened is not its content; a file that became shorter is told by reading it.
	return err == nil && st.Size() >= h.size && f.Truncate(h.size) == nil
}
