package convert

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/disk/packed"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

// openImage opens the image in f with its chain and measures it. It takes over f, also when it fails. The stated format is
// held against the content; "" takes what the content is. Extents and parents are looked for at the image's place.
func openImage(ctx context.Context, f disk.File, name, stated string, at place) (disk.Image, DiskFacts, error) {
	fileBytes, method, sealed := storedAs(f)
	if sealed {
		f.Close()
		return disk.EmptyImage(0), DiskFacts{Name: name, FileBytes: fileBytes, Packed: method}, nil
	}
	format, err := chooseFormat(f, name, stated)
	var img disk.Image
	if err == nil {
		img, err = formats.Open(ctx, f, formats.OpenOptions{Format: format, Open: at.open, Siblings: at.siblings})
	}
	if err != nil {
		f.Close()
		return nil, DiskFacts{}, err
	}
	facts, err := newDiskFacts(ctx, img, name, fileBytes)
	if err != nil {
		img.Close()
		return nil, DiskFacts{}, err
	}
	facts.Packed = method
	return img, facts, nil
}

// rawIfStated are formats that are taken as they are, bytes of a raw disk, where a person says so.
var rawIfStated = []string{"luks", packed.Gzip, packed.XZ, packed.Zstd, packed.Bzip2}

// chooseFormat finds the format of a file by its content. A file of no known format is a raw disk only if its ending or the
// manifest says so: otherwise the head of a damaged image would become the first sectors of a disk.
func chooseFormat(f disk.File, name, stated string) (string, error) {
	found, err := formats.Probe(f)
	stated = plainFormat(stated)
	switch {
	case stated == manifest.FormatRaw && err != nil && (errors.Is(err, disk.ErrFormat) || slices.Contains(rawIfStated, found)):
		return manifest.FormatRaw, nil // only a person can tell, and has
	case err != nil && !errors.Is(err, disk.ErrFormat):
		return "", err
	case stated == "" && err != nil:
		return "", err
	case stated == "" && found == manifest.FormatRaw && !mayBeRaw(contentName(f, name)):
		return "", coded(manifest.CodeSourceUnknown, "copy the file again; if it is a raw disk, rename it to end in .img, or say input_format: raw in a manifest",
			fmt.Errorf("%s is of no known format, and its name does not say that it is a raw disk", machine.Quote(name)))
	case stated == "" || stated == found:
		return found, nil
	case err != nil: // ambiguous, and the manifest says which
		return stated, nil
	}
	return "", mismatch("source %s is said to be %s, and its content is %s", machine.Quote(name), machine.Quote(stated), found)
}

// formatAliases are other words for a format that manifests use.
var formatAliases = map[string]string{"img": "raw", "ami": "raw", "bin": "raw", "dd": "raw", "vpc": "vhd", "avhd": "vhd", "avhdx": "vhdx"}

// plainFormat returns the name of a stated format as the engine says it.
func plainFormat(stated string) string {
	stated = strings.ToLower(stated)
	if alias, ok := formatAliases[stated]; ok {
		return alias
	}
	return stated
}

// newDiskFacts says what an open image is and how much of it there is to read.
func newDiskFacts(ctx context.Context, img disk.Image, name string, fileBytes int64) (DiskFacts, error) {
	facts := DiskFacts{Name: name, VirtualSize: img.Size(), FileBytes: fileBytes}
	info := formats.Describe(img)
	if len(info) > 0 {
		facts.Format, facts.Variant, facts.Creator = info[0].Format, info[0].Variant, info[0].Creator
	}
	if len(info) > 1 {
		for _, layer := range info {
			if len(layer.Files) > 0 {
				facts.Chain = append(facts.Chain, path.Base(layer.Files[0]))
			}
		}
	}
	if img.Size() == 0 {
		return DiskFacts{}, coded(manifest.CodeSourceEmpty, "", fmt.Errorf("%s is an image of a disk without a single byte", machine.Quote(name)))
	}
	var err error
	if facts.Allocated, facts.Touched, err = measure(ctx, img); err != nil {
		return DiskFacts{}, fmt.Errorf("read the map of %s: %w", machine.Quote(name), err)
	}
	return facts, nil
}
