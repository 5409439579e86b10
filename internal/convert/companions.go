package convert

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/machine/ovf"
)

// Companions lists the names of the files beside path that belong to it: the disks of an OVF or VMX file, the extents and parents
// of an image. They need not be there. An OVA has none. Headers and descriptors are read, never content.
//
// The error says why path itself cannot be understood; the names found until then are good.
func Companions(ctx context.Context, path string) ([]string, error) {
	var names []string
	var err error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".ova":
		return nil, nil
	case ".ovf":
		names, err = ovfFiles(path)
	case ".vmx":
		names, err = vmxFiles(ctx, path)
	default:
		names, err = imageFiles(ctx, path)
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// imageFiles lists what an image is made of.
func imageFiles(ctx context.Context, path string) ([]string, error) {
	f, err := disk.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	dir := filepath.Dir(path)
	return formats.References(ctx, f, disk.DirOpener(dir), disk.DirSiblings(dir))
}

// ovfFiles lists the files of an OVF package that came unpacked, with its checksums and its signature where they are there.
func ovfFiles(path string) ([]string, error) {
	f, err := disk.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	pkg, err := ovf.Parse(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range pkg.Files {
		if file.Name != "" {
			names = append(names, file.Name)
		}
	}
	stem := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	for _, optional := range []string{stem + ".mf", stem + ".cert"} {
		if _, err := os.Lstat(filepath.Join(filepath.Dir(path), optional)); err == nil {
			names = append(names, optional)
		}
	}
	return names, nil
}

// vmxFiles lists the disks of a VMX file and what those are made of.
func vmxFiles(ctx context.Context, path string) ([]string, error) {
	f, err := disk.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := parseVMX(f)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range m.Disks {
		if d.Blank() {
			continue
		}
		names = append(names, d.File)
		more, err := imageFiles(ctx, filepath.Join(filepath.Dir(path), filepath.FromSlash(d.File)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return names, err
		}
		names = append(names, more...)
	}
	return names, nil
}
