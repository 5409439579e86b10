package vdi

import (
	"encoding/binary"

	"hyper2kvm/internal/disk"
)

// Map entries that are no block numbers.
const (
	neverWritten   = 0xffffffff
	discarded      = 0xfffffffe
	entriesPerPage = mapPage / 4
)

// cellKind is what the map says about a block.
type cellKind uint8

const (
	absent cellKind = iota // ask the parent
	zero                   // reads as zeroes, whatever the parent holds
	stored                 // in this file
)

// cursor looks up blocks and keeps the page of the map that it is on. It lives on a stack.
type cursor struct {
	img  *Image
	page []byte
	n    int64 // number of page
}

// entry returns the map's entry for block i.
func (c *cursor) entry(i int64) (uint32, error) {
	if n := i / entriesPerPage; c.page == nil || n != c.n {
		page, err := c.img.table.Get(n, func() ([]byte, error) { return c.img.readMapPage(n) })
		if err != nil {
			return 0, err
		}
		c.page, c.n = page, n
	}
	return binary.LittleEndian.Uint32(c.page[i%entriesPerPage*4:]), nil
}

// block returns what the map says about block i, and where in the file its content begins if it is stored.
func (c *cursor) block(i int64) (kind cellKind, at int64, err error) {
	e, err := c.entry(i)
	switch {
	case err != nil:
		return absent, 0, err
	case e == neverWritten:
		return absent, 0, nil
	case e == discarded:
		return zero, 0, nil
	}
	return stored, c.img.head.place(e), c.img.checkBlock(i, e)
}

func (img *Image) readMapPage(n int64) ([]byte, error) {
	first := n * entriesPerPage
	b := make([]byte, 4*min(entriesPerPage, img.head.blocks-first))
	return b, readFull(img.file, "read block map", b, img.head.mapAt+4*first)
}

// checkBlock refuses a block that is not all in the file. The last one may end with the disk.
func (img *Image) checkBlock(i int64, e uint32) error {
	h := &img.head
	at := h.place(e)
	end := at + min(h.blockSize, h.size-i<<h.blockShift)
	if end > img.file.Size() {
		return fault(disk.ErrTruncated, "look up block", img.file.Name(), h.mapAt+4*i,
			"block %d is number %d in the file and ends at %d, the file has %d bytes", i, e, end, img.file.Size())
	}
	return nil
}
