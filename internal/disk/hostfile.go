package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// HostFile is a regular file or a block device of the host, opened for reading. It is a File and a HoleFinder.
type HostFile struct {
	f    *os.File
	name string
	size int64
	held int64 // bytes on the disk
	id   string
}

// openFlags: a link is not followed, a pipe or a tape does not block, a child process inherits nothing.
const openFlags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC

// OpenFile opens a regular file or a block device for reading. The last element of path must not be a symbolic link. What is
// not there gives ErrMissing, a link ErrOutside, a pipe, socket, directory or character device ErrUnsupported. It never blocks.
func OpenFile(path string) (*HostFile, error) {
	name := filepath.Base(path)
	// Opening some character devices has effects (a watchdog starts), so look first; the file is looked at again once open.
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, openError(name, err)
	}
	if err := checkType(name, st.Mode); err != nil {
		return nil, err
	}
	fd, err := ignoringEINTR(func() (int, error) { return unix.Open(path, openFlags, 0) })
	if err != nil {
		return nil, openError(name, err)
	}
	return newHostFile(fd, name)
}

// TakeFile makes a HostFile of a file that is open for reading, a scratch file without a name. It takes f over, also when it fails.
func TakeFile(f *os.File, name string) (*HostFile, error) {
	fd := int(f.Fd())
	h := &HostFile{f: f, name: name}
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	if err == nil {
		err = checkType(name, st.Mode)
	}
	if err == nil {
		h.id = fmt.Sprintf("%d:%d", st.Dev, st.Ino)
		h.size, h.held = st.Size, st.Blocks*statBlock
		if st.Mode&unix.S_IFMT == unix.S_IFBLK {
			h.size, err = deviceSize(fd)
			h.held = h.size
		}
	}
	if err != nil {
		f.Close()
		if _, ok := errors.AsType[*Error](err); ok {
			return nil, err
		}
		return nil, openError(name, err)
	}
	return h, nil
}

// newHostFile takes over an open descriptor.
func newHostFile(fd int, name string) (*HostFile, error) {
	return TakeFile(os.NewFile(uintptr(fd), name), name)
}

// checkType refuses everything that is not a place where a disk's content can stand.
func checkType(name string, mode uint32) error {
	kind, what := ErrUnsupported, ""
	switch mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFBLK:
		return nil
	case unix.S_IFLNK:
		kind, what = ErrOutside, "a symbolic link"
	case unix.S_IFDIR:
		what = "a directory"
	case unix.S_IFIFO:
		what = "a named pipe"
	case unix.S_IFSOCK:
		what = "a socket"
	case unix.S_IFCHR:
		what = "a character device"
	default:
		what = "a special file"
	}
	return &Error{Op: "open", File: name, Off: -1, Kind: kind, Detail: "it is " + what + "; a regular file or a block device is needed"}
}

// openError turns the operating system's word into ours.
func openError(name string, err error) error {
	e := &Error{Op: "open", File: name, Off: -1, Err: err}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		e.Err = pe.Err // the path is said already, escaped
	}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		e.Kind = ErrMissing
	case errors.Is(err, unix.ELOOP):
		e.Kind, e.Detail = ErrOutside, "it is a symbolic link"
	case errors.Is(err, unix.EXDEV), errors.Is(err, unix.EINVAL):
		e.Kind = ErrOutside
	}
	return e
}

// ignoringEINTR repeats a call that a signal broke off.
func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// Name returns the last element of the path.
func (h *HostFile) Name() string { return h.name }

// Size returns the size in bytes when the file was opened.
func (h *HostFile) Size() int64 { return h.size }

// ID identifies the file on this host, whatever its name: device and inode.
func (h *HostFile) ID() string { return h.id }

// Stored returns how many bytes the file took on its file system when it was opened: less than Size where it has holes, or where the file
// system compresses.
func (h *HostFile) Stored() int64 { return h.held }

// statBlock is the unit of st_blocks in stat(2), whatever the file system's own.
const statBlock = 512

// ReadAt implements io.ReaderAt.
func (h *HostFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := h.f.ReadAt(p, off)
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = &Error{Op: "read", File: h.name, Off: off, Err: pe.Err}
	}
	return n, err
}

// Close closes the file.
func (h *HostFile) Close() error { return h.f.Close() }

// NextData implements HoleFinder. A file system that does not know where its holes are reports everything as data.
func (h *HostFile) NextData(off int64) (start, end int64, err error) {
	if off >= h.size {
		return 0, 0, io.EOF
	}
	fd := int(h.f.Fd())
	start, err = unix.Seek(fd, off, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO): // only a hole follows
		return 0, 0, io.EOF
	case err != nil:
		return off, h.size, nil //nolint:nilerr // not knowing is no error: all of it may be data
	case start >= h.size: // the file grew since
		return 0, 0, io.EOF
	}
	end, err = unix.Seek(fd, start, unix.SEEK_HOLE)
	if err != nil || end <= start {
		end = h.size
	}
	return max(start, off), min(end, h.size), nil
}
