package qcow2

import (
	"context"
	"fmt"
	"io"
	"slices"

	"hyper2kvm/internal/disk"
)

// Image reads a qcow2 image and, through its backing files, the whole chain. Safe for concurrent use.
type Image struct {
	file    disk.File
	data    disk.File // where clusters stand: file, or the external data file
	head    *header
	backing disk.Parent
	l1      []uint64 // file offsets of the L2 tables; 0 is absent

	pageBytes int64
	tables    *disk.PageCache[[]byte] // pages of L2 tables by file offset
	clusters  *disk.PageCache[[]byte] // decompressed clusters by L2 entry
	holes     bool                    // the data file has so many that they are looked for: preallocation=metadata
	decode    decoder
	closing   disk.Closing
}

// Open opens the image in f, its external data file through env.Open, and its backing file through env.OpenImage; a backing file whose
// format the image does not state is asked for as raw. It takes ownership of f, and closes it on error. Errors: ErrFormat without the
// magic, and every other kind of package disk for what doc.go lists.
func Open(ctx context.Context, f disk.File, env disk.Env) (*Image, error) {
	img, err := open(ctx, f, env)
	if err != nil {
		f.Close()
		return nil, err
	}
	return img, nil
}

func open(ctx context.Context, f disk.File, env disk.Env) (*Image, error) {
	h, err := readHeader(f)
	if err != nil {
		return nil, err
	}
	if err := h.checkTables(f); err != nil {
		return nil, err
	}
	h.ext.features, h.ext.bitmaps = nil, slices.Clone(h.ext.bitmaps) // let go of the first cluster
	img := &Image{file: f, data: f, head: h, pageBytes: min(h.clusterSize, tablePageBytes)}
	img.tables = disk.NewPageCache[[]byte](int(tableCacheBytes / img.pageBytes))
	img.clusters = disk.NewPageCache[[]byte](int(max(clusterCacheBytes/h.clusterSize, 1)))
	if err := img.readL1(); err != nil {
		return nil, err
	}
	if img.decode, err = newDecoder(h); err != nil {
		return nil, &disk.Error{Format: "qcow2", Op: "open", File: f.Name(), Off: -1, Err: err}
	}
	if h.external() {
		if img.data, err = openData(f.Name(), h, env); err != nil {
			img.decode.close()
			return nil, err
		}
	}
	img.holes = disk.Sparse(img.data)
	if h.backing != "" {
		img.backing.Child = f.Name()
		if img.backing.Image, err = openBacking(ctx, f.Name(), h, env); err != nil {
			img.decode.close()
			if img.data != f {
				img.data.Close()
			}
			return nil, err
		}
	}
	return img, nil
}

// openData opens the external data file that the header names. It is raw, and may be the disk itself; its map is the one of this image.
func openData(name string, h *header, env disk.Env) (disk.File, error) {
	fail := func(kind, err error) error {
		return &disk.Error{Format: "qcow2", Op: "open external data file " + shown(h.ext.dataFile), File: name, Off: -1, Kind: kind, Err: err}
	}
	if env.Open == nil {
		return nil, fail(disk.ErrOutside, nil)
	}
	f, err := env.Open(h.ext.dataFile)
	if err != nil {
		return nil, fail(nil, err)
	}
	return f, nil
}

// openBacking opens the backing file that the header names.
func openBacking(ctx context.Context, name string, h *header, env disk.Env) (disk.Image, error) {
	fail := func(kind, err error) error {
		return &disk.Error{Format: "qcow2", Op: "open backing file " + shown(h.backing), File: name, Off: -1, Kind: kind, Err: err}
	}
	if env.OpenImage == nil {
		return nil, fail(disk.ErrOutside, nil)
	}
	format := h.ext.backingFormat
	if format == "" {
		format = "raw"
	}
	img, err := env.OpenImage(ctx, h.backing, format)
	if err != nil {
		return nil, fail(nil, err)
	}
	return img, nil
}

// Size returns the virtual size in bytes, at most disk.MaxSize.
func (img *Image) Size() int64 { return int64(img.head.size) }

// ReadAt reads content. Whole compressed clusters are decompressed straight into p; for parts of one, the cluster is kept for the
// next reads of it.
func (img *Image) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, &disk.Error{Format: "qcow2", Op: "read", File: img.file.Name(), Off: -1, Kind: disk.ErrLimit, Detail: "negative offset"}
	}
	if off >= img.Size() {
		return 0, io.EOF
	}
	end := off + min(int64(len(p)), img.Size()-off)
	for at := off; at < end; {
		r, err := img.stored(at, end)
		if err != nil {
			return 0, err
		}
		if err := img.readRun(p[at-off:r.end-off], at, r); err != nil {
			return 0, err
		}
		at = r.end
	}
	if n := int(end - off); n < len(p) {
		return n, io.EOF
	}
	return len(p), nil
}

// readRun fills p with the content of r from the guest offset at.
func (img *Image) readRun(p []byte, at int64, r run) error {
	switch r.kind {
	case plain:
		return readFull(img.data, p, r.host, "read cluster")
	case compressed:
		return img.readCompressed(p, r.entry, at-r.start)
	case absent:
		return img.backing.Read(p, at)
	}
	clear(p)
	return nil
}

// Extent returns the extent at off. Where this layer has nothing it is the backing file's. In a file with many holes, those of plain
// clusters read as zeroes.
func (img *Image) Extent(ctx context.Context, off int64) (disk.Extent, error) {
	if off < 0 || off >= img.Size() {
		return disk.Extent{}, io.EOF
	}
	if err := context.Cause(ctx); err != nil {
		return disk.Extent{}, err
	}
	var below disk.Extent
	r, err := img.mapped(off, func(k cellKind) (int64, error) {
		if k != absent {
			return img.Size(), nil
		}
		var err error
		below, err = img.backing.Extent(ctx, off, img.Size())
		return below.End(), err
	})
	if err != nil {
		return disk.Extent{}, err
	}
	e := disk.Extent{Off: off, Len: r.end - off}
	switch r.kind {
	case plain:
		if img.holes {
			return disk.MappedExtent(img.data, "qcow2", e, r.host)
		}
	case compressed:
		e.Compressed = true
	case zero:
		e.Kind = disk.Zero
	case absent:
		e.Kind, e.Compressed = below.Kind, below.Compressed
	}
	return e, nil
}

// Close closes the backing file, the external data file and the image's own file.
func (img *Image) Close() error {
	files := []disk.File{img.file}
	if img.data != img.file {
		files = append(files, img.data)
	}
	err := img.closing.Close(img.backing, files...)
	img.decode.close()
	return err
}

// Describe returns the layers of the chain, this one first.
func (img *Image) Describe() []disk.Info {
	h := img.head
	info := disk.Info{Format: "qcow2", Variant: fmt.Sprintf("v%d", h.version), Files: []string{img.file.Name()}, Parent: h.backing,
		Size: img.Size(), ClusterSize: h.clusterSize, Compressed: h.compression == compressionZstd || img.firstIsCompressed()}
	if h.extendedL2 {
		info.Variant += " extended L2"
	}
	if h.external() {
		info.Variant += " external data"
		info.Files = append(info.Files, img.data.Name())
	}
	if h.incompatible&incompatDirty != 0 {
		info.Notes = append(info.Notes, "not closed cleanly (dirty bit); its refcounts may be wrong, its content is read as it stands")
	}
	if h.snapshots > 0 {
		info.Notes = append(info.Notes, snapshotsNote(h.snapshots))
	}
	if len(h.ext.bitmaps) > 0 {
		info.Notes = append(info.Notes, "dirty bitmaps are left out")
	}
	if h.backing != "" && h.ext.backingFormat == "" {
		info.Notes = append(info.Notes, "the backing file's format is not stated; it is read as raw")
	}
	return img.backing.Describe(info)
}

func snapshotsNote(n uint32) string {
	if n == 1 {
		return "1 internal snapshot is left out; the current state is read"
	}
	return fmt.Sprintf("%d internal snapshots are left out; the current state is read", n)
}

// firstIsCompressed says whether the first cluster that this layer stores is compressed: compression is a property of each
// cluster, and tools that compress do so for all.
func (img *Image) firstIsCompressed() bool {
	cur := cursor{img: img}
	off := int64(0)
	for range maxCells {
		if off >= img.Size() {
			return false
		}
		c, err := cur.cell(off)
		if err != nil {
			return false
		}
		if c.kind == plain || c.kind == compressed {
			return c.kind == compressed
		}
		off = c.end
	}
	return false
}
