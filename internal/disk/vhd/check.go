package vhd

import (
	"bytes"
	"context"
	"errors"
	"math/bits"

	"hyper2kvm/internal/disk"
)

// checkWindow is how much of a file is watched at a time for blocks on top of each other: one bit for every sector, 32 MiB of
// them. For a file that is larger the table is read once for every such part.
const checkWindow = 32 << 20 * 8

// Check reads the whole table of this layer and reports blocks outside the file, on top of its other parts or of each other, and
// a footer copy that differs from the footer.
func (img *Image) Check(ctx context.Context) (disk.Findings, error) {
	c := checker{img: img}
	if img.foot.diskType == typeFixed {
		return c.found, nil
	}
	if err := c.compareFooters(); err != nil {
		return c.found, err
	}
	c.found.Units = int64(img.head.blocks)
	sectors := (img.file.Size() + disk.SectorSize - 1) / disk.SectorSize
	c.starts = make([]uint64, (min(sectors, checkWindow)+63)/64)
	c.last = -1
	for first := int64(0); first < sectors; first += checkWindow {
		clear(c.starts)
		if err := c.window(ctx, first); err != nil {
			return c.found, err
		}
	}
	return c.found, nil
}

type checker struct {
	img    *Image
	found  disk.Findings
	starts []uint64 // a bit for every sector of the window at which a block begins
	last   int64    // sector at which the block before the next one begins; negative if there is none
}

// compareFooters compares the footer that is used with the copy at the start.
func (c *checker) compareFooters() error {
	f := c.img.file
	if c.img.end == f.Size() {
		c.found.Problem(fault(disk.ErrCorrupt, "check footer", f.Name(), f.Size(), "the footer at the end is missing or damaged"))
		return nil
	}
	var a, b [footerSize]byte
	if err := readFull(f, "read footer copy", a[:], 0); err != nil {
		return err
	}
	if err := readFull(f, "read footer", b[:f.Size()-c.img.end], c.img.end); err != nil {
		return err
	}
	if !bytes.Equal(a[:], b[:]) {
		c.found.Problem(fault(disk.ErrCorrupt, "check footer", f.Name(), 0, "the copy at the start differs from the footer at %#x", c.img.end))
	}
	return nil
}

// window looks at the blocks that begin in one part of the file; with the first part everything is checked that does not depend
// on the part.
func (c *checker) window(ctx context.Context, first int64) error {
	cur := cursor{img: c.img}
	for i := range c.img.head.blocks {
		if i%entriesPerPage == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		at, stored, err := cur.block(i)
		if err != nil {
			if !errors.Is(err, disk.ErrCorrupt) && !errors.Is(err, disk.ErrTruncated) || cur.page == nil {
				return err
			}
			if first == 0 {
				c.found.Problem(err)
			}
			continue
		}
		if !stored {
			continue
		}
		if first == 0 {
			c.found.Stored++
		}
		place := at/disk.SectorSize - first
		if place < 0 || place/64 >= int64(len(c.starts)) {
			continue
		}
		word, bit := &c.starts[place/64], uint64(1)<<(place%64)
		if *word&bit != 0 {
			c.found.Problem(fault(disk.ErrCorrupt, "check table", c.img.file.Name(), c.img.head.table+4*i, "block %d is at %#x, where another block is", i, at))
		}
		*word |= bit
	}
	c.overlaps(first)
	return nil
}

// overlaps reports blocks that begin inside the block before them. Windows are looked at in ascending order.
func (c *checker) overlaps(first int64) {
	length := (c.img.head.bitmapSize + c.img.head.blockSize) / disk.SectorSize
	for i, word := range c.starts {
		for ; word != 0; word &= word - 1 {
			at := first + int64(i)*64 + int64(bits.TrailingZeros64(word))
			if c.last >= 0 && at-c.last < length && !c.isShort(c.last, at) {
				c.found.Problem(fault(disk.ErrCorrupt, "check table", c.img.file.Name(), at*disk.SectorSize,
					"a block begins %d sectors after another, which has %d", at-c.last, length))
			}
			c.last = at
		}
	}
}

// isShort says whether the block at sector at is the last one of the disk, which may end with the disk, and ends before next.
func (c *checker) isShort(at, next int64) bool {
	cur := cursor{img: c.img}
	i := c.img.head.blocks - 1
	last, stored, err := cur.block(i)
	return err == nil && stored && last == at*disk.SectorSize && c.img.blockEnd(i, last) <= next*disk.SectorSize
}
