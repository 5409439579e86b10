package disk

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// FilesOpener returns an Opener for the files of a job: names as images know them, with the host path of each. A name counts
// with or without "./" before it. Any other name gives ErrOutside if it leads elsewhere (absolute, "..", a URL, a protocol of
// qemu's), else ErrMissing.
func FilesOpener(files map[string]string) Opener {
	return func(name string) (File, error) {
		plain := trimDot(name)
		path, ok := files[name]
		if !ok {
			path, ok = files[plain]
		}
		if ok {
			f, err := OpenFile(path)
			if err != nil {
				return nil, err
			}
			return f, nil
		}
		if why := outside(plain); why != "" {
			return nil, outsideError(name, why)
		}
		return nil, &Error{Op: "open", File: name, Off: -1, Kind: ErrMissing, Detail: "put it beside the image that needs it"}
	}
}

// DirOpener returns an Opener for the files that stand directly in dir. Names with a directory in them, and symbolic links,
// give ErrOutside.
func DirOpener(dir string) Opener {
	return func(name string) (File, error) {
		plain := trimDot(name)
		why := outside(plain)
		switch {
		case why != "":
		case strings.Contains(plain, "/"):
			why = "only files in the image's own directory are opened"
		case len(plain) > MaxNameLen:
			why = fmt.Sprintf("no file name has more than %d bytes", MaxNameLen)
		}
		if why != "" {
			return nil, outsideError(name, why)
		}
		fd, err := openBeneath(dir, plain)
		if err != nil {
			return nil, err
		}
		return newHostFile(fd, plain)
	}
}

// openBeneath opens a plain name in dir. The kernel holds it there (openat2); where it is too old, or a filter forbids the
// call, not following links does, because the name has no directory in it.
func openBeneath(dir, name string) (int, error) {
	at, err := ignoringEINTR(func() (int, error) { return unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return -1, openError(dir, err)
	}
	defer func() { _ = unix.Close(at) }()
	var st unix.Stat_t
	if err := unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return -1, openError(name, err)
	}
	if err := checkType(name, st.Mode); err != nil {
		return -1, err
	}
	how := unix.OpenHow{Flags: openFlags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := ignoringEINTR(func() (int, error) { return unix.Openat2(at, name, &how) })
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		fd, err = ignoringEINTR(func() (int, error) { return unix.Openat(at, name, openFlags, 0) })
	}
	if err != nil {
		return -1, openError(name, err)
	}
	return fd, nil
}

func trimDot(name string) string {
	for strings.HasPrefix(name, "./") {
		name = strings.TrimLeft(name[1:], "/")
	}
	return name
}

// protocol matches what qemu takes for a driver before a file name (json:, nbd:, fat:rw:) and any URL. One letter before the
// colon is a Windows drive.
var protocol = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

// outside says why a name leads away from the files of the job; "" if it does not.
func outside(name string) string {
	switch {
	case name == "" || name == ".":
		return "it is empty"
	case strings.ContainsRune(name, 0):
		return "it contains a NUL byte"
	case strings.HasPrefix(name, "/"), strings.HasPrefix(name, `\\`):
		return "it is an absolute path"
	case len(name) > 1 && name[1] == ':' && protocol.MatchString(name):
		return "it is an absolute Windows path"
	case protocol.MatchString(name):
		return "it is a URL or names a protocol"
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '\\' })
	if slices.Contains(parts, "..") {
		return `it contains ".."`
	}
	return ""
}

func outsideError(name, why string) error {
	return &Error{Op: "open", File: name, Off: -1, Kind: ErrOutside, Detail: why + "; an image may name only files of its own job"}
}
