package native

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf16"
)

// image is a disk under construction: zeroes where nothing was put.
type image struct {
	size  int64
	parts map[int64][]byte
}

// newImage returns an empty disk of size bytes.
func newImage(size int64) *image { return &image{size: size, parts: map[int64][]byte{}} }

// put writes bytes at an offset; what lies past the end is cut off, as on a half-copied disk.
func (im *image) put(off int64, b []byte) *image {
	im.parts[off] = append([]byte(nil), b...)
	return im
}

// ReadAt implements io.ReaderAt.
func (im *image) ReadAt(p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), max(im.size-off, 0)))
	clear(p[:n])
	for at, b := range im.parts {
		from, to := max(at, off), min(at+int64(len(b)), off+int64(n))
		if from < to {
			copy(p[from-off:to-off], b[from-at:to-at])
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// bytesOf returns the whole disk.
func (im *image) bytesOf() []byte {
	b := make([]byte, im.size)
	_, _ = im.ReadAt(b, 0)
	return b
}

// entry is a partition of an MBR; start and size are in sectors.
type entry struct {
	flag, kind  byte
	start, size uint32
}

// mbr builds a boot record with that code in front.
func mbr(code string, entries ...entry) []byte {
	b := make([]byte, 512)
	copy(b, code)
	if len(code) > 0 {
		binary.LittleEndian.PutUint32(b[mbrSignature:], 0x1234abcd)
	}
	for i, e := range entries {
		at := b[mbrEntries+16*i:]
		at[0], at[4] = e.flag, e.kind
		binary.LittleEndian.PutUint32(at[8:], e.start)
		binary.LittleEndian.PutUint32(at[12:], e.size)
	}
	b[510], b[511] = 0x55, 0xaa
	return b
}

// part is a partition of a GPT; first and last are sectors.
type part struct {
	kind        string
	first, last uint64
	name        string
}

// guidBytes turns a GUID's text into its mixed byte order.
func guidBytes(s string) []byte {
	out, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(out) != 16 {
		panic("not a GUID: " + s)
	}
	out[0], out[1], out[2], out[3] = out[3], out[2], out[1], out[0]
	out[4], out[5], out[6], out[7] = out[5], out[4], out[7], out[6]
	return out
}

// gptHeader builds a header.
func gptHeader(sector, own, other, entriesAt uint64, entries []byte) []byte {
	h := make([]byte, sector)
	copy(h, gptSignature)
	put := func(off int, v uint64) { binary.LittleEndian.PutUint64(h[off:], v) }
	binary.LittleEndian.PutUint32(h[8:], 0x10000)
	binary.LittleEndian.PutUint32(h[12:], 92)
	put(24, own)
	put(32, other)
	put(72, entriesAt)
	binary.LittleEndian.PutUint32(h[80:], uint32(len(entries)/128))
	binary.LittleEndian.PutUint32(h[84:], 128)
	binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(entries))
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h[:92]))
	return h
}

// gpt puts a protective MBR with that code and both tables on a disk; the tables speak of a disk of full bytes.
func (im *image) gpt(sector, full int64, code string, parts ...part) *image {
	entries := make([]byte, 128*128)
	for i, p := range parts {
		e := entries[128*i:]
		copy(e, guidBytes(p.kind))
		e[16] = byte(i + 1)
		binary.LittleEndian.PutUint64(e[32:], p.first)
		binary.LittleEndian.PutUint64(e[40:], p.last)
		for j, u := range utf16.Encode([]rune(p.name)) {
			binary.LittleEndian.PutUint16(e[56+2*j:], u)
		}
	}
	last := uint64(full/sector - 1)
	backup := last - uint64(int64(len(entries))/sector)
	im.put(0, mbr(code, entry{kind: 0xee, start: 1, size: uint32(min(last, 0xffffffff))}))
	im.put(sector, gptHeader(uint64(sector), 1, last, 2, entries))
	im.put(2*sector, entries)
	im.put(int64(backup)*sector, entries)
	im.put(int64(last)*sector, gptHeader(uint64(sector), last, 1, backup, entries))
	return im
}

// fat32 is the boot sector of a FAT32 volume of so many sectors.
func fat32(sectors uint32) []byte {
	b := make([]byte, 512)
	copy(b, "\xeb\x58\x90mkfs.fat")
	binary.LittleEndian.PutUint16(b[11:], 512)
	b[13], b[14], b[16], b[21] = 8, 32, 2, 0xf8
	binary.LittleEndian.PutUint32(b[32:], sectors)
	b[66] = 0x29
	copy(b[67:], "\xeb\x8f\xa0\x23BOOT       FAT32   ")
	b[510], b[511] = 0x55, 0xaa
	return b
}

// superblock returns n bytes with texts put at offsets.
func superblock(n int, at map[int]string) []byte {
	b := make([]byte, n)
	for off, s := range at {
		copy(b[off:], s)
	}
	return b
}

const id16 = "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x01\x23\x45\x67\x89\xab\xcd\xef"

// idText is id16 as a UUID.
const idText = "12345678-9abc-def0-0123-456789abcdef"

// xfsBlock is the superblock of an XFS of so many blocks of 4096 bytes.
func xfsBlock(blocks uint64) []byte {
	b := superblock(512, map[int]string{0: "XFSB\x00\x00\x10\x00", 32: id16, 108: "root"})
	binary.BigEndian.PutUint64(b[8:], blocks)
	return b
}
