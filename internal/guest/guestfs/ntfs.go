package guestfs

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"hyper2kvm/internal/guest"
)

// windows looks whether the mounted NTFS volume holds Windows, and whether it may be written.
func (s *Session) windows(ctx context.Context, v volume) ([]root, error) {
	dir, err := s.fold(ctx, "/", "windows")
	if err != nil || dir == "" {
		return nil, err
	}
	system, err := s.fold(ctx, dir, "system32")
	if err != nil || system == "" {
		return nil, err
	}
	r := root{volume: v, family: guest.FamilyWindows}
	if r.hibernated, err = s.hibernated(ctx); err != nil {
		return nil, err
	}
	r.dirty, r.why, err = s.dirty(ctx, v)
	if r.hibernated {
		r.dirty, r.why = true, v.Device+" is hibernated, or Windows was shut down with Fast Startup"
	}
	return []root{r}, err
}

// fold finds a name in a directory whatever its case.
func (s *Session) fold(ctx context.Context, dir, name string) (string, error) {
	b, err := s.fetch(ctx, "ls0", dir, maxListing)
	if err != nil {
		return "", pathError("readdir", dir, err)
	}
	for n := range strings.SplitSeq(string(b), "\x00") {
		if strings.EqualFold(n, name) {
			return path.Join(dir, n), nil
		}
	}
	return "", nil
}

// hibernated reads the head of hiberfil.sys: "hibr" where Windows sleeps or has used Fast Startup, "wake" or zeros where it woke up.
func (s *Session) hibernated(ctx context.Context) (bool, error) {
	name, err := s.fold(ctx, "/", "hiberfil.sys")
	if err != nil || name == "" {
		return false, err
	}
	info, err := s.regular(ctx, "read", name)
	if err != nil || info.Size < 4 {
		return false, err
	}
	head, err := s.call(ctx, "pread", name, "4", "0")
	return strings.EqualFold(string(head), "hibr"), err
}

// volumeFlags is the line of ntfsinfo that shows the flags of $VOLUME_INFORMATION, as a number or as "DIRTY (0x0001)"; bit 0 is "dirty".
var volumeFlags = regexp.MustCompile(`(?m)^\s*Volume Flags:.*\b0x([0-9a-fA-F]{1,4})\b`)

// dirty asks ntfsinfo for file 3, $Volume; it reads a mounted volume as well.
func (s *Session) dirty(ctx context.Context, v volume) (bool, string, error) {
	out, err := s.shell(ctx, "ntfsinfo -f -i 3 '"+v.kernel()+"' 2>&1; true")
	if errors.Is(err, guest.ErrAppliance) {
		return false, "", err
	}
	m := volumeFlags.FindSubmatch(out)
	if err != nil || m == nil {
		return false, "", nil
	}
	flags, err := strconv.ParseUint(string(m[1]), 16, 16)
	if err != nil || flags&1 == 0 {
		return false, "", err
	}
	return true, fmt.Sprintf("%s was not unmounted cleanly: run chkdsk /f in Windows and shut it down", v.Device), nil
}
