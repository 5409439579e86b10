package queue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// How much of a directory is read at once: first what most directories hold, then some thousand names for one system call. The small ones
// are read several times a second.
const (
	direntFirst  = 4 << 10
	direntBuffer = 256 << 10
)

// Offsets in struct linux_dirent64 (getdents(2)).
const (
	direntReclen = 16
	direntType   = 18
	direntName   = 19
)

// eachName calls f with every name in a directory and its d_type, without looking at a single inode. It ends early when f
// answers false.
func eachName(dir string, f func(name string, dtype byte) bool) error {
	return eachEntry(dir, func(name string, dtype byte, _ uint64) bool { return f(name, dtype) })
}

// eachInode calls f with the inode of everything in a directory.
func eachInode(dir string, f func(ino uint64)) error {
	return eachEntry(dir, func(_ string, _ byte, ino uint64) bool { f(ino); return true })
}

func eachEntry(dir string, f func(name string, dtype byte, ino uint64) bool) error {
	d, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	fd := int(d.Fd())
	for buf := make([]byte, direntFirst); ; {
		n, err := unix.Getdents(fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return &fs.PathError{Op: "getdents", Path: dir, Err: err}
		}
		if n <= 0 {
			return nil
		}
		read := buf[:n]
		if n > direntFirst/2 && len(buf) < direntBuffer { // there may be much more
			buf = make([]byte, direntBuffer)
		}
		for b := read; len(b) > direntName; {
			size := int(binary.NativeEndian.Uint16(b[direntReclen:]))
			if size <= direntName || size > len(b) {
				return &fs.PathError{Op: "getdents", Path: dir, Err: fmt.Errorf("record of %d bytes", size)}
			}
			name, _, _ := bytes.Cut(b[direntName:size], []byte{0})
			dtype, ino := b[direntType], binary.NativeEndian.Uint64(b)
			b = b[size:]
			if s := string(name); s != "." && s != ".." && !f(s, dtype, ino) {
				return nil
			}
		}
	}
}

// dirNames is the sorted names of a directory, or an error when there are more than limit.
func dirNames(dir string, limit int) ([]string, error) {
	var names []string
	err := eachName(dir, func(name string, _ byte) bool {
		names = append(names, name)
		return len(names) <= limit
	})
	if err == nil && len(names) > limit {
		err = notPlain{fmt.Sprintf("more than %d names in one folder", limit)}
	}
	slices.Sort(names)
	return names, err
}
