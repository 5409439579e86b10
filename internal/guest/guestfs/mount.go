package guestfs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// needed are the places without which a repair would look at half a system.
var needed = []string{"/", "/boot", "/boot/efi", "/efi", "/etc", "/usr", "/var", "/lib"}

// Mount mounts what system.Mounts says, in its order, and fills in what is free. With write it proves that each can be written, else
// everything is mounted read-only. What a repair needs and cannot be mounted is an error (guest.ErrUnclean where it cannot be written);
// what it does not need is taken out of system.Mounts with a warning.
func (s *Session) Mount(ctx context.Context, system *guest.System, write bool) ([]guest.Warning, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.cache.clear()
	if write && (system.Hibernated || system.Dirty) {
		why := system.DirtyWhy
		if why == "" {
			why = "it is hibernated"
		}
		return nil, fmt.Errorf("%w: %s", guest.ErrUnclean, why)
	}
	if err := s.unmount(ctx); err != nil {
		return nil, err
	}
	var warnings []guest.Warning
	for _, m := range system.Mounts {
		free, err := s.mount(ctx, m, write)
		if err != nil {
			if errors.Is(err, guest.ErrAppliance) || ctx.Err() != nil || slices.Contains(needed, m.Point) {
				return nil, err
			}
			warnings = append(warnings, guest.Warning{Message: err.Error() + ": it is left out"})
			continue
		}
		m.Free = free
		s.mounts = append(s.mounts, m)
		for i := range system.Volumes {
			if system.Volumes[i].Device == m.Device {
				system.Volumes[i].Free = free
			}
		}
	}
	system.Mounts = slices.Clone(s.mounts)
	label, err := s.label(ctx, "/etc")
	s.labels = label != ""
	return warnings, err
}

// Unmount takes everything out of the tree, so that it can be checked, or mounted in another way.
func (s *Session) Unmount(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unmount(ctx)
}

func (s *Session) unmount(ctx context.Context) error {
	s.cache.clear()
	s.mounts, s.labels = nil, false
	_, err := s.call(ctx, "umount-all")
	return err
}

// mount mounts one file system and returns what is free on it.
func (s *Session) mount(ctx context.Context, m guest.Mount, write bool) (int64, error) {
	said := func(err error) error {
		if errors.Is(err, guest.ErrAppliance) {
			return err
		}
		kind := guest.ErrUnclean
		if !write {
			kind = guest.ErrNoSystem
		}
		return fmt.Errorf("%w: %s on %s: %w", kind, m.Device, clean(m.Point), err)
	}
	var options []string
	if !write {
		options = append(options, "ro")
	}
	if m.Options != "" {
		options = append(options, m.Options)
	}
	if _, err := s.call(ctx, "mount-options", strings.Join(options, ","), m.Device, m.Point); err != nil {
		return 0, said(err)
	}
	if write {
		probe := path.Join(m.Point, tempPrefix+rand.Text())
		if _, err := s.call(ctx, "touch", probe); err != nil {
			return 0, said(err)
		}
		if _, err := s.call(ctx, "rm", probe); err != nil {
			return 0, said(err)
		}
	}
	free, err := s.free(ctx, m.Point)
	if err != nil {
		return 0, said(err)
	}
	return free, nil
}

// Trimmed is one file system of which the free blocks were given back.
type Trimmed struct {
	Point string
	Err   error // why not: the file system cannot, or the device below
}

// Trim discards the free blocks of every file system that is mounted, so that they are not converted. Only a dead appliance is an error.
func (s *Session) Trim(ctx context.Context) ([]Trimmed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Trimmed
	for _, m := range s.mounts {
		err := s.do(ctx, s.alive("discarding the free blocks of "+clean(m.Point)), "fstrim", m.Point)
		if errors.Is(err, guest.ErrAppliance) || ctx.Err() != nil {
			return nil, err
		}
		out = append(out, Trimmed{m.Point, err})
	}
	return out, nil
}
