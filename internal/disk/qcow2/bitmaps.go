package qcow2

import (
	"encoding/binary"

	"hyper2kvm/internal/disk"
)

// Layout of persistent dirty bitmaps (specification, "Bitmaps extension", "Bitmap directory", "Bitmap table").
const (
	bitmapsExtLen      = 24
	bitmapEntryLen     = 24
	bitmapTableUnused  = ^uint64(offsetMask | 1)
	autoclearBitmaps   = 1 << 0
	autoclearAt        = 88 // in the header of version 3
	bitmapsDirectoryAt = 16 // in the extension
)

// readBitmaps finds the clusters that dirty bitmaps take. Where a program that does not know bitmaps wrote to the image, which the autoclear
// bit tells, they mean nothing, and what they took is leaked.
func (c *checker) readBitmaps() error {
	h, f := c.img.head, c.img.file
	ext := h.ext.bitmaps
	if len(ext) == 0 || h.autoclear&autoclearBitmaps == 0 {
		return nil
	}
	be := binary.BigEndian
	if len(ext) < bitmapsExtLen {
		c.problem(disk.ErrCorrupt, int64(h.length), "the bitmaps extension has %d bytes, %d are needed", len(ext), bitmapsExtLen)
		return nil
	}
	count, size, off := be.Uint32(ext), be.Uint64(ext[8:]), be.Uint64(ext[bitmapsDirectoryAt:])
	switch {
	case size > maxBitmapDirectoryBytes:
		return &disk.Error{Format: "qcow2", Op: "check", File: f.Name(), Off: int64(h.length), Kind: disk.ErrLimit, Detail: "the bitmap directory is too large to be checked"}
	case off&uint64(h.clusterSize-1) != 0:
		c.problem(disk.ErrCorrupt, int64(h.length), "the bitmap directory is at %#x, not at a cluster", off)
		return nil
	case beyond(off, int64(size), f.Size()):
		c.problem(disk.ErrTruncated, int64(h.length), "the bitmap directory at %#x of %d bytes is past the end of the file, %#x", off, size, f.Size())
		return nil
	}
	b := make([]byte, size)
	if err := readFull(f, b, int64(off), "read bitmap directory"); err != nil {
		return err
	}
	c.others = append(c.others, reference{off, int64(size), "bitmap directory"})
	for i := range count {
		if len(b) < bitmapEntryLen {
			c.problem(disk.ErrCorrupt, int64(off), "the bitmap directory has %d of %d entries", i, count)
			return nil
		}
		if err := c.readBitmapTable(be.Uint64(b), int64(be.Uint32(b[8:])), int64(off+size)-int64(len(b))); err != nil {
			return err
		}
		entry := bitmapEntryLen + int64(be.Uint32(b[20:])) + int64(be.Uint16(b[18:]))
		b = b[min((entry+7)&^7, int64(len(b))):]
	}
	return nil
}

// readBitmapTable finds the clusters of one bitmap, whose table of n entries is at off. at is where its directory entry stands.
func (c *checker) readBitmapTable(off uint64, n, at int64) error {
	h, f := c.img.head, c.img.file
	switch {
	case int64(len(c.others))+n > maxCheckedEntries:
		return &disk.Error{Format: "qcow2", Op: "check", File: f.Name(), Off: at, Kind: disk.ErrLimit, Detail: "the bitmap tables are too large to be checked"}
	case off&uint64(h.clusterSize-1) != 0:
		c.problem(disk.ErrCorrupt, at, "a bitmap table is at %#x, not at a cluster", off)
		return nil
	case beyond(off, n*8, f.Size()):
		c.problem(disk.ErrTruncated, at, "a bitmap table at %#x of %d bytes is past the end of the file, %#x", off, n*8, f.Size())
		return nil
	}
	b := make([]byte, n*8)
	if err := readFull(f, b, int64(off), "read bitmap table"); err != nil {
		return err
	}
	c.others = append(c.others, reference{off, n * 8, "bitmap table"})
	for i := range n {
		e := binary.BigEndian.Uint64(b[8*i:])
		switch host := e & offsetMask; {
		case e&bitmapTableUnused != 0 || host&uint64(h.clusterSize-1) != 0:
			c.problem(disk.ErrCorrupt, int64(off)+8*i, "bitmap table entry %d: %#x does not point at a cluster", i, e)
		case host != 0:
			c.others = append(c.others, reference{host, h.clusterSize, "bitmap"})
		}
	}
	return nil
}
