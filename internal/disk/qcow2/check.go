package qcow2

import (
	"context"
	"encoding/binary"
	"fmt"

	"hyper2kvm/internal/disk"
)

// Check walks the tables of this layer, those of internal snapshots and dirty bitmaps included, and compares what they refer to with the
// refcounts, as qemu-img check does. A file with more than checkWindow clusters is walked once for each such window. Errors are those of
// reading, and ErrLimit where snapshots or bitmaps ask for more than a check walks.
func (img *Image) Check(ctx context.Context) (disk.Findings, error) {
	h := img.head
	c := checker{img: img, hostClusters: (img.file.Size() + h.clusterSize - 1) >> h.clusterBits}
	c.found.Units = (img.Size() + h.clusterSize - 1) >> h.clusterBits
	if err := c.readTables(); err != nil {
		return c.found, err
	}
	if !c.tablesUnique() {
		return c.found, nil
	}
	if err := c.readBitmaps(); err != nil {
		return c.found, err
	}
	if err := c.readRefTable(); err != nil {
		return c.found, err
	}
	c.counts = make([]uint32, min(c.hostClusters, checkWindow))
	for c.base = 0; c.base == 0 || c.base < c.hostClusters; c.base += checkWindow {
		clear(c.counts)
		if err := c.countTables(ctx); err != nil {
			return c.found, err
		}
		if err := c.compare(ctx); err != nil {
			return c.found, err
		}
	}
	return c.found, nil
}

// checker counts references to the host clusters of one window at a time.
type checker struct {
	img          *Image
	hostClusters int64 // of the file
	base         int64 // first host cluster of the window
	counts       []uint32
	refTable     []uint64 // offsets of the refcount blocks; 0 is absent
	tables       []l1Table
	others       []reference // of the snapshot table and of bitmaps
	found        disk.Findings
}

// reference is what something else than an L1 or L2 table refers to.
type reference struct {
	off  uint64
	n    int64 // bytes
	what string
}

// problem adds what is wrong at an offset of the file.
func (c *checker) problem(kind error, off int64, format string, args ...any) {
	c.found.Problem(&disk.Error{Format: "qcow2", Op: "check", File: c.img.file.Name(), Off: off, Kind: kind, Detail: fmt.Sprintf(format, args...)})
}

// readRefTable reads the refcount table. A block that is not where one can be is a corruption and counts as absent.
func (c *checker) readRefTable() error {
	h, f := c.img.head, c.img.file
	// qemu makes the table a whole number of clusters; the end of the last one may be missing from the file.
	n := min(h.refTableBytes, f.Size()-int64(h.refTableOffset)) / 8
	if n <= 0 {
		return nil
	}
	b := make([]byte, n*8) // at most maxRefcountTableBytes: checkTables
	if err := readFull(f, b, int64(h.refTableOffset), "read refcount table"); err != nil {
		return err
	}
	c.refTable = make([]uint64, n)
	for i := range c.refTable {
		e, at := binary.BigEndian.Uint64(b[8*i:]), int64(h.refTableOffset)+8*int64(i)
		switch {
		case e&uint64(h.clusterSize-1) != 0:
			c.problem(disk.ErrCorrupt, at, "refcount table entry %d: %#x does not point at a cluster", i, e)
		case e != 0 && beyond(e, h.clusterSize, f.Size()):
			c.problem(disk.ErrTruncated, at, "refcount table entry %d: block at %#x is past the end of the file, %#x", i, e, f.Size())
		default:
			c.refTable[i] = e
		}
	}
	return nil
}

// firstWindow says whether this is the first window: findings that have no window are counted there.
func (c *checker) firstWindow() bool { return c.base == 0 }

// refer counts a reference to n bytes at a host offset.
func (c *checker) refer(off uint64, n int64, what string) {
	h := c.img.head
	if beyond(off, n, c.hostClusters<<h.clusterBits) {
		if c.firstWindow() {
			c.problem(disk.ErrTruncated, -1, "%s at %#x is past the end of the file, %#x", what, off, c.img.file.Size())
		}
		return
	}
	from := max(int64(off)>>h.clusterBits, c.base)
	to := min((int64(off)+n-1)>>h.clusterBits, c.base+int64(len(c.counts))-1)
	for i := from; i <= to; i++ {
		c.counts[i-c.base]++
	}
}

// countTables walks everything that refers to host clusters.
func (c *checker) countTables(ctx context.Context) error {
	h := c.img.head
	c.refer(0, h.clusterSize, "header")
	c.refer(h.refTableOffset, h.refTableBytes, "refcount table")
	for _, block := range c.refTable {
		if block != 0 {
			c.refer(block, h.clusterSize, "refcount block")
		}
	}
	for _, r := range c.others {
		c.refer(r.off, r.n, r.what)
	}
	for _, l1 := range c.tables {
		c.refer(uint64(l1.off), int64(len(l1.entries))*8, l1.name)
		for i, table := range l1.entries {
			if table == 0 {
				continue
			}
			if err := context.Cause(ctx); err != nil {
				return err
			}
			c.refer(table, h.clusterSize, "L2 table")
			from := c.img.Size()
			if l1.active && int64(i) < h.l1Needed {
				from = int64(i) * h.entriesPerL1
			}
			if err := c.countL2(int64(table), from); err != nil {
				return err
			}
		}
	}
	return nil
}

// countL2 walks one L2 table, the entries past the end of the disk included. It maps the disk from the offset from on; that of a snapshot maps
// what is past its end.
func (c *checker) countL2(table, from int64) error {
	img, h := c.img, c.img.head
	width := h.clusterSize >> h.l2Bits
	page := make([]byte, img.pageBytes)
	for at := table; at < table+h.clusterSize; at += img.pageBytes {
		if err := readFull(img.file, page, at, "read L2 table"); err != nil {
			return err
		}
		for off := int64(0); off < img.pageBytes; off += width {
			e, bitmap := binary.BigEndian.Uint64(page[off:]), uint64(0)
			if h.extendedL2 {
				bitmap = binary.BigEndian.Uint64(page[off+8:])
			}
			if e|bitmap != 0 {
				c.countEntry(e, bitmap, at+off, from < img.Size())
			}
			from += h.clusterSize
		}
	}
	return nil
}

// countEntry counts what one L2 entry refers to. at is where the entry stands; stored is false for what is no part of the disk's content.
func (c *checker) countEntry(e, bitmap uint64, at int64, stored bool) {
	img, h := c.img, c.img.head
	var err error
	if h.extendedL2 {
		_, err = img.subcluster(e, bitmap, 0, 0, at)
	} else {
		_, err = img.cluster(e, 0, at)
	}
	if err != nil {
		if c.firstWindow() {
			c.found.Problem(err)
		}
		return
	}
	if e&flagCompressed != 0 {
		c.allocated(stored, true)
		off, n := compressedSpan(e, h.clusterBits)
		left := c.hostClusters<<h.clusterBits - off // the last sector of the file may be short
		if left > 0 {
			n = min(n, left)
		}
		c.refer(uint64(off), n, "compressed cluster")
		return
	}
	host := e & offsetMask
	switch {
	case h.external(): // its clusters are not counted
		if host != 0 || e&flagCopied != 0 {
			c.allocated(stored, false)
		}
	case host != 0:
		c.allocated(stored, false)
		c.refer(host, h.clusterSize, "cluster")
	}
}

func (c *checker) allocated(stored, packed bool) {
	if !stored || !c.firstWindow() {
		return
	}
	c.found.Stored++
	if packed {
		c.found.Compressed++
	}
}

// compare compares the counters in the file with the references counted in this window.
func (c *checker) compare(ctx context.Context) error {
	h := c.img.head
	block := make([]byte, h.clusterSize)
	loaded := int64(-1)
	end := min(c.base+int64(len(c.counts)), c.hostClusters)
	for i := c.base; i < end; i++ {
		n := i / h.refcountsPerBlock
		if n != loaded {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			loaded = n
			clear(block)
			if n < int64(len(c.refTable)) && c.refTable[n] != 0 {
				if err := readFull(c.img.file, block, int64(c.refTable[n]), "read refcount block"); err != nil {
					return err
				}
			}
		}
		found, want := counter(block, i%h.refcountsPerBlock, h.refcountOrder), uint64(c.counts[i-c.base])
		switch {
		case found < want:
			c.problem(disk.ErrCorrupt, i<<h.clusterBits, "host cluster %d: refcount %d, %d references", i, found, want)
		case found > want:
			c.found.Leaks++
		}
	}
	return nil
}

// counter returns counter i of a refcount block, whose counters have 1<<order bits; those of less than a byte begin at its
// lowest bit (specification, "Host cluster management").
func counter(block []byte, i int64, order uint32) uint64 {
	be := binary.BigEndian
	switch order {
	case 3:
		return uint64(block[i])
	case 4:
		return uint64(be.Uint16(block[2*i:]))
	case 5:
		return uint64(be.Uint32(block[4*i:]))
	case 6:
		return be.Uint64(block[8*i:])
	}
	width := uint64(1) << order
	bit := uint64(i) * width
	return uint64(block[bit/8]) >> (bit % 8) & (1<<width - 1)
}
