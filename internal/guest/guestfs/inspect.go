package guestfs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"hyper2kvm/internal/guest"
)

// InspectOptions say what a look into the disks may use.
type InspectOptions struct {
	// Keys are the passphrases of encrypted volumes: by device (/dev/sda2), by UUID, or "" for any.
	Keys map[string]string
	// BootDisk is the disk from which the VM starts, counted from 0; -1 where nobody knows.
	BootDisk int
}

// Inspection is what was found. Mounts of the System are planned, nothing is mounted.
type Inspection struct {
	System   guest.System
	Warnings []guest.Warning
}

// Inspect looks at all volumes, opens encrypted ones, and finds the operating system, what it mounts and where. It leaves nothing
// mounted, and writes nothing but the journals that the kernel replays when it mounts. No system is guest.ErrNoSystem, one behind a lock
// that no key opens guest.ErrEncrypted.
func (s *Session) Inspect(ctx context.Context, o InspectOptions) (Inspection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.cache.clear()
	var in Inspection
	volumes, locked, err := s.unlock(ctx, o.Keys)
	if err != nil {
		return Inspection{}, err
	}
	in.System.Volumes = contents(volumes)
	if in.Warnings, err = s.journals(ctx, volumes); err != nil {
		return Inspection{}, err
	}
	roots, warnings, err := s.roots(ctx, volumes)
	if err != nil {
		return Inspection{}, err
	}
	in.Warnings = append(in.Warnings, warnings...)
	for _, l := range locked {
		in.Warnings = append(in.Warnings, guest.Warning{
			Message: fmt.Sprintf("%s is encrypted and no key opens it", l.Device), Hint: "name a file with its passphrase under key_file in the manifest",
		})
	}
	if len(roots) == 0 && len(locked) == 0 {
		return s.other(ctx, in)
	}
	slices.SortStableFunc(roots, func(a, b root) int { return a.rank(o.BootDisk) - b.rank(o.BootDisk) })
	// A system on another disk than the one that boots is not taken for the one that nobody could look into.
	for _, l := range locked {
		if len(roots) == 0 || slices.Contains(l.disks, o.BootDisk) && !slices.Contains(roots[0].volume.disks, o.BootDisk) {
			return Inspection{}, fmt.Errorf("%w: no key opens %s", guest.ErrEncrypted, l.Device)
		}
	}
	best := roots[0]
	in.System.Family, in.System.Root, in.System.Subvol = best.family, best.volume.Device, best.subvol
	for _, r := range roots {
		if r.name() != best.name() {
			in.System.Roots = append(in.System.Roots, r.name())
		}
		in.System.Roots = append(in.System.Roots, r.others...)
	}
	in.System.Hibernated, in.System.Dirty, in.System.DirtyWhy = best.hibernated, best.dirty, best.why
	in.asleep()
	if best.family == guest.FamilyLinux {
		alias(in.System.Volumes, volumes, best.crypttab)
		in.plan(best)
	} else {
		in.System.Mounts = []guest.Mount{{Point: "/", Device: best.volume.Device, Type: best.volume.Type}}
	}
	return in, nil
}

// other asks libguestfs, which knows more systems than are repaired, whether there is one. That takes long.
func (s *Session) other(ctx context.Context, in Inspection) (Inspection, error) {
	none := fmt.Errorf("%w on %d volumes", guest.ErrNoSystem, len(in.System.Volumes))
	if len(in.System.Volumes) == 0 {
		return Inspection{}, none
	}
	out, err := s.call(ctx, "inspect-os")
	if errors.Is(err, guest.ErrAppliance) {
		return Inspection{}, err
	}
	if err != nil || firstLine(out) == "" {
		return Inspection{}, none
	}
	in.System.Root = firstLine(out)
	out, err = s.call(ctx, "inspect-get-type", in.System.Root)
	if err != nil {
		return Inspection{}, err
	}
	switch kind := firstLine(out); kind {
	case guest.FamilyLinux, guest.FamilyWindows:
		in.System.Family = kind
	default:
		in.System.Family = guest.FamilyOther
	}
	in.System.Mounts = []guest.Mount{{Point: "/", Device: in.System.Root}}
	if v, ok := in.System.VolumeByDevice(in.System.Root); ok {
		in.System.Mounts[0].Type = v.Type
	}
	return in, nil
}

// journals tells which file systems were not unmounted. It must be asked before the first mount, which replays them even where it is
// read-only.
func (s *Session) journals(ctx context.Context, volumes []volume) ([]guest.Warning, error) {
	var warnings []guest.Warning
	for _, v := range volumes {
		if v.Type != "ext3" && v.Type != "ext4" {
			continue
		}
		// s_feature_incompat of the superblock stands at 1024+0x60, INCOMPAT_RECOVER is bit 2 (linux/fs/ext4/ext4.h).
		b, err := s.call(ctx, "pread-device", v.Device, "4", "1120")
		if errors.Is(err, guest.ErrAppliance) || ctx.Err() != nil {
			return nil, err
		}
		if err == nil && len(b) == 4 && b[0]&4 != 0 {
			warnings = append(warnings, guest.Warning{Message: v.Device + " was not unmounted: its journal is replayed when it is mounted"})
		}
	}
	return warnings, nil
}

// asleep tells of systems that sleep in a swap volume, and shows that as the swap that it is.
func (in *Inspection) asleep() {
	for i, v := range in.System.Volumes {
		if v.Type != "swsuspend" {
			continue
		}
		in.System.Volumes[i].Type = "swap"
		in.System.Hibernated = in.System.Hibernated || in.System.Family == guest.FamilyLinux
		in.Warnings = append(in.Warnings, guest.Warning{
			Message: v.Device + " holds a hibernated system", Hint: "start the guest at its source and shut it down",
		})
	}
}
