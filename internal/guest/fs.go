package guest

import (
	"context"
	"io"
	"io/fs"
)

// MaxConfig bounds a file that is read whole to be looked at or edited: configuration, never data. The largest in the field is a
// grub.cfg of a machine with hundreds of snapshots, below 1 MiB.
const MaxConfig = 8 << 20

// FS is a guest's tree as the guest itself sees it, every file system mounted in its place. It has no way to write and none to run
// anything: a fixer proposes Changes, and Apply makes them.
//
// Names are absolute, slash-separated and clean. Symbolic links are resolved inside the guest, so that none leads out of it. What is
// not there is an error that wraps fs.ErrNotExist. Content is hostile: it comes from the guest.
type FS interface {
	// Stat follows symbolic links, Lstat does not.
	Stat(ctx context.Context, name string) (Info, error)
	Lstat(ctx context.Context, name string) (Info, error)
	// Readlink returns the target as it is stored.
	Readlink(ctx context.Context, name string) (string, error)
	// ReadDir returns the names in a directory, sorted.
	ReadDir(ctx context.Context, name string) ([]string, error)
	// ReadFile reads a whole file of at most MaxConfig bytes; a larger one is an ErrLimit.
	ReadFile(ctx context.Context, name string) ([]byte, error)
	// Open opens a file of any size, such as an initramfs.
	Open(ctx context.Context, name string) (Content, error)
}

// Content is an opened file.
type Content interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Info describes a file of a guest.
type Info struct {
	Mode  fs.FileMode // type and permissions, set-id bits too
	UID   int
	GID   int
	Size  int64 // bytes
	Inode uint64
	Dev   uint64 // tells the mounted file systems apart
}
