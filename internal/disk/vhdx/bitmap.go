package vhdx

import (
	"encoding/binary"
	"math/bits"
)

const (
	pagesPerBitmap = bitmapBytes / pageBytes
	pageSectors    = pageBytes * 8
)

// readBitmapPage fills a page of the sector bitmaps, which follow each other chunk by chunk.
func (img *Image) readBitmapPage(i int64, p *page) error {
	host, err := img.bitmap(i / pagesPerBitmap)
	if err != nil {
		return err
	}
	return img.src.readFull("read sector bitmap", p[:], host+i%pagesPerBitmap*pageBytes)
}

// sectors says whether the sector of the disk at off is in this file, and up to which offset, at most limit, the sectors after it are
// alike. off and limit lie in one block, so the bits lie on one page.
func (img *Image) sectors(off, limit int64) (present bool, end int64, err error) {
	shift := img.layout.sectorShift
	first, last := off>>shift, (limit-1)>>shift
	p, err := img.bitmaps.get(first / pageSectors)
	if err != nil {
		return false, 0, err
	}
	i, n := first%pageSectors, last-first+1+first%pageSectors
	present = p[i/8]>>(i%8)&1 != 0
	for i < n {
		w := binary.LittleEndian.Uint64(p[i/64*8:])
		if present {
			w = ^w
		}
		if w >>= i % 64; w != 0 { // bits that differ
			i += int64(bits.TrailingZeros64(w))
			break
		}
		i = (i/64 + 1) * 64
	}
	i = min(i, n)
	return present, min((first-first%pageSectors+i)<<shift, limit), nil
}
