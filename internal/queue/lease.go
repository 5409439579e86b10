package queue

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lease is what the writer probe found out.
type lease int

const (
	leaseFree       lease = iota // nobody has the file open for writing, nor mapped shared and writable
	leaseBusy                    // somebody has
	leaseUnable                  // leases do not work here, or not on another's file without CAP_LEASE
	leaseUnreadable              // the file cannot even be opened for reading
	leaseGone                    // it is not there, or not a regular file any more
)

// probeWriter asks the kernel whether anybody can still write to a file, by taking a read lease for an instant (F_SETLEASE,
// fcntl(2)). It is the only question that sees a writer who pauses. While the lease is held, which takes microseconds, another's
// open for writing waits; the signal that the kernel would then send, SIGIO, is one that Go programs ignore.
func probeWriter(path string) (lease, error) {
	f, err := openPlain(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrNotRegular):
		return leaseGone, err
	case errors.Is(err, unix.EWOULDBLOCK): // a lease of somebody else is in the way
		return leaseBusy, nil
	case err != nil:
		return leaseUnreadable, err
	}
	defer f.Close()
	fd := f.Fd()
	_, err = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK)
	switch {
	case err == nil:
		_, err = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK)
		return leaseFree, err
	case errors.Is(err, unix.EAGAIN):
		return leaseBusy, nil
	}
	return leaseUnable, nil
}

// openPlain opens a regular file for reading without following a link in its last part and without ever blocking on a pipe.
func openPlain(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
		return nil, ErrNotRegular
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotRegular
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// beingWritten says whether the probe sees a writer on a file, or on any file of a folder. What cannot be probed is not said to
// be written.
func beingWritten(path string, l look) bool {
	if !l.dir {
		got, _ := probeWriter(path)
		return got == leaseBusy
	}
	for _, rel := range l.files {
		if got, _ := probeWriter(filepath.Join(path, filepath.FromSlash(rel))); got == leaseBusy {
			return true
		}
	}
	return false
}

// File systems on which a lease says nothing about writers on other machines (statfs(2)).
var remoteFS = map[int64]string{
	0x6969:     "NFS",
	0x517B:     "SMB",
	0xFF534D42: "CIFS",
	0xFE534D42: "SMB2",
	0x65735546: "FUSE",
	0x01021997: "9P",
	0x00C36400: "Ceph",
	0x0BD00BD0: "Lustre",
	0x47504653: "GPFS",
	0x01161970: "GFS2",
	0x7461636f: "OCFS2",
}

// remote names the kind of network or user-space file system that a directory is on, "" for a local one.
func remote(dir string) string {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return ""
	}
	return remoteFS[int64(st.Type)&0xFFFFFFFF]
}

// capLease is the bit of CAP_LEASE (capabilities(7)): leases on files of other users.
const capLease = 28

// mayLeaseOthers says whether this process may take leases on files that it does not own.
func mayLeaseOthers() bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return os.Geteuid() == 0
	}
	return data[0].Effective&(1<<capLease) != 0
}
