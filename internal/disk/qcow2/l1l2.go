package qcow2

import (
	"encoding/binary"
	"fmt"

	"hyper2kvm/internal/disk"
)

// Bits of L1 and L2 entries (specification, "Cluster mapping").
const (
	flagCopied     = 1 << 63
	flagCompressed = 1 << 62
	flagZero       = 1 << 0 // L2 entry, version 3, not with extended L2

	offsetMask  = 0x00fffffffffffe00
	reservedL1  = ^uint64(offsetMask | flagCopied)
	reservedL2  = ^uint64(offsetMask | flagCopied | flagCompressed | flagZero)
	subclusters = 32 // of an extended L2 entry
)

// cellKind is what an L2 entry says about its cluster, or its bitmap about a subcluster.
type cellKind uint8

const (
	absent     cellKind = iota // ask the backing file
	zero                       // reads as zeroes, whatever is behind
	plain                      // stored at host
	compressed                 // stored as entry says
)

// cell is the smallest part of the guest's disk with a mapping of its own, or several neighbours that are absent together.
type cell struct {
	kind  cellKind
	end   int64  // guest offset just past it
	host  int64  // of the cell's first byte; only plain
	entry uint64 // L2 entry; only compressed
}

// cursor looks up cells of one image and keeps the page of the L2 table that it is on. It lives on a stack.
type cursor struct {
	img        *Image
	page       []byte // entries of guest range [start, end); nil: absent as a whole
	at         int64  // file offset of page
	start, end int64
}

// cell returns the cell that holds the guest offset off, off < size.
func (c *cursor) cell(off int64) (cell, error) {
	if off < c.start || off >= c.end {
		if err := c.seek(off); err != nil {
			return cell{}, err
		}
	}
	if c.page == nil {
		return cell{kind: absent, end: c.end}, nil
	}
	h := c.img.head
	i := (off - c.start) >> h.clusterBits
	first := c.start + i<<h.clusterBits
	if h.extendedL2 {
		e, bitmap := binary.BigEndian.Uint64(c.page[16*i:]), binary.BigEndian.Uint64(c.page[16*i+8:])
		return c.img.subcluster(e, bitmap, first, off, c.at+16*i)
	}
	return c.img.cluster(binary.BigEndian.Uint64(c.page[8*i:]), first+h.clusterSize, c.at+8*i)
}

// seek loads the page of the L2 table that maps off, or passes over the absent L1 entries there.
func (c *cursor) seek(off int64) error {
	img, h := c.img, c.img.head
	i := off / h.entriesPerL1
	table := img.l1[i]
	c.page = nil
	if table == 0 {
		c.start = i * h.entriesPerL1
		last := min(i+maxL1Scan, int64(len(img.l1)))
		for i++; i < last && img.l1[i] == 0; i++ {
		}
		c.end = i * h.entriesPerL1
		return nil
	}
	entry := h.clusterSize >> h.l2Bits // bytes
	perPage := img.pageBytes / entry << h.clusterBits
	inTable := off - i*h.entriesPerL1
	at := int64(table) + inTable/perPage*img.pageBytes
	page, err := img.tables.Get(at, func() ([]byte, error) {
		b := make([]byte, img.pageBytes)
		return b, readFull(img.file, b, at, "read L2 table")
	})
	if err != nil {
		return err
	}
	c.page, c.at = page, at
	c.start = i*h.entriesPerL1 + inTable/perPage*perPage
	c.end = c.start + perPage
	return nil
}

// cluster decodes a plain L2 entry that stands at the file offset at.
func (img *Image) cluster(e uint64, end, at int64) (cell, error) {
	host := int64(e & offsetMask)
	switch {
	case e&flagCompressed != 0 && img.head.external():
		return cell{}, img.corrupt("read L2 table", at, "compressed cluster %#x of an external data file", e)
	case e&flagCompressed != 0:
		return cell{kind: compressed, end: end, entry: e}, nil
	case e&reservedL2 != 0:
		return cell{}, img.corrupt("read L2 table", at, "entry %#x has reserved bits", e)
	case host&(img.head.clusterSize-1) != 0:
		return cell{}, img.corrupt("read L2 table", at, "entry %#x does not point at a cluster", e)
	case e&flagZero != 0 && img.head.version < 3:
		return cell{}, img.corrupt("read L2 table", at, "zero cluster in a version 2 image")
	case e&flagZero != 0:
		return cell{kind: zero, end: end}, nil
	case host == 0 && (e&flagCopied == 0 || !img.head.external()): // an external data file has data at 0
		return cell{kind: absent, end: end}, nil
	}
	return cell{kind: plain, end: end, host: host}, nil
}

// subcluster decodes an extended L2 entry (specification, "Extended L2 Entries"): low 32 bits of the bitmap allocated, high
// 32 bits zero. first is the guest offset of the cluster, off one inside it.
func (img *Image) subcluster(e, bitmap uint64, first, off, at int64) (cell, error) {
	h := img.head
	allocated, zeroes := uint32(bitmap), uint32(bitmap>>32)
	host := int64(e & offsetMask)
	switch {
	case e&flagCompressed != 0 && h.external():
		return cell{}, img.corrupt("read L2 table", at, "compressed cluster %#x of an external data file", e)
	case e&flagCompressed != 0:
		if bitmap != 0 {
			return cell{}, img.corrupt("read L2 table", at, "compressed cluster with subclusters %#x", bitmap)
		}
		return cell{kind: compressed, end: first + h.clusterSize, entry: e}, nil
	case e&(reservedL2|flagZero) != 0:
		return cell{}, img.corrupt("read L2 table", at, "entry %#x has reserved bits", e)
	case host&(h.clusterSize-1) != 0:
		return cell{}, img.corrupt("read L2 table", at, "entry %#x does not point at a cluster", e)
	case allocated&zeroes != 0:
		return cell{}, img.corrupt("read L2 table", at, "subclusters both allocated and zero: %#x", bitmap)
	case host == 0 && allocated != 0 && (e&flagCopied == 0 || !h.external()):
		return cell{}, img.corrupt("read L2 table", at, "allocated subclusters without a cluster: %#x", bitmap)
	}
	size := h.clusterSize / subclusters
	i := (off - first) / size
	c := cell{end: first + (i+1)*size}
	switch {
	case allocated>>i&1 != 0:
		c.kind, c.host = plain, host+i*size
	case zeroes>>i&1 != 0:
		c.kind = zero
	}
	return c, nil
}

// run is a stretch of guest content with one kind of mapping.
type run struct {
	kind  cellKind
	end   int64
	host  int64  // of the first byte asked for; only plain
	entry uint64 // only compressed, one cluster
	start int64  // guest offset of the compressed cluster
}

// stored returns the run at off that one read of the file can give, at most up to limit.
func (img *Image) stored(off, limit int64) (run, error) {
	cur := cursor{img: img}
	c, err := cur.cell(off)
	if err != nil {
		return run{}, err
	}
	r := run{kind: c.kind, end: c.end, entry: c.entry}
	switch c.kind {
	case compressed:
		r.start = c.end - img.head.clusterSize
		r.end = min(r.end, limit)
		return r, nil
	case plain:
		r.host = img.hostOf(c, off)
	}
	for r.end < limit {
		next, err := cur.cell(r.end)
		if err != nil {
			return run{}, err
		}
		if next.kind != r.kind || r.kind == plain && next.host != r.host+r.end-off {
			break
		}
		r.end = next.end
	}
	r.end = min(r.end, limit)
	return r, nil
}

// hostOf returns where the guest offset off, which lies in the plain cell c, is in the data file.
func (img *Image) hostOf(c cell, off int64) int64 {
	unit := img.head.clusterSize
	if img.head.extendedL2 {
		unit /= subclusters
	}
	return c.host + off - (c.end - unit)
}

// mapped returns the run of one kind at off, at most up to limit(kind) and as far as maxCells reach. limit is asked once. Plain clusters of
// a run may stand anywhere, unless their holes are looked for: then they stand side by side.
func (img *Image) mapped(off int64, limit func(cellKind) (int64, error)) (run, error) {
	cur := cursor{img: img}
	c, err := cur.cell(off)
	if err != nil {
		return run{}, err
	}
	stop, err := limit(c.kind)
	if err != nil {
		return run{}, err
	}
	r := run{kind: c.kind, end: c.end}
	adjacent := c.kind == plain && img.holes
	if adjacent {
		r.host = img.hostOf(c, off)
	}
	for n := 0; n < maxCells && r.end < stop; n++ {
		next, err := cur.cell(r.end)
		if err != nil || next.kind != r.kind || adjacent && next.host != r.host+r.end-off { // an error belongs to whoever asks for that offset
			break
		}
		r.end = next.end
	}
	r.end = min(r.end, stop)
	return r, nil
}

// readL1 reads the part of the L1 table that the disk's size needs and checks where the L2 tables are.
func (img *Image) readL1() error {
	h := img.head
	if h.l1Needed == 0 {
		return nil
	}
	b := make([]byte, h.l1Needed*8) // at most maxL1Bytes, and inside the file: checkTables
	if err := readFull(img.file, b, int64(h.l1Offset), "read L1 table"); err != nil {
		return err
	}
	img.l1 = make([]uint64, h.l1Needed)
	for i := range img.l1 {
		e := binary.BigEndian.Uint64(b[8*i:])
		table := e & offsetMask
		at := int64(h.l1Offset) + int64(8*i)
		switch {
		case e&reservedL1 != 0:
			return img.corrupt("read L1 table", at, "entry %#x has reserved bits", e)
		case table&uint64(h.clusterSize-1) != 0:
			return img.corrupt("read L1 table", at, "entry %#x does not point at a cluster", e)
		case table != 0 && beyond(table, h.clusterSize, img.file.Size()):
			return &disk.Error{Format: "qcow2", Op: "read L1 table", File: img.file.Name(), Off: at, Kind: disk.ErrTruncated,
				Detail: fmt.Sprintf("L2 table at %#x of %d bytes, the file has %d", table, h.clusterSize, img.file.Size())}
		}
		img.l1[i] = table
	}
	return nil
}

func (img *Image) corrupt(op string, at int64, format string, args ...any) error {
	return &disk.Error{Format: "qcow2", Op: op, File: img.file.Name(), Off: at, Kind: disk.ErrCorrupt, Detail: fmt.Sprintf(format, args...)}
}
