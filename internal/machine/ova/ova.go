// Package ova reads an OVA, the tar archive of an OVF package, in place: its members are sections of the file, nothing is unpacked.
//
// The specification (DSP0243 6.4) wants the descriptor first and ustar headers. In the field the order varies and large members
// use pax or GNU headers, which are read too. A member that is anything but a plain file of a plain name is refused.
package ova

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/machine/ovf"
)

// Limits of an archive.
const (
	// MaxMembers bounds the members: a disk in chunks has hundreds, a hostile archive millions.
	MaxMembers = 20_000
	// blockSize is the unit of a tar archive.
	blockSize = 512
)

// Member is a file in the archive.
type Member struct {
	Name string // relative name without "./"
	Off  int64  // of its content in the archive, bytes
	Size int64  // bytes
}

// Archive is an OVA whose members are known. It may be used by several goroutines.
type Archive struct {
	r        io.ReaderAt
	members  []Member
	byName   map[string]int
	warnings []string
}

// Open reads the headers of an archive of that size in bytes. Errors are ErrDescriptor for what is no tar archive,
// ErrDescriptor with ErrTruncated for one that ends early, ErrUnsupported for a compressed one, ErrMember for a member that
// is not allowed, ErrLimit, or the reader's own.
func Open(r io.ReaderAt, size int64) (*Archive, error) {
	a := &Archive{r: r, byName: map[string]int{}}
	if err := a.index(size); err != nil {
		return nil, fmt.Errorf("ova: %w", err)
	}
	return a, nil
}

// compressed names the containers that are taken for an OVA and are not one, by their first bytes.
var compressed = []struct{ magic, name, hint string }{
	{"\x1f\x8b", "gzip", "gunzip"}, {"\xfd7zXZ\x00", "xz", "unxz"}, {"BZh", "bzip2", "bunzip2"},
	{"\x28\xb5\x2f\xfd", "zstd", "unzstd"}, {"PK\x03\x04", "zip", "unzip"},
}

// index walks the headers.
func (a *Archive) index(size int64) error {
	head := make([]byte, min(blockSize, max(size, 0)))
	if _, err := a.r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read first block: %w", err)
	}
	for _, c := range compressed {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			return fmt.Errorf("%w: the archive is compressed with %s; an OVA is a plain tar: unpack it with %s first", machine.ErrUnsupported, c.name, c.hint)
		}
	}
	if size < blockSize {
		return fmt.Errorf("%w: not a tar archive: it has %d bytes, needed are at least %d", machine.ErrDescriptor, size, blockSize)
	}
	// tar.Reader skips by seeking and reads headers only. The section's position after Next is where the content begins.
	section := io.NewSectionReader(a.r, 0, size)
	headers := tar.NewReader(section)
	for {
		before, _ := section.Seek(0, io.SeekCurrent) // a section's position is always known
		h, err := headers.Next()
		off, _ := section.Seek(0, io.SeekCurrent)
		switch {
		case errors.Is(err, io.EOF):
			return a.ended(section, off)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("%w: %w: a header needs bytes beyond %d, where the archive ends", machine.ErrDescriptor, machine.ErrTruncated, size)
		case errors.Is(err, tar.ErrHeader) && len(a.members) == 0:
			return fmt.Errorf("%w: not a tar archive: %w at %#x", machine.ErrDescriptor, err, before)
		case err != nil:
			return fmt.Errorf("read header at %#x: %w: %w", before, machine.ErrDescriptor, err)
		}
		if err := a.add(h, off, size); err != nil {
			return err
		}
	}
}

// add checks a header and takes its member in.
func (a *Archive) add(h *tar.Header, off, size int64) error {
	if len(a.members) >= MaxMembers {
		return fmt.Errorf("%w: more than %d members", machine.ErrLimit, MaxMembers)
	}
	refuse := func(what string) error {
		return fmt.Errorf("%w: %s: %s; needed are plain files", machine.ErrMember, machine.Quote(h.Name), what)
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
	case tar.TypeDir:
		return directory(h.Name)
	case tar.TypeXGlobalHeader:
		return nil
	case tar.TypeLink:
		return refuse("it is a hard link")
	case tar.TypeSymlink:
		return refuse("it is a symbolic link")
	default:
		return refuse(fmt.Sprintf("it has the type %q", h.Typeflag))
	}
	if h.Typeflag == tar.TypeGNUSparse || hasSparseRecord(h) {
		return refuse("it is stored with holes (sparse); pack it again without")
	}
	name, err := machine.RelativeName(h.Name)
	if err != nil {
		return err
	}
	if _, twice := a.byName[name]; twice {
		return fmt.Errorf("%w: %s: it is there twice", machine.ErrMember, machine.Quote(name))
	}
	if h.Size < 0 || h.Size > size-off {
		return fmt.Errorf("%w: %w: member %s needs %d bytes from %#x, the archive has %d of them", machine.ErrDescriptor, machine.ErrTruncated,
			machine.Quote(name), h.Size, off, max(size-off, 0))
	}
	a.byName[name] = len(a.members)
	a.members = append(a.members, Member{Name: name, Off: off, Size: h.Size})
	return nil
}

// directory lets the entries of directories pass, which "tar c ." writes and which hold nothing, unless their names lead outside.
func directory(name string) error {
	if path.Clean(name) == "." && !strings.HasPrefix(name, "/") {
		return nil
	}
	_, err := machine.RelativeName(name)
	return err
}

// hasSparseRecord reports whether pax records make the member a sparse file.
func hasSparseRecord(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// ended notes an archive without its end: two blocks of zeroes. It may have lost members.
func (a *Archive) ended(section *io.SectionReader, off int64) error {
	if len(a.members) == 0 {
		return fmt.Errorf("%w: there are no files in the archive", machine.ErrDescriptor)
	}
	last := make([]byte, 2*blockSize)
	if off < int64(len(last)) {
		return nil
	}
	if _, err := section.ReadAt(last, off-int64(len(last))); err != nil {
		return fmt.Errorf("read the archive's end: %w", err)
	}
	if !bytes.Equal(last, make([]byte, len(last))) {
		a.warnings = append(a.warnings, "the archive has no end mark; it may have been cut between two members")
	}
	return nil
}

// Members returns the files in the archive's order.
func (a *Archive) Members() []Member { return append([]Member(nil), a.members...) }

// Warnings returns what is strange about the archive, for the report.
func (a *Archive) Warnings() []string {
	out := append([]string(nil), a.warnings...)
	for _, m := range a.members {
		if strings.EqualFold(path.Ext(m.Name), ".cert") {
			out = append(out, fmt.Sprintf("the package is signed (%s); the signature is not verified", machine.Quote(m.Name)))
		}
	}
	return out
}

// Member returns the content of the file of that name; ErrMissing if there is none.
func (a *Archive) Member(name string) (*io.SectionReader, error) {
	i, ok := a.byName[name]
	if !ok {
		return nil, fmt.Errorf("ova: %w: %s is not in the archive", machine.ErrMissing, machine.Quote(name))
	}
	return io.NewSectionReader(a.r, a.members[i].Off, a.members[i].Size), nil
}

// descriptor returns the first .ovf, wherever it stands. The forks that macOS adds (._x.ovf) are none.
func (a *Archive) descriptor() (Member, bool) {
	for _, m := range a.members {
		if strings.EqualFold(path.Ext(m.Name), ".ovf") && !strings.HasPrefix(path.Base(m.Name), "._") {
			return m, true
		}
	}
	return Member{}, false
}

// OVF returns the name and the text of the package's descriptor, the first .ovf in the archive.
func (a *Archive) OVF() (name string, text []byte, err error) {
	m, ok := a.descriptor()
	if !ok {
		return "", nil, fmt.Errorf("ova: %w: there is no .ovf in the archive", machine.ErrDescriptor)
	}
	if m.Size > ovf.MaxBytes {
		return "", nil, fmt.Errorf("ova: %w: the descriptor %s has %d bytes, the most is %d", machine.ErrLimit, machine.Quote(m.Name), m.Size, ovf.MaxBytes)
	}
	text = make([]byte, m.Size)
	if _, err := a.r.ReadAt(text, m.Off); err != nil && !errors.Is(err, io.EOF) {
		return "", nil, fmt.Errorf("ova: read %s: %w", machine.Quote(m.Name), err)
	}
	return m.Name, text, nil
}
