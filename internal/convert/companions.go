package convert

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/disk/packed"
	"hyper2kvm/internal/machine/ovf"
)

// Companions lists the names of the files beside file that belong to it: the disks of an OVF or VMX file, the extents and parents
// of an image. They need not be there. An OVA has none. Headers and descriptors are read, never content.
//
// The error says why file itself cannot be understood; the names found until then are good.
func Companions(ctx context.Context, file string) ([]string, error) {
	var names []string
	var err error
	switch strings.ToLower(filepath.Ext(file)) {
	case ".ova":
		return nil, nil
	case ".ovf":
		names, err = ovfFiles(file)
	case ".vmx":
		names, err = vmxFiles(ctx, file)
	default:
		names, err = imageFiles(ctx, file)
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// imageFiles lists what an image is made of.
func imageFiles(ctx context.Context, file string) ([]string, error) {
	f, err := disk.OpenFile(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, ok := packed.Detect(f); ok {
		return nil, nil // what it names is known when it is unpacked
	}
	dir := filepath.Dir(file)
	return formats.References(ctx, f, disk.DirOpener(dir), disk.DirSiblings(dir))
}

// ovfFiles lists the files of an OVF package that came unpacked, with its checksums and its signature where they are there.
func ovfFiles(file string) ([]string, error) {
	f, err := disk.OpenFile(file)
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
		names = append(names, pieces(file)...)
	}
	stem := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	for _, optional := range []string{stem + ".mf", stem + ".cert"} {
		if _, err := os.Lstat(filepath.Join(filepath.Dir(file), optional)); err == nil {
			names = append(names, optional)
		}
	}
	return names, nil
}

// pieces lists what a file of a package is stored as: itself, or its pieces. A package that does not state its size does not tell their
// number either, and gets the first.
func pieces(f ovf.File) []string {
	switch {
	case f.Name == "":
		return nil
	case f.ChunkSize <= 0:
		return []string{f.Name}
	}
	var names []string
	for i := range packed.Chunks(f.Size, f.ChunkSize) {
		names = append(names, packed.ChunkName(f.Name, i))
	}
	return names
}

// filesBelow is imageFiles for an image that a description beside it names. A name may lead into a folder, but through no link: the
// folder may be somebody else's than who asks.
func filesBelow(ctx context.Context, dir, name string) ([]string, error) {
	at, err := OpenDirBelow(dir, filepath.FromSlash(path.Dir(name)))
	if err != nil {
		return nil, err
	}
	defer at.Close()
	names, err := imageFiles(ctx, filepath.Join(DirPath(at), path.Base(name)))
	for i := range names {
		names[i] = path.Join(path.Dir(name), names[i])
	}
	return names, err
}

// vmxFiles lists the disks of a VMX file and what those are made of.
func vmxFiles(ctx context.Context, file string) ([]string, error) {
	f, err := disk.OpenFile(file)
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
		more, err := filesBelow(ctx, filepath.Dir(file), d.File)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return names, err
		}
		names = append(names, more...)
	}
	return names, nil
}
