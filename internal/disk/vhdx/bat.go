package vhdx

import (
	"encoding/binary"
	"math/bits"

	"hyper2kvm/internal/disk"
)

// blockState says where the content of a payload block is (2.5.1.1), or whether a sector bitmap block is there (2.5.1.2).
type blockState uint8

const (
	blockNotPresent  blockState = 0 // the parent's, or zeroes
	blockUndefined   blockState = 1
	blockZero        blockState = 2
	blockUnmapped    blockState = 3
	blockUnmappedOld blockState = 5 // the number of unmapped in version 0.95 of the specification
	blockPresent     blockState = 6
	blockPartial     blockState = 7 // per sector, as the bitmap says
)

const (
	batEntryBytes   = 8
	batStateMask    = 7
	batReservedMask = (mib - 1) &^ batStateMask
	batOffsetMask   = ^uint64(mib - 1)
	batPageEntries  = pageBytes / batEntryBytes
)

// layout says how the BAT is arranged (2.5).
type layout struct {
	blockShift  uint  // a block has 1<<blockShift bytes
	sectorShift uint  // a sector has 1<<sectorShift bytes
	ratioShift  uint  // a chunk has 1<<ratioShift payload blocks
	blocks      int64 // payload blocks of the disk
	entries     int64 // of the BAT that are needed
}

func newLayout(size, blockSize, sectorSize int64, differencing bool) layout {
	l := layout{blockShift: uint(bits.TrailingZeros64(uint64(blockSize))), sectorShift: uint(bits.TrailingZeros64(uint64(sectorSize)))}
	l.ratioShift = uint(bits.TrailingZeros64(bitmapSectors)) + l.sectorShift - l.blockShift // at least 4: blocks have at most 256 MiB
	l.blocks = (size + blockSize - 1) >> l.blockShift
	switch {
	case differencing:
		l.entries = l.chunks() * (1<<l.ratioShift + 1)
	case l.blocks > 0:
		l.entries = l.payloadEntry(l.blocks-1) + 1
	}
	return l
}

func (l *layout) chunks() int64 { return (l.blocks + 1<<l.ratioShift - 1) >> l.ratioShift }

// payloadEntry returns the index of a payload block's entry.
func (l *layout) payloadEntry(block int64) int64 { return block + block>>l.ratioShift }

// bitmapEntry returns the index of the entry of a chunk's sector bitmap block.
func (l *layout) bitmapEntry(chunk int64) int64 { return (chunk+1)<<l.ratioShift + chunk }

// block is what the BAT says about a payload or sector bitmap block.
type block struct {
	state blockState
	host  int64 // place in the file; 0 where the state needs none
}

// readBATPage fills a page of the BAT.
func (img *Image) readBATPage(i int64, p *page) error {
	off := i * pageBytes
	n := min(pageBytes, img.layout.entries*batEntryBytes-off)
	return img.src.readFull("read BAT", p[:n], img.regions.bat.off+off)
}

// batEntry returns an entry of the BAT, and where it stands in the file.
func (img *Image) batEntry(i int64) (e uint64, at int64, err error) {
	p, err := img.bat.get(i / batPageEntries)
	if err != nil {
		return 0, 0, err
	}
	return binary.LittleEndian.Uint64(p[i%batPageEntries*batEntryBytes:]), img.regions.bat.off + i*batEntryBytes, nil
}

// payload returns what the BAT says about a payload block.
func (img *Image) payload(n int64) (block, error) {
	e, at, err := img.batEntry(img.layout.payloadEntry(n))
	if err != nil {
		return block{}, err
	}
	b := block{state: blockState(e & batStateMask)}
	switch b.state {
	case blockNotPresent, blockUndefined, blockZero, blockUnmapped, blockUnmappedOld:
		return b, nil
	case blockPartial:
		if !img.meta.parent {
			return block{}, img.corruptBAT(at, "block %d is partially present, but the disk has no parent", n)
		}
	case blockPresent:
	default:
		return block{}, img.corruptBAT(at, "block %d has the reserved state %d", n, b.state)
	}
	// Only what lies within the disk must be in the file: see doc.go.
	need := min(img.meta.blockSize, img.meta.size-n<<img.layout.blockShift)
	b.host, err = img.place(e, at, need, "block", n)
	return b, err
}

// bitmap returns the place of the sector bitmap block of a chunk.
func (img *Image) bitmap(chunk int64) (int64, error) {
	e, at, err := img.batEntry(img.layout.bitmapEntry(chunk))
	if err != nil {
		return 0, err
	}
	if s := blockState(e & batStateMask); s != blockPresent {
		return 0, img.corruptBAT(at, "sector bitmap %d has the state %d, blocks of its chunk need it", chunk, s)
	}
	return img.place(e, at, bitmapBytes, "sector bitmap", chunk)
}

// place checks the place in an entry.
func (img *Image) place(e uint64, at, need int64, what string, n int64) (int64, error) {
	host := e & batOffsetMask
	switch {
	case e&batReservedMask != 0:
		return 0, img.corruptBAT(at, "%s %d: entry %#x has reserved bits", what, n, e)
	case host > maxFileBytes:
		return 0, img.corruptBAT(at, "%s %d is at %#x; at most %#x is accepted", what, n, host, int64(maxFileBytes))
	case host == 0:
		return 0, img.corruptBAT(at, "%s %d is in the file, but at no place", what, n)
	}
	if s := img.regions.overlapping(int64(host), need); s != nil {
		return 0, img.corruptBAT(at, "%s %d at %#x overlaps %s", what, n, host, s.what)
	}
	if !img.src.holds(int64(host), need) {
		return 0, fault(disk.ErrTruncated, "read BAT", img.src.name(), at, "%s %d needs %d bytes at %#x, the file has %d bytes in all", what, n, need, host, img.src.size)
	}
	return int64(host), nil
}

func (img *Image) corruptBAT(at int64, detail string, args ...any) error {
	return fault(disk.ErrCorrupt, "read BAT", img.src.name(), at, detail, args...)
}
