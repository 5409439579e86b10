package guestfs

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// root is a tree that looks like an operating system.
type root struct {
	volume     volume
	subvol     string // of btrfs; "" = the top level, or none
	family     string
	fstab      string
	crypttab   string
	others     []string // names of snapshots and the like on the same volume
	hibernated bool
	dirty      bool
	why        string
}

// name is how a root is shown; with a subvolume as libguestfs writes it.
func (r root) name() string {
	if r.subvol == "" {
		return r.volume.Device
	}
	return "btrfsvol:" + r.volume.Device + "/" + r.subvol
}

// rank puts first what the machine most likely runs: the system on the disk that boots, then one with an fstab, then the first disk.
func (r root) rank(boot int) int {
	rank := 0
	if boot >= 0 && !slices.Contains(r.volume.disks, boot) {
		rank += 10_000
	}
	if r.family == guest.FamilyLinux && r.fstab == "" {
		rank += 1000
	}
	if len(r.volume.disks) > 0 {
		rank += r.volume.disks[0]
	}
	return rank
}

// rootTypes are the file systems on which an operating system is looked for.
var rootTypes = []string{"ext2", "ext3", "ext4", "xfs", "btrfs", "ntfs", "f2fs", "jfs", "reiserfs"}

// roots mounts every volume that may hold a system, one after the other and read-only, and looks.
func (s *Session) roots(ctx context.Context, volumes []volume) ([]root, []guest.Warning, error) {
	var roots []root
	var warnings []guest.Warning
	seen := map[string]bool{} // btrfs over several volumes is one
	for _, v := range volumes {
		if v.children > 0 || !slices.Contains(rootTypes, v.Type) || v.Type == "btrfs" && v.UUID != "" && seen[v.UUID] {
			continue
		}
		seen[v.UUID] = true
		found, err := s.look(ctx, v)
		if errors.Is(err, guest.ErrAppliance) || ctx.Err() != nil {
			return nil, nil, err
		}
		if err != nil {
			warnings = append(warnings, guest.Warning{Message: v.Device + " (" + v.Type + ") cannot be looked into: " + err.Error()})
		}
		roots = append(roots, found...)
		s.cache.clear()
		if _, err := s.call(ctx, "umount-all"); err != nil {
			return nil, nil, err
		}
	}
	return roots, warnings, nil
}

// look mounts one volume and finds the systems on it.
func (s *Session) look(ctx context.Context, v volume) ([]root, error) {
	options := "ro"
	if v.Type == "btrfs" {
		options = "ro,subvolid=5" // the top level, from which every subvolume is seen
	}
	if _, err := s.call(ctx, "mount-options", options, v.Device, "/"); err != nil {
		return nil, err
	}
	switch v.Type {
	case "ntfs":
		return s.windows(ctx, v)
	case "btrfs":
		return s.subvolumes(ctx, v)
	}
	r, ok, err := s.linux(ctx, v, "/")
	if err != nil || !ok {
		return nil, err
	}
	return []root{r}, nil
}

// releases are files of which every Linux system has one, besides fstab.
var releases = []string{
	"fstab", "os-release", "debian_version", "redhat-release", "SuSE-release", "system-release", "alpine-release", "arch-release",
	"gentoo-release", "photon-release", "lsb-release", "slackware-version",
}

// linux looks whether a directory of the mounted volume is the root of a Linux system: it has /bin, and /etc with a file that only a
// system has.
func (s *Session) linux(ctx context.Context, v volume, dir string) (r root, ok bool, err error) {
	if _, err := s.lstat(ctx, path.Join(dir, "bin")); err != nil {
		return r, false, ignoreMissing(err)
	}
	etc, err := s.lstat(ctx, path.Join(dir, "etc"))
	if err != nil || !etc.Mode.IsDir() {
		return r, false, ignoreMissing(err)
	}
	r = root{volume: v, subvol: strings.TrimPrefix(dir, "/"), family: guest.FamilyLinux}
	for _, name := range releases {
		_, err := s.lstat(ctx, path.Join(dir, "etc", name))
		if err == nil {
			ok = true
			break
		}
		if err := ignoreMissing(err); err != nil {
			return r, false, err
		}
	}
	if !ok {
		return r, false, nil
	}
	if r.fstab, err = s.text(ctx, path.Join(dir, "etc/fstab")); err != nil {
		return r, false, err
	}
	r.crypttab, err = s.text(ctx, path.Join(dir, "etc/crypttab"))
	return r, err == nil, err
}

// maxTable bounds fstab and crypttab.
const maxTable = 256 << 10

// text reads a small table; "" if there is none, or if it is none of a sane size.
func (s *Session) text(ctx context.Context, name string) (string, error) {
	info, err := s.regular(ctx, "read", name)
	if err != nil || info.Size > maxTable {
		if errors.Is(err, fs.ErrInvalid) {
			return "", nil
		}
		return "", ignoreMissing(err)
	}
	b, err := s.read(ctx, name, info.Size)
	return string(b), err
}

// ignoreMissing drops the error of what is not there.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
