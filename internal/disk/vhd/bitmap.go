package vhd

import (
	"math/bits"

	"hyper2kvm/internal/disk"
)

// bitRun returns the value of bit i and the first bit behind it, at most n, that has another. Bit 0 is the most significant of the
// first byte (specification, "Block Allocation Table and Data Blocks").
func bitRun(bitmap []byte, i, n int) (set bool, end int) {
	set = bitmap[i/8]&(0x80>>(i%8)) != 0
	var same byte // what a byte is xored with so that ones end the run
	if set {
		same = 0xff
	}
	for i < n {
		rest := (bitmap[i/8] ^ same) << (i % 8)
		if rest != 0 {
			return set, min(i+bits.LeadingZeros8(rest), n)
		}
		i += 8 - i%8
	}
	return set, n
}

// sectorRun is a range of one block whose sectors are all here or all in the parent.
type sectorRun struct {
	here bool
	end  int64 // offset in the block
	host int64 // in the file, of the first byte; only of what is here
}

// readBitmap reads the bits of the sectors [from, end) of the block whose bitmap is at at. The first bit belongs to the sector
// that from/8*8 is. buf has room for a whole bitmap.
func (img *Image) readBitmap(buf []byte, at, from, end int64) ([]byte, error) {
	first := from / 8
	b := buf[:(end+7)/8-first]
	return b, readFull(img.file, "read sector bitmap", b, at+first)
}

// readMixed fills p, which lies in one block, with the sectors that are here and from the parent with the others. in is the offset
// in the block, off that in the disk.
func (img *Image) readMixed(p []byte, at, in, off int64) error {
	buf := img.bitmaps.Get().(*[]byte)
	defer img.bitmaps.Put(buf)
	end := in + int64(len(p))
	first := in / disk.SectorSize
	last := (end + disk.SectorSize - 1) / disk.SectorSize
	bitmap, err := img.readBitmap(*buf, at, first, last)
	if err != nil {
		return err
	}
	base := first / 8 * 8
	for pos := in; pos < end; {
		set, stop := bitRun(bitmap, int(pos/disk.SectorSize-base), int(last-base))
		next := min((base+int64(stop))*disk.SectorSize, end)
		part := p[pos-in : next-in]
		if set {
			err = readFull(img.file, "read block", part, at+img.head.bitmapSize+pos)
		} else {
			err = img.parent.Read(part, off+pos-in)
		}
		if err != nil {
			return err
		}
		pos = next
	}
	return nil
}

// mixedRun returns the run at in of the block whose bitmap is at at; limit is the length of the block's content.
func (img *Image) mixedRun(at, in, limit int64) (sectorRun, error) {
	buf := img.bitmaps.Get().(*[]byte)
	defer img.bitmaps.Put(buf)
	first := in / disk.SectorSize
	last := (limit + disk.SectorSize - 1) / disk.SectorSize
	bitmap, err := img.readBitmap(*buf, at, first, last)
	if err != nil {
		return sectorRun{}, err
	}
	base := first / 8 * 8
	set, stop := bitRun(bitmap, int(first-base), int(last-base))
	return sectorRun{here: set, end: min((base+int64(stop))*disk.SectorSize, limit)}, nil
}
