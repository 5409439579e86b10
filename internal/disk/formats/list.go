package formats

import (
	"context"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/raw"
)

// Format describes one image format to people and programs.
type Format struct {
	Name         string   // as in --format and in a report: qcow2, vmdk, raw
	Title        string   // what people call it
	Extensions   []string // without the dot, the usual one first
	Read, Write  bool
	Compression  []string // that Create takes; "" is the format's own way
	ClusterSizes bool     // Create takes a ClusterSize
	Subformats   []string // that Create takes, the usual one first; empty = there is one only
}

// CreateOptions say how to write an image. The zero value writes without compression.
type CreateOptions struct {
	Compression string // "" for none, zlib, zstd; not every format has each
	Level       int    // of the compression; 0 is the format's default
	ClusterSize int    // bytes; 0 is the format's default
	Subformat   string // one of Format.Subformats; "" is the first
}

// format is an entry of the list.
type format struct {
	Format
	// match says whether the start and the end of a file are of this format.
	match func(*sample) bool
	open  func(context.Context, disk.File, disk.Env) (disk.Image, error)
	// create makes a writer; the compression was checked.
	create func(disk.Target, int64, CreateOptions) (disk.Writer, error)
	advice string // what to do about a format that is not read
}

// list returns all formats in the order in which they are tried. Raw is last: everything is raw.
func list() []format {
	return append(supported(), refused()...)
}

var rawFormat = format{
	Format: Format{Name: "raw", Title: "raw image", Extensions: []string{"raw", "img", "bin", "ami", "dd"}, Read: true, Write: true, Compression: []string{""}},
	match:  func(*sample) bool { return true },
	open: func(ctx context.Context, f disk.File, env disk.Env) (disk.Image, error) {
		return opened(raw.Open(ctx, f, env))
	},
	create: func(t disk.Target, size int64, _ CreateOptions) (disk.Writer, error) {
		return created(raw.NewWriter(t, size))
	},
}

// opened and created keep a nil pointer from becoming an interface that is not nil.
func opened[T disk.Image](img T, err error) (disk.Image, error) {
	if err != nil {
		return nil, err
	}
	return img, nil
}

func created[T disk.Writer](w T, err error) (disk.Writer, error) {
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Formats returns the formats that this program reads or writes, and those that it knows by name only.
func Formats() []Format {
	var all []Format
	for _, f := range list() {
		all = append(all, f.Format)
	}
	return append(all, rawFormat.Format)
}
