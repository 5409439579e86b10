package linux

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/initramfs"
)

// The header of an x86 kernel (Documentation/arch/x86/boot.rst): its magic, and where the text of its version is, counted from setup.
const (
	bootHeaderMagic = 0x202 // HdrS
	bootVersionAt   = 0x20e
	bootSetup       = 0x200
)

// imageVersion tells the version of a kernel: by its name, where modules are there under it, else by its header, else by the name that
// Arch keeps beside the modules. Where all fail it is the name.
func (s *kernelSearch) imageVersion(ctx context.Context, name, suffix string) (string, error) {
	if s.versions[suffix] != "" {
		return suffix, nil
	}
	version, err := headerVersion(ctx, s.tree, name)
	if err != nil || version != "" {
		return version, err
	}
	if s.bases == nil {
		if err := s.readBases(ctx); err != nil {
			return "", err
		}
	}
	if v, ok := s.bases[suffix]; ok {
		return v, nil
	}
	if suffix == "" && len(s.versions) == 1 {
		return slices.Collect(maps.Keys(s.versions))[0], nil
	}
	return suffix, nil
}

// readBases reads the names of packages that Arch keeps beside the modules, and the flavours that Alpine does.
func (s *kernelSearch) readBases(ctx context.Context) error {
	s.bases = map[string]string{}
	for version, dir := range s.versions {
		for _, n := range []string{"pkgbase", "kernel-suffix"} {
			b, ok, err := lookFile(ctx, s.tree, path.Join(dir, n))
			if err != nil {
				return err
			}
			if base := firstLine(b); ok && base != "" {
				s.bases[base] = version
			}
		}
	}
	return nil
}

// headerVersion reads the version in a kernel's header; "" for a file without one.
func headerVersion(ctx context.Context, tree guest.FS, name string) (string, error) {
	f, err := tree.Open(ctx, name)
	if err != nil {
		if absent(err) {
			return "", nil
		}
		return "", err
	}
	defer f.Close()
	var h [0x10]byte
	if n, err := f.ReadAt(h[:], bootHeaderMagic); n < len(h) {
		return "", endIsNone(err)
	}
	off := int64(binary.LittleEndian.Uint16(h[bootVersionAt-bootHeaderMagic:]))
	if string(h[:4]) != "HdrS" || off == 0 {
		return "", nil
	}
	b := make([]byte, maxImageVersion)
	n, err := f.ReadAt(b, bootSetup+off)
	if n == 0 {
		return "", endIsNone(err)
	}
	text, _, _ := bytes.Cut(b[:n], []byte{0})
	version, _, _ := strings.Cut(string(text), " ")
	if !plainVersion(version) {
		return "", nil
	}
	return version, nil
}

// endIsNone makes nothing of the end of a file that is shorter than a kernel.
func endIsNone(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// plainVersion reports whether a version is one that a command line can be given: it comes from a hostile file's name.
func plainVersion(v string) bool {
	if v == "" || len(v) > maxImageVersion || !strings.ContainsRune("0123456789", rune(v[0])) {
		return false
	}
	return strings.Trim(v, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._+~-") == "" && !strings.Contains(v, "..")
}

// unified looks for unified kernel images, of which each is kernel and initramfs in one.
func (s *kernelSearch) unified(ctx context.Context) error {
	for _, dir := range []string{"/boot/efi/EFI/Linux", "/efi/EFI/Linux", "/boot/EFI/Linux"} {
		names, err := lookDir(ctx, s.tree, dir)
		if err != nil {
			return err
		}
		for _, n := range names[:min(len(names), maxKernels)] {
			if !strings.HasSuffix(strings.ToLower(n), ".efi") {
				continue
			}
			name := path.Join(dir, n)
			version, ok, err := unifiedVersion(ctx, s.tree, name)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if !ok {
				continue
			}
			if version == "" {
				version = strings.TrimSuffix(n, path.Ext(n))
			}
			// A bare kernel of the same version is what this one was made of (mkinitcpio(8), --uki): nothing starts it without an initramfs.
			s.found = slices.DeleteFunc(s.found, func(k guest.Kernel) bool { return k.Version == version && k.Initrd == "" })
			if err := s.add(ctx, guest.Kernel{Version: version, Image: name, Initrd: name}); err != nil {
				return err
			}
		}
	}
	return nil
}

// unifiedKernel reports whether kernel and initramfs are one file.
func unifiedKernel(k guest.Kernel) bool { return k.Image != "" && k.Image == k.Initrd }

// unifiedVersion reads what a unified kernel image says its version is; ok is false for another kind of program.
func unifiedVersion(ctx context.Context, tree guest.FS, name string) (version string, ok bool, err error) {
	f, err := tree.Open(ctx, name)
	if err != nil {
		if absent(err) {
			return "", false, nil
		}
		return "", false, err
	}
	defer f.Close()
	u, err := initramfs.ReadUnified(f, f.Size())
	if err != nil {
		for _, kind := range []error{initramfs.ErrFormat, initramfs.ErrCorrupt, initramfs.ErrLimit} {
			if errors.Is(err, kind) {
				return "", false, nil
			}
		}
		return "", false, err
	}
	if plainVersion(u.Version) {
		version = u.Version
	}
	return version, true, nil
}
