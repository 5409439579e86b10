package vhd

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"hyper2kvm/internal/disk"
)

// The dynamic header (specification, "Dynamic Disk Header Format").
const (
	headerSize       = 1024
	headerCookie     = "cxsparse"
	headerChecksumAt = 36
	locators         = 8
	locatorsAt       = 576
	locatorSize      = 24
	parentNameAt     = 64
	parentNameSize   = 512
)

// header holds what is used of a dynamic header.
type header struct {
	at         int64 // file offset of the header
	table      int64 // file offset of the BAT
	entries    uint32
	blockSize  int64
	parentID   [16]byte
	parentName []byte // UTF-16, big endian, padded with zeroes
	locators   [locators]locator

	blocks     int64 // what the size needs of the table
	blockShift int
	bitmapSize int64 // bytes in the file
}

// locator is where a platform's name of the parent stands.
type locator struct {
	platform string // four letters
	length   uint32 // bytes
	offset   uint64
}

// readHeader reads the dynamic header that a footer refers to.
func readHeader(f disk.File, foot *footer) (header, error) {
	const op = "read dynamic header"
	b := make([]byte, headerSize)
	if foot.dataOffset > uint64(f.Size()) {
		return header{}, fault(disk.ErrTruncated, op, f.Name(), noOffset, "it should be at %#x, the file has %d bytes", foot.dataOffset, f.Size())
	}
	at := int64(foot.dataOffset)
	if err := readFull(f, op, b, at); err != nil {
		return header{}, err
	}
	be := binary.BigEndian
	if !bytes.HasPrefix(b, []byte(headerCookie)) {
		return header{}, fault(disk.ErrCorrupt, op, f.Name(), at, "no cookie %q", headerCookie)
	}
	if stated, sum := be.Uint32(b[headerChecksumAt:]), checksum(b, headerChecksumAt); stated != sum {
		return header{}, fault(disk.ErrCorrupt, op, f.Name(), at, "its checksum is %#08x, its bytes give %#08x", stated, sum)
	}
	if v := be.Uint32(b[24:]); v>>16 != majorVersion {
		return header{}, fault(disk.ErrUnsupported, op, f.Name(), at, "header version %d.%d, want 1.x", v>>16, v&0xffff)
	}
	h := header{at: at, entries: be.Uint32(b[28:]), blockSize: int64(be.Uint32(b[32:])), parentName: b[parentNameAt : parentNameAt+parentNameSize]}
	copy(h.parentID[:], b[40:])
	for i := range h.locators {
		l := b[locatorsAt+i*locatorSize:]
		h.locators[i] = locator{platform: string(l[:4]), length: be.Uint32(l[8:]), offset: be.Uint64(l[16:])}
	}
	if err := h.derive(f, int64(foot.size()), be.Uint64(b[16:])); err != nil {
		return header{}, err
	}
	return h, nil
}

// derive computes what follows from block size and disk size, and holds the table against the file.
func (h *header) derive(f disk.File, size int64, table uint64) error {
	const op = "read dynamic header"
	switch {
	case bits.OnesCount64(uint64(h.blockSize)) != 1:
		return fault(disk.ErrCorrupt, op, f.Name(), h.at, "block size %d, it must be a power of two", h.blockSize)
	case h.blockSize < minBlock || h.blockSize > maxBlock:
		return fault(disk.ErrLimit, op, f.Name(), h.at, "block size %d, from %d to %d are read", h.blockSize, minBlock, maxBlock)
	}
	h.blockShift = bits.TrailingZeros64(uint64(h.blockSize))
	h.bitmapSize = bitmapSize(h.blockSize)
	h.blocks = (size + h.blockSize - 1) >> h.blockShift
	if int64(h.entries) < h.blocks {
		return fault(disk.ErrCorrupt, op, f.Name(), h.at, "the table has %d entries, a disk of %d bytes needs %d", h.entries, size, h.blocks)
	}
	if table > uint64(f.Size()) || 4*h.blocks > f.Size()-int64(table) {
		return fault(disk.ErrTruncated, op, f.Name(), h.at, "the table needs %d bytes at %#x, the file has %d", 4*h.blocks, table, f.Size())
	}
	h.table = int64(table)
	return nil
}

// bitmapSize returns the bytes before a block's content: a bit for each sector, in whole sectors.
func bitmapSize(blockSize int64) int64 {
	return (blockSize/disk.SectorSize/8 + disk.SectorSize - 1) &^ (disk.SectorSize - 1)
}

// encode returns the header's 1024 bytes, without a parent.
func (h *header) encode() []byte {
	be := binary.BigEndian
	b := make([]byte, headerSize)
	copy(b, headerCookie)
	be.PutUint64(b[8:], noStructure)
	be.PutUint64(b[16:], uint64(h.table))
	be.PutUint32(b[24:], majorVersion<<16)
	be.PutUint32(b[28:], h.entries)
	be.PutUint32(b[32:], uint32(h.blockSize))
	be.PutUint32(b[headerChecksumAt:], checksum(b, headerChecksumAt))
	return b
}
