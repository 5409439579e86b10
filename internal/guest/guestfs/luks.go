package guestfs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"hyper2kvm/internal/guest"
)

// maxLayers is how deep encryption may be nested: LUKS below LVM below LUKS is the deepest in the field.
const maxLayers = 4

// unlock lists the volumes, after it has opened those that a key opens; locked are those that stay shut.
func (s *Session) unlock(ctx context.Context, keys map[string]string) (volumes, locked []volume, err error) {
	for range maxLayers {
		if volumes, err = s.list(ctx); err != nil {
			return nil, nil, err
		}
		locked = nil
		opened := false
		for _, v := range volumes {
			if v.children > 0 || v.Type != "crypto_LUKS" && v.Type != "BitLocker" {
				continue
			}
			ok, err := s.open(ctx, v, keys)
			if err != nil {
				return nil, nil, err
			}
			if !ok {
				locked = append(locked, v)
			}
			opened = opened || ok
		}
		if !opened {
			return volumes, locked, nil
		}
		for _, step := range []string{"lvm-scan", "vg-activate-all"} {
			if _, err := s.call(ctx, step, "true"); err != nil {
				return nil, nil, err
			}
		}
	}
	return nil, nil, fmt.Errorf("%w: encrypted volumes are nested more than %d deep", guest.ErrLimit, maxLayers)
}

// open tries the keys that are meant for a volume.
func (s *Session) open(ctx context.Context, v volume, keys map[string]string) (bool, error) {
	for _, name := range append([]string{v.Device, v.UUID, ""}, v.Names...) {
		key, ok := keys[name]
		if !ok {
			continue
		}
		if strings.ContainsAny(key, "\n\x00") {
			return false, fmt.Errorf("%w: the key of %s holds a line break or a NUL, which cannot be passed", guest.ErrEncrypted, v.Device)
		}
		line, err := command("cryptsetup-open", v.Device, "luks-"+v.UUID)
		if err != nil {
			return false, err
		}
		_, err = s.f.do(ctx, s.alive("opening "+v.Device), line, key)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, guest.ErrAppliance):
			return false, err
		}
	}
	return false, nil
}

// alias adds the names that crypttab gives to opened volumes: lines of a name, the device below, and more (crypttab(5)).
func alias(shown []guest.Volume, volumes []volume, crypttab string) {
	for line := range strings.Lines(crypttab) {
		f := strings.Fields(line)
		if len(f) < 2 || strings.HasPrefix(f[0], "#") || strings.Contains(f[0], "/") {
			continue
		}
		below, found := resolve(f[1], volumes)
		if len(found) != 1 {
			continue
		}
		for _, v := range volumes {
			if v.kind != "crypt" || len(v.parents) == 0 || v.parents[0] != below.kname {
				continue
			}
			for i := range shown {
				if name := "/dev/mapper/" + f[0]; shown[i].Device == v.Device && name != v.Device {
					shown[i].Names = append(shown[i].Names, name)
				}
			}
		}
	}
}
