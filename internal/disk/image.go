package disk

import (
	"context"
	"io"
)

// SectorSize is the unit in which most formats count; the guest-visible size of an image need not be a multiple of it.
const SectorSize = 512

// Kind says what stands behind a range of an image's content.
type Kind uint8

// The kinds of an Extent. Zero and Unallocated both read as zeroes; Unallocated means that no layer of the chain ever
// wrote there, Zero that a layer says so explicitly.
const (
	Data Kind = iota
	Zero
	Unallocated
)

// String returns the word used in maps and reports: data, zero or unallocated.
func (k Kind) String() string {
	switch k {
	case Data:
		return "data"
	case Zero:
		return "zero"
	case Unallocated:
		return "unallocated"
	}
	return "unknown"
}

// Extent is a byte range of an image's content with a single Kind.
type Extent struct {
	Off, Len   int64 // bytes of guest-visible content; Len > 0
	Kind       Kind
	Compressed bool // the data is stored compressed; only with Kind Data
}

// End returns the offset just past the extent.
func (e Extent) End() int64 { return e.Off + e.Len }

// Image is the guest-visible content of a disk, its whole chain included. All methods are safe for concurrent use.
//
// ReadAt follows io.ReaderAt: it fills p, or returns n < len(p) with an error; reading at or past Size returns io.EOF.
// It never returns content together with an error other than io.EOF for a read cut at Size.
type Image interface {
	io.ReaderAt
	// Size returns the virtual size in bytes. It may be any number >= 0, not only a multiple of SectorSize.
	Size() int64
	// Extent returns the extent that begins exactly at off and reaches as far as the reader can tell cheaply without
	// changing kind: 1 <= Len <= Size()-off. At off >= Size() it returns io.EOF. Neighbouring extents may be of one kind.
	Extent(ctx context.Context, off int64) (Extent, error)
	// Close releases the image and every file it opened through an Opener, and the file it was opened on.
	Close() error
}

// File is a host file that an image is read from. It never changes while it is open.
type File interface {
	io.ReaderAt
	io.Closer
	// Name returns the name for messages: the last element of the path, or a member's name in an archive.
	Name() string
	// Size returns the size in bytes at the time the file was opened.
	Size() int64
}

// HoleFinder is a File that knows where the file system stores data.
type HoleFinder interface {
	// NextData returns the first range [start, end) at or after off that may hold data; everything between off and start
	// is a hole. It returns io.EOF when only holes follow.
	NextData(off int64) (start, end int64, err error)
}

// Opener opens a file that an image names: an extent, a parent, an external data file. It is the only way from an image to
// another file, and the only place where the policy about names stands: what it does not allow gives ErrOutside, what is
// not there gives ErrMissing. The name is what the image says, byte for byte.
type Opener func(name string) (File, error)

// Env is what opening one image may need besides its own file.
type Env struct {
	// Open opens sibling files. nil refuses every name with ErrOutside.
	Open Opener
	// OpenImage opens a parent image by the name and, where the child states it, the format ("" = probe). The package
	// formats provides it, with the limit on the length of a chain and the guard against loops. nil refuses every parent.
	OpenImage func(ctx context.Context, name, format string) (Image, error)
	// Siblings are the files to look through for a parent that is known by an identifier (VDI) or was renamed (VHD).
	Siblings Siblings
}

// Info says what an image is, for people and reports. Fields that a format does not have are empty.
type Info struct {
	Format      string   // raw, qcow2, vmdk ...
	Variant     string   // streamOptimized, monolithicFlat, v3 ...
	Creator     string   // the program that wrote it, if the image says so
	Files       []string // names of all files that this layer reads, its own first
	Parent      string   // name of the parent as the image states it
	Size        int64    // virtual size, bytes
	ClusterSize int64    // unit of allocation, bytes; 0 where there is none
	Compressed  bool     // data may be stored compressed
	Notes       []string // what a person should know: an unclean shutdown, a stale name
}

// Describer is an Image that can say what it is. Every reader of this project is one.
type Describer interface {
	// Describe returns the layers of the chain, the top first.
	Describe() []Info
}

// Whole is an Image that is the content of one file, byte for byte.
type Whole interface {
	Image
	// File returns that file, which the image still owns.
	File() File
}
