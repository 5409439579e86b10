package queue

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Limits of a folder job: a VM has some disks, a descriptor and some small files. What has more is not one VM, and looking at it
// again and again would keep everything else waiting.
const (
	MaxFolderFiles = 10_000
	maxFolderDepth = 16
)

// look is an entry as it stands: who it is, and for a folder what is in it.
type look struct {
	id    Identity
	dir   bool
	nlink uint64
	files []string // of a folder, as in Entry.Files
	inner [sha256.Size]byte
}

// sameSource says whether two looks saw the same bytes under possibly different names: a rename changes the ctime of an entry.
func sameSource(a, b look) bool {
	return a.dir == b.dir && a.id.Dev == b.id.Dev && keyOf(a.id) == keyOf(b.id) && a.inner == b.inner
}

// unchanged says whether nothing at all happened between two looks.
func unchanged(a, b look) bool { return sameSource(a, b) && a.id.CtimeNS == b.id.CtimeNS }

// notPlain is the reason why an entry, or something in a folder, is not what a job is made of.
type notPlain struct{ reason string }

func (e notPlain) Error() string { return e.reason }
func (e notPlain) Unwrap() error { return ErrNotRegular }

// unfinishedFolder is the reason why a folder is not complete yet.
type unfinishedFolder struct{ reason string }

func (e unfinishedFolder) Error() string { return e.reason }

// lookAt looks at an entry without following or opening anything but directories.
func lookAt(dir, name string) (look, error) {
	full := filepath.Join(dir, name)
	st, err := lstat(full)
	if err != nil {
		return look{}, err
	}
	l := look{id: identityOf(st), nlink: uint64(st.Nlink)}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return l, nil
	case unix.S_IFDIR:
	default:
		return l, notPlain{kindOf(st.Mode)}
	}
	l.dir = true
	return l, l.walk(full)
}

// lookAfresh is lookAt past what a network or user-space file system keeps of a file's attributes: after a rename these may be older than
// the rename, and a later look would take it for a change of the file.
func lookAfresh(path string) (look, error) {
	refresh(path)
	l, err := lookAt(filepath.Dir(path), filepath.Base(path))
	if err != nil || !l.dir || remote(path) == "" {
		return l, err
	}
	for _, rel := range l.files {
		refresh(filepath.Join(path, filepath.FromSlash(rel)))
	}
	return lookAt(filepath.Dir(path), filepath.Base(path))
}

// refresh has the kernel ask the file system for the attributes of a file; a local one always knows them.
func refresh(path string) {
	var st unix.Statx_t
	_ = unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW|unix.AT_STATX_FORCE_SYNC, unix.STATX_BASIC_STATS, &st) // the look that follows says what is wrong
}

// walk looks through a folder in the order of names.
func (l *look) walk(root string) error {
	sum := sha256.New()
	l.id.Size = 0
	type step struct {
		rel   string
		depth int
	}
	todo := []step{{}}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		names, err := dirNames(filepath.Join(root, filepath.FromSlash(at.rel)), MaxFolderFiles)
		if err != nil {
			return err
		}
		for _, name := range names {
			rel := path.Join(at.rel, name)
			st, err := lstat(filepath.Join(root, filepath.FromSlash(rel)))
			if err != nil {
				return err
			}
			if err := folderName(rel, name, st); err != nil {
				return err
			}
			l.id.MtimeNS = max(l.id.MtimeNS, st.Mtim.Nano())
			switch st.Mode & unix.S_IFMT {
			case unix.S_IFDIR:
				if at.depth+1 > maxFolderDepth {
					return notPlain{fmt.Sprintf("more than %d folders deep", maxFolderDepth)}
				}
				todo = append(todo, step{rel, at.depth + 1})
			case unix.S_IFREG:
				l.files = append(l.files, rel)
				l.id.Size += st.Size
				hashFile(sum, rel, st)
			}
			if len(l.files)+len(todo) > MaxFolderFiles {
				return notPlain{fmt.Sprintf("more than %d files", MaxFolderFiles)}
			}
		}
	}
	slices.Sort(l.files)
	sum.Sum(l.inner[:0])
	return nil
}

// folderName says what is wrong with something in a folder.
func folderName(rel, name string, st unix.Stat_t) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return nil
	case unix.S_IFREG:
	default:
		return notPlain{fmt.Sprintf("%q is %s", rel, kindOf(st.Mode))}
	}
	switch {
	case st.Nlink != 1:
		return notPlain{fmt.Sprintf("%q has %d hard links", rel, st.Nlink)}
	case checkName(name) != nil:
		return checkName(name)
	case name == markerName:
		return nil
	case ignoredName(name) != "" && !recordName(name):
		return unfinishedFolder{fmt.Sprintf("%q %s", rel, ignoredName(name))}
	case strings.HasPrefix(name, ".") && strings.Count(name, ".") >= 2 && len(path.Ext(name)) == 7:
		return unfinishedFolder{fmt.Sprintf("%q looks like a copy under way", rel)} // rsync's .name.XXXXXX
	}
	return nil
}

func recordName(name string) bool {
	return slices.ContainsFunc(recordSuffixes, func(s string) bool { return strings.HasSuffix(strings.ToLower(name), s) })
}

func hashFile(h hash.Hash, rel string, st unix.Stat_t) {
	var b [48]byte
	for i, v := range []uint64{st.Dev, st.Ino, uint64(st.Size), uint64(st.Mtim.Nano()), uint64(st.Ctim.Nano()), uint64(len(rel))} {
		binary.LittleEndian.PutUint64(b[8*i:], v)
	}
	h.Write(b[:])
	h.Write([]byte(rel))
}

func identityOf(st unix.Stat_t) Identity {
	return Identity{Dev: st.Dev, Ino: st.Ino, Size: st.Size, MtimeNS: st.Mtim.Nano(), CtimeNS: st.Ctim.Nano(), UID: st.Uid}
}

func lstat(path string) (unix.Stat_t, error) {
	var st unix.Stat_t
	for {
		err := unix.Lstat(path, &st)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return st, &fs.PathError{Op: "lstat", Path: path, Err: err}
		}
		return st, nil
	}
}

// kindOf names what is neither a file nor a folder.
func kindOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFLNK:
		return "a symbolic link; put the file itself here, or name its path in a manifest"
	case unix.S_IFIFO:
		return "a named pipe, not a file"
	case unix.S_IFSOCK:
		return "a socket, not a file"
	case unix.S_IFCHR, unix.S_IFBLK:
		return "a device, not a file; copy it into one first"
	}
	return "not a regular file"
}
