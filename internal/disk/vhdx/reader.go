package vhdx

import (
	"context"
	"fmt"
	"io"

	"hyper2kvm/internal/disk"
)

// Image reads a VHDX and, through its parents, the whole chain. Safe for concurrent use.
type Image struct {
	src     *source
	head    header
	regions regions
	meta    metadata
	layout  layout
	parent  disk.Parent
	bat     *pages
	bitmaps *pages // nil if there is no parent
	creator string
	notes   []string
	closing disk.Closing
}

var (
	_ disk.Image     = (*Image)(nil)
	_ disk.Describer = (*Image)(nil)
)

// Open opens the image in f, and its parent through env.OpenImage. It takes ownership of f, and closes it on error. Errors:
// ErrFormat without the signature, and every other kind of package disk for what doc.go lists.
func Open(ctx context.Context, f disk.File, env disk.Env) (*Image, error) {
	img, err := open(ctx, f, env)
	if err != nil {
		if cerr := f.Close(); cerr != nil {
			err = fmt.Errorf("%w; closing it: %w", err, cerr)
		}
		return nil, err
	}
	return img, nil
}

func open(ctx context.Context, f disk.File, env disk.Env) (*Image, error) {
	img := &Image{src: newSource(f)}
	var err error
	if img.creator, err = readIdentifier(img.src); err != nil {
		return nil, err
	}
	if f.Size() > maxFileBytes {
		return nil, fault(disk.ErrLimit, "open", f.Name(), noOffset, "the file has %d bytes, at most %d are accepted", f.Size(), int64(maxFileBytes))
	}
	note := ""
	if img.head, note, err = readHeaders(img.src); err != nil {
		return nil, err
	}
	img.note(note)
	// Nothing but the headers is true before the log was replayed (2.3.3).
	if err := img.replayLog(); err != nil {
		return nil, err
	}
	if img.regions, note, err = readRegions(img.src, img.head); err != nil {
		return nil, err
	}
	img.note(note)
	if img.meta, err = readMetadata(img.src, img.regions.metadata); err != nil {
		return nil, err
	}
	if img.meta.sectorSize != disk.SectorSize {
		img.note(fmt.Sprintf("%d-byte sectors: a partition table counts in these; the disk must be attached with the same sector size, or its GPT rewritten", img.meta.sectorSize))
	}
	if err := img.prepareTables(); err != nil {
		return nil, err
	}
	if img.meta.parent {
		img.parent.Child = f.Name()
		if img.parent.Image, err = openParent(ctx, f.Name(), &img.meta, env); err != nil {
			return nil, err
		}
		if n := img.parent.Image.Size(); n != img.meta.size {
			img.note(fmt.Sprintf("the parent has %d bytes, this image %d", n, img.meta.size))
		}
	}
	return img, nil
}

func (img *Image) replayLog() error {
	log, err := readLog(img.src, img.head)
	if err != nil || log == nil {
		return err
	}
	img.src.log, img.src.size = log, max(img.src.size, log.size)
	img.note(fmt.Sprintf("not closed cleanly: %d entries of its log were replayed in memory, the file is unchanged", log.entries))
	return nil
}

// prepareTables checks that the BAT is large enough and there, and makes the caches of its pages.
func (img *Image) prepareTables() error {
	img.layout = newLayout(img.meta.size, img.meta.blockSize, img.meta.sectorSize, img.meta.parent)
	need, bat := img.layout.entries*batEntryBytes, img.regions.bat
	if need > bat.length {
		return fault(disk.ErrCorrupt, "read BAT", img.src.name(), bat.off, "the region has %d bytes, a disk of %d bytes in blocks of %d needs %d",
			bat.length, img.meta.size, img.meta.blockSize, need)
	}
	if !img.src.holds(bat.off, need) {
		return fault(disk.ErrTruncated, "read BAT", img.src.name(), bat.off, "needs %d bytes there, the file has %d bytes in all", need, img.src.size)
	}
	img.bat = newPages((need+pageBytes-1)/pageBytes, batCachePages, img.readBATPage)
	if img.meta.parent {
		img.bitmaps = newPages(img.layout.chunks()*pagesPerBitmap, bitmapCachePages, img.readBitmapPage)
	}
	return nil
}

func (img *Image) note(s string) {
	if s != "" {
		img.notes = append(img.notes, s)
	}
}

// Size returns the virtual size in bytes, a multiple of SectorSize and at most disk.MaxSize.
func (img *Image) Size() int64 { return img.meta.size }

// SectorSize returns the size of the disk's logical sectors in bytes, 512 or 4096.
func (img *Image) SectorSize() int64 { return img.meta.sectorSize }

// DataWriteGUID identifies the disk's content: a child names the one that it was made on.
func (img *Image) DataWriteGUID() GUID { return img.head.dataWrite }

// runKind says where a range of the disk is.
type runKind uint8

const (
	absent runKind = iota // the parent's
	zero
	stored
)

// run is a range of the disk with one kind of place.
type run struct {
	kind runKind
	end  int64
	host int64 // in the file; only stored
}

// runAt returns the run at off within its block, at most up to limit.
func (img *Image) runAt(off, limit int64) (run, error) {
	n := off >> img.layout.blockShift
	start := n << img.layout.blockShift
	r := run{end: min(start+img.meta.blockSize, img.meta.size, limit)}
	b, err := img.payload(n)
	if err != nil {
		return run{}, err
	}
	switch b.state {
	case blockNotPresent:
	case blockPresent:
		r.kind, r.host = stored, b.host+off-start
	case blockPartial:
		present, end, err := img.sectors(off, r.end)
		if err != nil {
			return run{}, err
		}
		if r.end = end; present {
			r.kind, r.host = stored, b.host+off-start
		}
	default:
		r.kind = zero
	}
	return r, nil
}

// ReadAt reads content, see disk.Image.
func (img *Image) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fault(disk.ErrLimit, "read", img.src.name(), noOffset, "negative offset %d", off)
	}
	if off >= img.meta.size {
		return 0, io.EOF
	}
	end := off + min(int64(len(p)), img.meta.size-off)
	for at := off; at < end; {
		r, err := img.runAt(at, end)
		if err != nil {
			return 0, err
		}
		part := p[at-off : r.end-off]
		switch r.kind {
		case stored:
			err = img.src.readFull("read block", part, r.host)
		case absent:
			err = img.parent.Read(part, at)
		default:
			clear(part)
		}
		if err != nil {
			return 0, err
		}
		at = r.end
	}
	if n := int(end - off); n < len(p) {
		return n, io.EOF
	}
	return len(p), nil
}

// Extent returns the extent at off, see disk.Image. Where this layer has nothing it is the parent's. Holes of the file in a block read as
// zeroes, unless the log wrote something there.
func (img *Image) Extent(ctx context.Context, off int64) (disk.Extent, error) {
	if off < 0 {
		return disk.Extent{}, fault(disk.ErrLimit, "map", img.src.name(), noOffset, "negative offset %d", off)
	}
	if off >= img.meta.size {
		return disk.Extent{}, io.EOF
	}
	if err := context.Cause(ctx); err != nil {
		return disk.Extent{}, err
	}
	r, err := img.runAt(off, img.meta.size)
	if err != nil {
		return disk.Extent{}, err
	}
	e := disk.Extent{Off: off, Kind: disk.Data}
	stop := img.meta.size
	switch r.kind {
	case zero:
		e.Kind = disk.Zero
	case absent:
		if e, err = img.parent.Extent(ctx, off, stop); err != nil {
			return disk.Extent{}, err
		}
		stop = e.End()
	}
	end := r.end
	for n := 0; n < maxRuns && end < stop; n++ {
		next, err := img.runAt(end, stop)
		if err != nil || next.kind != r.kind || r.kind == stored && next.host != r.host+end-off { // an error belongs to whoever asks for that offset
			break
		}
		end = next.end
	}
	e.Len = min(end, stop) - off
	if r.kind == stored && img.src.log == nil {
		return disk.MappedExtent(img.src.file, formatName, e, r.host)
	}
	return e, nil
}

// Close closes the parent and the image's own file.
func (img *Image) Close() error {
	return img.closing.Close(img.parent, img.src.file)
}

// Describe returns the layers of the chain, this one first.
func (img *Image) Describe() []disk.Info {
	info := disk.Info{
		Format: formatName, Variant: "dynamic", Creator: img.creator, Files: []string{img.src.name()},
		Size: img.meta.size, ClusterSize: img.meta.blockSize, Notes: append([]string(nil), img.notes...),
	}
	switch {
	case img.meta.parent:
		info.Variant, info.Parent = "differencing", img.meta.parentPaths()[0]
	case img.meta.fixed:
		info.Variant = "fixed"
	}
	return img.parent.Describe(info)
}
