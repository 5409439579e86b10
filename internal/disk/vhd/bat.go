package vhd

import (
	"encoding/binary"

	"hyper2kvm/internal/disk"
)

const (
	noBlock        = 0xffffffff // entry of a block that is not in this file
	entriesPerPage = tablePage / 4
)

// cursor looks up blocks and keeps the page of the table that it is on. It lives on a stack.
type cursor struct {
	img  *Image
	page []byte
	n    int64 // number of page
}

// block returns where the sector bitmap of block i begins in the file; stored is false where this file has no such block.
func (c *cursor) block(i int64) (at int64, stored bool, err error) {
	if n := i / entriesPerPage; c.page == nil || n != c.n {
		if c.page, err = c.img.table.Get(n, func() ([]byte, error) { return c.img.readTablePage(n) }); err != nil {
			return 0, false, err
		}
		c.n = n
	}
	e := binary.BigEndian.Uint32(c.page[i%entriesPerPage*4:])
	if e == noBlock {
		return 0, false, nil
	}
	at = int64(e) * disk.SectorSize
	if err := c.img.checkBlock(i, at); err != nil {
		return 0, false, err
	}
	return at, true, nil
}

func (img *Image) readTablePage(n int64) ([]byte, error) {
	first := n * entriesPerPage
	b := make([]byte, 4*min(entriesPerPage, img.head.blocks-first))
	return b, readFull(img.file, "read block allocation table", b, img.head.table+4*first)
}

// blockEnd returns where block i, whose bitmap begins at at, ends in the file. The last block may end with the disk.
func (img *Image) blockEnd(i, at int64) int64 {
	content := min(img.head.blockSize, (img.size-i<<img.head.blockShift+disk.SectorSize-1)&^(disk.SectorSize-1))
	return at + img.head.bitmapSize + content
}

// checkBlock refuses a place that is not all inside the file or lies on what is no block.
func (img *Image) checkBlock(i, at int64) error {
	const op = "look up block"
	h := &img.head
	entry := h.table + 4*i
	end := img.blockEnd(i, at)
	for _, s := range []struct {
		what       string
		start, end int64
	}{{"the footer copy", 0, footerSize}, {"the dynamic header", h.at, h.at + headerSize}, {"the table", h.table, h.table + 4*h.blocks}} {
		if at < s.end && end > s.start {
			return fault(disk.ErrCorrupt, op, img.file.Name(), entry, "block %d at %#x lies on %s", i, at, s.what)
		}
	}
	switch {
	case end > img.file.Size():
		return fault(disk.ErrTruncated, op, img.file.Name(), entry, "block %d at %#x ends at %d, the file has %d bytes", i, at, end, img.file.Size())
	case end > img.end:
		return fault(disk.ErrCorrupt, op, img.file.Name(), entry, "block %d at %#x ends at %d, behind the footer at %d", i, at, end, img.end)
	}
	return nil
}
