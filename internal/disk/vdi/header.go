package vdi

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"

	"hyper2kvm/internal/disk"
)

// Places and sizes of the header (VDICore.h, VDIPREHEADER and VDIHEADER1PLUS).
const (
	headerSize     = 512 // what is read and written; the header proper ends before
	textSize       = 64
	signatureAt    = 64
	signature      = "\x7f\x10\xda\xbe"
	knownVersion   = 1<<16 | 1
	structAt       = 72
	oldStructSize  = 0x180
	fullStructSize = 0x190
)

// The image types.
const (
	typeDynamic      = 1
	typeStatic       = 2
	typeUndo         = 3
	typeDifferencing = 4
)

// header holds what is used of a header.
type header struct {
	text      string
	imageType uint32
	mapAt     int64 // file offset of the block map
	data      int64 // file offset of the first block
	size      int64
	blockSize int64
	extra     int64  // bytes before the content of each block
	entries   uint32 // of the map
	allocated uint32 // blocks in the file, as the header says
	create    [16]byte
	modify    [16]byte
	link      [16]byte // create of the parent
	linkMod   [16]byte // modify of the parent

	blocks     int64 // what the size needs of the map
	blockShift int
}

// Probe says whether a file that begins with head is a VDI.
func Probe(head []byte) bool {
	return len(head) >= signatureAt && bytes.HasPrefix(head[signatureAt:], []byte(signature))
}

// readHeader reads the header and refuses what is not read. It does not look at the map.
func readHeader(f disk.File) (header, error) {
	const op = "read header"
	b := make([]byte, min(f.Size(), headerSize))
	if err := readFull(f, op, b, 0); err != nil {
		return header{}, err
	}
	le := binary.LittleEndian
	switch {
	case !Probe(b):
		return header{}, fault(disk.ErrFormat, op, f.Name(), signatureAt, "no signature")
	case len(b) < structAt+oldStructSize:
		return header{}, fault(disk.ErrTruncated, op, f.Name(), 0, "needs %d bytes, the file has %d", structAt+oldStructSize, len(b))
	}
	version, length := le.Uint32(b[68:]), le.Uint32(b[structAt:])
	switch {
	case version != knownVersion:
		return header{}, fault(disk.ErrUnsupported, op, f.Name(), 68, "version %d.%d, want 1.1", version>>16, version&0xffff)
	case length < oldStructSize:
		return header{}, fault(disk.ErrCorrupt, op, f.Name(), structAt, "it has %d bytes, at least %d are needed", length, oldStructSize)
	}
	h := header{
		text: creatorText(b[:textSize]), imageType: le.Uint32(b[0x4c:]), mapAt: int64(le.Uint32(b[0x154:])), data: int64(le.Uint32(b[0x158:])),
		blockSize: int64(le.Uint32(b[0x178:])), extra: int64(le.Uint32(b[0x17c:])), entries: le.Uint32(b[0x180:]), allocated: le.Uint32(b[0x184:]),
	}
	copy(h.create[:], b[0x188:])
	copy(h.modify[:], b[0x198:])
	copy(h.link[:], b[0x1a8:])
	copy(h.linkMod[:], b[0x1b8:])
	size := le.Uint64(b[0x170:])
	if size > disk.MaxSize {
		return header{}, fault(disk.ErrLimit, op, f.Name(), 0x170, "size %d, at most %d", size, int64(disk.MaxSize))
	}
	h.size = int64(size)
	if err := h.check(f.Name()); err != nil {
		return header{}, err
	}
	return h, nil
}

// check holds the fields against each other.
func (h *header) check(file string) error {
	const op = "read header"
	switch h.imageType {
	case typeDynamic, typeStatic:
		if h.link != ([16]byte{}) {
			return fault(disk.ErrUnsupported, op, file, 0x4c, "the image is of type %d (%s), and names a parent all the same", h.imageType, typeNames[h.imageType])
		}
	case typeDifferencing:
		if h.link == ([16]byte{}) {
			return fault(disk.ErrCorrupt, op, file, 0x1a8, "a differencing image that names no parent")
		}
	case typeUndo:
		return fault(disk.ErrUnsupported, op, file, 0x4c, "an undo image; commit it with VirtualBox first")
	default:
		return fault(disk.ErrUnsupported, op, file, 0x4c, "image type %d, want %d (dynamic), %d (static) or %d (differencing)",
			h.imageType, typeDynamic, typeStatic, typeDifferencing)
	}
	switch {
	case bits.OnesCount64(uint64(h.blockSize)) != 1:
		return fault(disk.ErrCorrupt, op, file, 0x178, "block size %d, it must be a power of two", h.blockSize)
	case h.blockSize < minBlock || h.blockSize > maxBlock:
		return fault(disk.ErrLimit, op, file, 0x178, "block size %d, from %d to %d are read", h.blockSize, minBlock, maxBlock)
	case h.extra > h.blockSize:
		return fault(disk.ErrLimit, op, file, 0x17c, "%d bytes before each block of %d", h.extra, h.blockSize)
	}
	h.blockShift = bits.TrailingZeros64(uint64(h.blockSize))
	h.blocks = (h.size + h.blockSize - 1) >> h.blockShift
	switch {
	case int64(h.entries) < h.blocks:
		return fault(disk.ErrCorrupt, op, file, 0x180, "the map has %d entries, a disk of %d bytes needs %d", h.entries, h.size, h.blocks)
	case h.mapAt < structAt+oldStructSize:
		return fault(disk.ErrCorrupt, op, file, 0x154, "the map at %#x lies on the header", h.mapAt)
	case h.data-h.mapAt < 4*int64(h.entries):
		return fault(disk.ErrCorrupt, op, file, 0x158, "%d map entries from %#x on do not fit before the data at %#x", h.entries, h.mapAt, h.data)
	}
	return nil
}

// place returns where the content of block number n begins in the file.
func (h *header) place(n uint32) int64 { return h.data + int64(n)*(h.blockSize+h.extra) + h.extra }

var typeNames = map[uint32]string{typeDynamic: "dynamic", typeStatic: "static", typeDifferencing: "differencing"}

// creatorText returns what stands between the angle brackets of "<<< Oracle VM VirtualBox Disk Image >>>".
func creatorText(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return disk.Printable(strings.Trim(string(b), "<> \r\n"))
}

// encode returns the header's 512 bytes.
func (h *header) encode() []byte {
	le := binary.LittleEndian
	b := make([]byte, headerSize)
	copy(b[:textSize], fmt.Sprintf("<<< %s >>>\n", h.text))
	copy(b[signatureAt:], signature)
	le.PutUint32(b[68:], knownVersion)
	le.PutUint32(b[structAt:], fullStructSize)
	le.PutUint32(b[0x4c:], h.imageType)
	le.PutUint32(b[0x154:], uint32(h.mapAt))
	le.PutUint32(b[0x158:], uint32(h.data))
	le.PutUint32(b[0x168:], disk.SectorSize)
	le.PutUint64(b[0x170:], uint64(h.size))
	le.PutUint32(b[0x178:], uint32(h.blockSize))
	le.PutUint32(b[0x180:], h.entries)
	le.PutUint32(b[0x184:], h.allocated)
	copy(b[0x188:], h.create[:])
	copy(b[0x198:], h.modify[:])
	le.PutUint32(b[0x1d4:], disk.SectorSize) // of the second geometry
	return b
}
