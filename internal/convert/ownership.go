package convert

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// apply gives a file or directory the owner, mode and label. Who may read a directory may enter it.
func (o Ownership) apply(path string, dir bool) error {
	if o.UID != nil || o.GID != nil {
		uid, gid := -1, -1
		if o.UID != nil {
			uid = *o.UID
		}
		if o.GID != nil {
			gid = *o.GID
		}
		if err := os.Lchown(path, uid, gid); err != nil {
			return fmt.Errorf("set the owner of the result: %w", err)
		}
	}
	if o.Mode != 0 {
		mode := os.FileMode(o.Mode)
		if dir {
			mode |= mode & 0o444 >> 2
			info, err := os.Lstat(path)
			if err != nil {
				return err
			}
			mode |= info.Mode() & os.ModeSetgid
		}
		if err := os.Chmod(path, mode); err != nil {
			return fmt.Errorf("set the permissions of the result: %w", err)
		}
	}
	if o.Label != "" {
		if err := unix.Lsetxattr(path, "security.selinux", []byte(o.Label), 0); err != nil {
			return fmt.Errorf("set the SELinux label %q of %s: %w", o.Label, path, err)
		}
	}
	return nil
}
