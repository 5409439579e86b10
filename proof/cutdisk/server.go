package cutdisk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Server is a FUSE file system of disks.
type Server struct {
	dir  string
	fuse *fuse.Server
	root *fs.Inode
	next atomic.Int64
}

// maxWrite is the longest write that the kernel hands over as one, in bytes.
const maxWrite = 1 << 20

// Serve mounts a file system of disks on dir, which must be there and empty. Close ends it.
func Serve(dir string) (*Server, error) {
	forever := time.Hour
	root := &fs.Inode{}
	srv, err := fs.Mount(dir, root, &fs.Options{
		AttrTimeout: &forever, EntryTimeout: &forever,
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "cutdisk", Name: "cutdisk", MaxWrite: maxWrite, DisableXAttrs: true},
	})
	if err != nil {
		return nil, fmt.Errorf("mount FUSE: %w", err)
	}
	if err := closeOnExec("/dev/fuse"); err != nil {
		return nil, errors.Join(err, srv.Unmount())
	}
	return &Server{dir: dir, fuse: srv, root: root}, nil
}

// closeOnExec keeps programs that this process starts from inheriting a device: one that outlived it would keep the disks waiting for
// answers for ever.
func closeOnExec(device string) error {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err != nil || to != device {
			continue
		}
		n, err := strconv.Atoi(fd.Name())
		if err != nil {
			return err
		}
		unix.CloseOnExec(n)
	}
	return nil
}

// closeWait bounds how long Close waits for the kernel: a mount namespace of some other program may hold a copy of the mount.
const closeWait = 10 * time.Second

// Close unmounts. Every Slot must be closed before. What others still hold goes with this process.
func (s *Server) Close() error {
	done := make(chan error, 1)
	go func() { done <- s.fuse.Unmount() }()
	select {
	case err := <-done:
		return err
	case <-time.After(closeWait):
		return nil
	}
}

// Leave takes the mount out of the mount namespace of the calling thread, which must be locked and have one of its own: the thread may
// outlive the server, and its namespace with it. Slots work on.
func (s *Server) Leave() error { return unix.Unmount(s.dir, unix.MNT_DETACH) }

// Slot is a loop device whose content can be exchanged while nothing has it mounted.
type Slot struct {
	path string // of the loop device
	loop *os.File
	node *node
}

// NewSlot attaches a loop device for disks of this size, in bytes, that calls sector bytes its block.
func (s *Server) NewSlot(size, sector int64) (*Slot, error) {
	name := fmt.Sprintf("disk-%d", s.next.Add(1))
	n := &node{image: NewImage(size)}
	s.root.AddChild(name, s.root.NewPersistentInode(context.Background(), n, fs.StableAttr{Mode: fuse.S_IFREG}), false)
	fd, err := unix.Open(filepath.Join(s.dir, name), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer func() { _ = unix.Close(fd) }() // the loop device holds it by now, or nobody does
	loop, err := attach(fd, sector)
	if err != nil {
		return nil, err
	}
	return &Slot{path: loop.Name(), loop: loop, node: n}, nil
}

// attachTries bounds how often another program may take the free loop device first.
const attachTries = 20

func attach(fd int, sector int64) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for range attachTries {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a free loop device: %w", err)
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		c := unix.LoopConfig{Fd: uint32(fd), Size: uint32(sector)}
		c.Info.Flags = unix.LO_FLAGS_AUTOCLEAR // it goes when this process does
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &c)
		if err == nil {
			return loop, nil
		}
		loop.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("attach %s: %w", loop.Name(), err)
		}
	}
	return nil, errors.New("no loop device stays free")
}

// Path is the device.
func (s *Slot) Path() string { return s.path }

// Load puts an image into the device; it belongs to the slot from then on. What happens to it goes to the journal as disk number disk;
// with a nil journal it is not recorded.
func (s *Slot) Load(m *Image, j *Journal, disk int) error {
	if err := s.flush(); err != nil {
		return err
	}
	s.node.mu.Lock()
	s.node.image, s.node.journal, s.node.disk, s.node.fail, s.node.failRead = m, j, disk, nil, nil
	s.node.mu.Unlock()
	return s.forget(m)
}

func (s *Slot) flush() error {
	if err := unix.IoctlSetInt(int(s.loop.Fd()), unix.BLKFLSBUF, 0); err != nil {
		return fmt.Errorf("flush %s: %w", s.path, err)
	}
	return nil
}

// forgetTries and forgetWait bound how long the kernel may keep a page of the disk before.
const (
	forgetTries = 500
	forgetWait  = 10 * time.Millisecond
)

// forget empties the kernel's cache of the device and proves it. One flush is not enough: it leaves a page that is just being read, ahead
// of time for the file system that was unmounted, and an old superblock makes ext4 throw a new journal away.
func (s *Slot) forget(m *Image) error {
	for range forgetTries {
		if err := s.flush(); err != nil {
			return err
		}
		stale, err := s.stale(m)
		if err != nil || !stale {
			return err
		}
		time.Sleep(forgetWait)
	}
	return fmt.Errorf("%s: the kernel keeps pages of the disk before", s.path)
}

// stale says whether the kernel has pages of the device in its cache that are not those of the image.
func (s *Slot) stale(m *Image) (bool, error) {
	page := os.Getpagesize()
	view, err := unix.Mmap(int(s.loop.Fd()), 0, int(m.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return false, fmt.Errorf("map %s: %w", s.path, err)
	}
	defer func() { _ = unix.Munmap(view) }()
	cached := make([]byte, (len(view)+page-1)/page)
	if err := mincore(view, cached); err != nil {
		return false, fmt.Errorf("look at the cache of %s: %w", s.path, err)
	}
	want := make([]byte, page)
	for i, in := range cached {
		if in&1 == 0 {
			continue
		}
		_, _ = m.ReadAt(want, int64(i*page)) // it knows no errors
		if !bytes.Equal(view[i*page:min((i+1)*page, len(view))], want[:min(page, len(view)-i*page)]) {
			return true, nil
		}
	}
	return false, nil
}

// mincore is mincore(2), which x/sys has no function for.
func mincore(view, cached []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&view[0])), uintptr(len(view)), uintptr(unsafe.Pointer(&cached[0])))
	if errno != 0 {
		return errno
	}
	return nil
}

// Image is a copy of what the disk holds now, flushed or not.
func (s *Slot) Image() *Image {
	s.node.mu.Lock()
	defer s.node.mu.Unlock()
	return s.node.image.Clone()
}

// FailWrites makes each write fail for which fail, called with its place and its content, says so. Load ends it.
func (s *Slot) FailWrites(fail func(off int64, b []byte) bool) {
	s.node.mu.Lock()
	defer s.node.mu.Unlock()
	s.node.fail = fail
}

// FailReads makes each read fail for which fail, called with its place and what is there, says so. Load ends it.
func (s *Slot) FailReads(fail func(off int64, b []byte) bool) {
	s.node.mu.Lock()
	defer s.node.mu.Unlock()
	s.node.failRead = fail
}

// Close lets the loop device go.
func (s *Slot) Close() error { return s.loop.Close() }

// node is the file behind a loop device. A flush of the device arrives as an fsync of the file.
type node struct {
	fs.Inode

	mu      sync.Mutex
	image   *Image
	journal *Journal
	disk    int
	fail    func(off int64, b []byte) bool

	failRead func(off int64, b []byte) bool
}

// The methods that the kernel's requests arrive at.
var (
	_ fs.NodeOpener    = (*node)(nil)
	_ fs.NodeReader    = (*node)(nil)
	_ fs.NodeWriter    = (*node)(nil)
	_ fs.NodeFsyncer   = (*node)(nil)
	_ fs.NodeGetattrer = (*node)(nil)
	_ fs.NodeSetattrer = (*node)(nil)
	_ fs.NodeAllocater = (*node)(nil)
)

func (n *node) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0 // a page cache below the disk would hide what was written when
}

func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.mu.Lock()
	defer n.mu.Unlock()
	out.Mode, out.Size = fuse.S_IFREG|0o600, uint64(n.image.Size())
	return 0
}

func (n *node) Setattr(ctx context.Context, f fs.FileHandle, _ *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return n.Getattr(ctx, f, out) // times; the size stays
}

func (n *node) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.mu.Lock()
	defer n.mu.Unlock()
	dest = dest[:max(0, min(int64(len(dest)), n.image.Size()-off))]
	_, _ = n.image.ReadAt(dest, off) // it knows no errors
	if n.failRead != nil && n.failRead(off, dest) {
		return nil, syscall.EIO
	}
	return fuse.ReadResultData(dest), 0
}

func (n *node) Write(_ context.Context, _ fs.FileHandle, b []byte, off int64) (uint32, syscall.Errno) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil && n.fail(off, b) {
		return 0, syscall.EIO
	}
	if _, err := n.image.WriteAt(b, off); err != nil {
		return 0, syscall.EIO
	}
	if n.journal != nil {
		n.journal.add(Op{Disk: n.disk, Off: off, Data: append([]byte(nil), b...)})
	}
	return uint32(len(b)), 0
}

func (n *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.journal != nil {
		n.journal.add(Op{Disk: n.disk, Flush: true})
	}
	return 0
}

// Allocate refuses holes, so that the kernel writes zeroes, which can be recorded.
func (n *node) Allocate(context.Context, fs.FileHandle, uint64, uint64, uint32) syscall.Errno {
	return syscall.ENOTSUP
}
