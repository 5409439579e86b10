package vmdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"hyper2kvm/internal/disk"
)

// Open opens a VMDK on its descriptor or on its only extent, and through env the extents and the parent that it names. It
// owns f from then on, and closes it when it fails. It gives disk.ErrFormat for a file that is no VMDK.
func Open(ctx context.Context, f disk.File, env disk.Env) (*Image, error) {
	o := opener{
		img:         &Image{name: f.Name(), files: []disk.File{f}},
		env:         env,
		caches:      newCaches(),
		directories: maxDirectory,
	}
	if err := o.open(ctx, f); err != nil {
		_ = o.img.Close() // err says what went wrong first
		return nil, err
	}
	return o.img, nil
}

// opener is the state of opening one image.
type opener struct {
	img         *Image
	env         disk.Env
	caches      caches
	directories int64 // grain directory entries that may still be read
}

func (o *opener) open(ctx context.Context, f disk.File) error {
	head := make([]byte, min(f.Size(), probeSize))
	if err := readFull(f, "read head", head, 0); err != nil {
		return err
	}
	var err error
	switch {
	case bytes.HasPrefix(head, []byte(magicSparse)):
		err = o.openSingle(f)
	case probeText(head):
		err = o.openDescriptor(ctx, f)
	default:
		err = refuseBinary(head, f.Name())
	}
	if err != nil {
		return err
	}
	return o.openParent(ctx)
}

// refuseBinary says what a file without a hosted sparse header is.
func refuseBinary(head []byte, file string) error {
	const op = "open"
	switch {
	case bytes.HasPrefix(head, []byte(magicCOWD)):
		return fault(disk.ErrUnsupported, op, file, 0, "a COWD (vmfsSparse) extent, the snapshot of an ESX server")
	case bytes.HasPrefix(head, []byte(magicSESparse)):
		return fault(disk.ErrUnsupported, op, file, 0, "an seSparse extent, the snapshot of an ESXi server")
	}
	return fault(disk.ErrFormat, op, file, 0, "neither a sparse extent nor a descriptor")
}

// openSingle opens an image that is one hosted sparse extent, with the descriptor inside. The extent's name there is what the
// file was called once; the file at hand counts.
func (o *opener) openSingle(f disk.File) error {
	h, err := readHeader(f)
	if err != nil {
		return err
	}
	d, err := embeddedDescriptor(f, &h)
	if err != nil {
		return err
	}
	sectors := h.capacity
	switch {
	case d == nil:
		d = &Descriptor{ParentCID: noParent, Extents: []ExtentLine{{Access: "RW", Type: "SPARSE", Sectors: sectors}}}
		o.note("%s has no descriptor: it may be one of several extents of a disk", f.Name())
	case len(d.Extents) > 1:
		return fault(disk.ErrUnsupported, "open", f.Name(), h.descriptor*disk.SectorSize, "an embedded descriptor with %d extents, want 1", len(d.Extents))
	case len(d.Extents) == 1:
		sectors = d.Extents[0].Sectors
		if t := d.Extents[0].Type; t != "SPARSE" {
			return fault(disk.ErrUnsupported, "open", f.Name(), h.descriptor*disk.SectorSize, "an embedded descriptor whose extent is of type %q, want SPARSE", t)
		}
	}
	if err := checkDescriptor(d, f.Name()); err != nil {
		return err
	}
	o.img.descriptor = d
	return o.addSparse(f, h, sectors)
}

// openDescriptor opens an image whose descriptor is a file of its own.
func (o *opener) openDescriptor(ctx context.Context, f disk.File) error {
	d, err := readDescriptorFile(f)
	if err != nil {
		return err
	}
	if err := checkDescriptor(d, f.Name()); err != nil {
		return err
	}
	if len(d.Extents) == 0 {
		return fault(disk.ErrCorrupt, "open", f.Name(), noOffset, "the descriptor names no extents")
	}
	o.img.descriptor = d
	for _, e := range d.Extents {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.Sectors == 0 {
			continue
		}
		if e.Type == "ZERO" {
			n := e.Sectors * disk.SectorSize
			o.add(zeroes{n}, n)
			continue
		}
		if err := o.openExtent(e); err != nil {
			return err
		}
	}
	return nil
}

// openExtent opens an extent in a file of its own.
func (o *opener) openExtent(e ExtentLine) error {
	if strings.TrimPrefix(e.Name, "./") == o.img.name {
		return fault(disk.ErrCorrupt, "open extent", o.img.name, noOffset, "line %d: the descriptor names itself as an extent", e.Line)
	}
	f, err := o.openFile(e)
	if err != nil {
		return err
	}
	o.img.files = append(o.img.files, f)
	if sameFile(f, o.img.files[0]) {
		return fault(disk.ErrCorrupt, "open extent", o.img.name, noOffset, "line %d: the extent %q is the descriptor itself", e.Line, e.Name)
	}
	if e.Type != "SPARSE" {
		x, err := newFlat(f, e)
		if err != nil {
			return err
		}
		o.add(x, x.length)
		return nil
	}
	if e.Offset != 0 {
		return fault(disk.ErrUnsupported, "open extent", o.img.name, noOffset, "line %d: a sparse extent at sector %d of %q", e.Line, e.Offset, e.Name)
	}
	var head [headerSize]byte
	n := min(f.Size(), headerSize)
	if err := readFull(f, "read extent header", head[:n], 0); err != nil {
		return err
	}
	if !bytes.HasPrefix(head[:], []byte(magicSparse)) {
		err := refuseBinary(head[:n], f.Name())
		if errors.Is(err, disk.ErrFormat) {
			err = fault(disk.ErrCorrupt, "open extent", f.Name(), 0, "the descriptor %s says that it is a sparse extent, but it has no such header", o.img.name)
		}
		return err
	}
	h, err := readHeader(f)
	if err != nil {
		return err
	}
	return o.addSparse(f, h, e.Sectors)
}

// openFile opens the file of an extent by the name in the descriptor.
func (o *opener) openFile(e ExtentLine) (disk.File, error) {
	fail := func(kind, cause error) (disk.File, error) {
		detail := fmt.Sprintf("line %d: extent file %q", e.Line, e.Name)
		if enc := o.img.descriptor.Encoding; enc != "" && !strings.EqualFold(enc, "UTF-8") && !isASCII(e.Name) {
			detail += fmt.Sprintf(" (a name in encoding %q, looked for byte by byte)", enc)
		}
		return nil, &disk.Error{Format: formatName, Op: "open extent", File: o.img.name, Off: noOffset, Kind: kind, Detail: detail, Err: cause}
	}
	if e.Name == "" {
		return fail(disk.ErrCorrupt, errors.New("the extent has no name"))
	}
	if o.env.Open == nil {
		return fail(disk.ErrOutside, nil)
	}
	f, err := o.env.Open(e.Name)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, fs.ErrNotExist) && !errors.Is(err, disk.ErrMissing):
		return fail(disk.ErrMissing, err)
	default:
		return fail(nil, err)
	}
}

// addSparse adds a hosted sparse extent that stands for so many sectors of the disk.
func (o *opener) addSparse(f disk.File, h header, sectors int64) error {
	s := &sparse{caches: o.caches, file: f, head: h, length: sectors * disk.SectorSize, base: o.img.size, metadata: h.metadata()}
	s.stops = min(s.length, h.capacity*disk.SectorSize)
	s.below.base = s.base
	if h.tables() > o.directories {
		return fault(disk.ErrLimit, "read grain directory", f.Name(), noOffset, "%d grain tables, the limit for a disk is %d", h.tables(), maxDirectory)
	}
	o.directories -= h.tables()
	var err error
	s.directory, err = readDirectory(f, &h, h.directory)
	// A file that ends in its metadata was cut while it was copied; its redundant directory would only hide that.
	if err != nil && h.redundant != 0 && f.Size() >= h.overhead*disk.SectorSize {
		if d, again := readDirectory(f, &h, h.redundant); again == nil {
			s.directory, s.onRedundant, err = d, true, nil
			o.note("%s: the grain directory is damaged, the redundant one is used", f.Name())
		}
	}
	if err != nil {
		return err
	}
	if h.unclean {
		o.note("%s was not closed by its writer: the newest changes may be missing", f.Name())
	}
	if s.length > s.stops {
		o.note("%s: the descriptor says %d sectors, the header %d; nothing is stored behind those", f.Name(), sectors, h.capacity)
	}
	if unknown := h.flags &^ uint32(knownFlags); unknown != 0 {
		o.note("%s: unknown header flags %#x", f.Name(), unknown)
	}
	o.add(s, s.length)
	return nil
}

// add appends an extent to the disk.
func (o *opener) add(c content, length int64) {
	if length > 0 {
		o.img.spans = append(o.img.spans, span{o.img.size, length, c})
		o.img.size += length
	}
}

func (o *opener) note(text string, args ...any) {
	o.img.notes = append(o.img.notes, fmt.Sprintf(text, args...))
}

// readHeader reads the header of a sparse extent, and the footer where the header refers to it.
func readHeader(f disk.File) (header, error) {
	var b [headerSize]byte
	if err := readFull(f, "read header", b[:], 0); err != nil {
		return header{}, err
	}
	h, err := parseHeader(b[:], f.Name(), 0)
	if err != nil || !h.atEnd {
		return h, err
	}
	return readFooter(f)
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7f }) < 0
}

// sameFile says whether two files are one under different names, as far as they can tell.
func sameFile(a, b disk.File) bool {
	x, ok := a.(interface{ ID() string })
	y, also := b.(interface{ ID() string })
	return ok && also && x.ID() == y.ID()
}
