package vhdx

import (
	"context"
	"math/bits"

	"hyper2kvm/internal/disk"
)

// Check reads the whole BAT of this layer and reports places outside the file, in other parts of it or used twice, and a damaged
// copy of the header or the region table. Memory is a bit for every MiB of the file.
func (img *Image) Check(ctx context.Context) (disk.Findings, error) {
	c := checker{img: img, used: make([]uint64, (img.src.size/mib+64)/64)}
	c.found.Units = img.layout.blocks
	if err := c.copies(); err != nil {
		return c.found, err
	}
	for n := range img.layout.blocks {
		if n%batPageEntries == 0 && ctx.Err() != nil {
			return c.found, context.Cause(ctx)
		}
		b, err := img.payload(n)
		switch {
		case err != nil:
			c.found.Problem(err)
		case b.host != 0:
			c.found.Stored++
			c.use(b.host, img.meta.blockSize, img.layout.payloadEntry(n))
		}
	}
	if !img.meta.parent { // entries of bitmaps mean nothing, and qemu up to version 7 left remains there
		return c.found, nil
	}
	for n := range img.layout.chunks() {
		i := img.layout.bitmapEntry(n)
		e, _, err := img.batEntry(i)
		switch {
		case err != nil:
			c.found.Problem(err)
			continue
		case blockState(e&batStateMask) == blockNotPresent:
			continue
		}
		host, err := img.bitmap(n)
		if err != nil {
			c.found.Problem(err)
			continue
		}
		c.use(host, bitmapBytes, i)
	}
	return c.found, context.Cause(ctx)
}

type checker struct {
	img   *Image
	found disk.Findings
	used  []uint64 // a bit for every MiB of the file
}

// copies checks both copies of what there are two of.
func (c *checker) copies() error {
	const op = "check"
	src := c.img.src
	b := make([]byte, regionTableBytes)
	for _, at := range []int64{headerOffset1, headerOffset2} {
		if err := src.readFull(op, b[:headerBytes], at); err != nil {
			return err
		}
		if _, why := parseHeader(b[:headerBytes]); why != "" {
			c.found.Problem(fault(disk.ErrCorrupt, op, src.name(), at, "header: %s", why))
		}
	}
	for _, at := range []int64{regionTableOffset1, regionTableOffset2} {
		if err := src.readFull(op, b, at); err != nil {
			return err
		}
		if _, why := parseRegionTable(b); why != "" {
			c.found.Problem(fault(disk.ErrCorrupt, op, src.name(), at, "region table: %s", why))
		}
	}
	return nil
}

// use marks the part of a block that is in the file; i is its entry in the BAT.
func (c *checker) use(host, n, i int64) {
	last := min(host+n, c.img.src.size) - 1
	for m := host / mib; m <= last/mib; {
		width := min(64-m%64, last/mib-m+1)
		mask := (^uint64(0) >> (64 - width)) << (m % 64)
		word := &c.used[m/64]
		if twice := *word & mask; twice != 0 {
			c.found.Problem(fault(disk.ErrCorrupt, "check BAT", c.img.src.name(), c.img.regions.bat.off+i*batEntryBytes,
				"the block at %#x overlaps another from %#x on", host, (m-m%64+int64(bits.TrailingZeros64(twice)))*mib))
			return
		}
		*word |= mask
		m += width
	}
}
