package vhd

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// folder is a directory in memory that holds what an image may name.
type folder = disktest.Folder

// openIn opens a file of the folder with everything in it in reach. It fails the test if a file stays open.
func openIn(tb testing.TB, d folder, name string) (*Image, error) {
	tb.Helper()
	return disktest.OpenIn(tb, Open, formatName, name, d.Open, d.Names)
}

func mustOpenIn(tb testing.TB, d folder, name string) *Image {
	tb.Helper()
	img, err := openIn(tb, d, name)
	if err != nil {
		tb.Fatal(err)
	}
	return img
}

// shape is a VHD to be made byte by byte, as the specification says and not as this package's writer does it.
type shape struct {
	kind      uint32 // 3 if zero
	size      int64
	blockSize int64 // 2 MiB if zero
	creator   string
	chs       [3]int
	id, above byte // all bytes of the identifiers: of the disk, of its parent
	name      string
	locators  map[string]string
	content   disk.Image       // what blocks hold
	blocks    []int64          // the blocks that are stored, in the order of the file
	bits      func(int64) bool // of a sector: here; nil is all
	extra     uint32           // entries of the table beyond what the size needs
	tableAt   int64            // 1536 if zero
	short     bool             // the last block of the disk ends with the disk
	noEnd     bool             // no footer at the end
	badEnd    bool             // the footer at the end is damaged
	oldEnd    bool             // the footer at the end has 511 bytes
	batmap    bool             // a XenServer batmap stands before the footer
}

func sum(b []byte, at int) {
	var n uint32
	for _, c := range b {
		n += uint32(c)
	}
	binary.BigEndian.PutUint32(b[at:], ^n)
}

func repeat(c byte) []byte { return []byte(strings.Repeat(string([]byte{c}), 16)) }

func (s shape) footer() []byte {
	be := binary.BigEndian
	b := make([]byte, 512)
	copy(b, "conectix")
	b[11] = 2
	b[13] = 1
	be.PutUint64(b[16:], 512)
	if s.kind == 2 {
		be.PutUint64(b[16:], 1<<64-1)
	}
	copy(b[28:], s.creator)
	if s.creator == "" {
		copy(b[28:], "win ")
	}
	b[33] = 10
	copy(b[36:], "Wi2k")
	be.PutUint64(b[40:], uint64(s.size))
	be.PutUint64(b[48:], uint64(s.size))
	be.PutUint16(b[56:], uint16(s.chs[0]))
	b[58], b[59] = byte(s.chs[1]), byte(s.chs[2])
	b[63] = byte(s.kind)
	if s.kind == 0 {
		b[63] = 3
	}
	copy(b[68:], repeat(s.id))
	sum(b, 64)
	return b
}

// build returns the file.
func (s shape) build(tb testing.TB) []byte {
	tb.Helper()
	be := binary.BigEndian
	foot := s.footer()
	read := func(n, off int64) []byte {
		b := make([]byte, n)
		if off < s.content.Size() {
			if m, err := s.content.ReadAt(b[:min(n, s.content.Size()-off)], off); m == 0 {
				tb.Fatal(err)
			}
		}
		return b
	}
	if s.kind == 2 {
		return append(read(s.size, 0), foot...)
	}
	bs := s.blockSize
	if bs == 0 {
		bs = 2 << 20
	}
	tableAt := s.tableAt
	if tableAt == 0 {
		tableAt = 1536
	}
	blocks := (s.size + bs - 1) / bs
	out := append(append([]byte(nil), foot...), make([]byte, 1024)...)
	head := out[512:1536]
	copy(head, "cxsparse")
	be.PutUint64(head[8:], 1<<64-1)
	be.PutUint64(head[16:], uint64(tableAt))
	head[25] = 1
	be.PutUint32(head[28:], uint32(blocks)+s.extra)
	be.PutUint32(head[32:], uint32(bs))
	copy(head[40:], repeat(s.above))
	for i, u := range utf16.Encode([]rune(s.name)) {
		be.PutUint16(head[64+2*i:], u)
	}
	table := make([]byte, (4*(blocks+int64(s.extra))+511)/512*512)
	for i := range table {
		table[i] = 0xff
	}
	body := make([]byte, tableAt-1536)
	body = append(body, table...)
	for i, platform := range slices.Sorted(maps.Keys(s.locators)) {
		name := []byte(s.locators[platform])
		if strings.HasPrefix(platform, "W2") {
			name = nil
			for _, u := range utf16.Encode([]rune(s.locators[platform])) {
				name = binary.LittleEndian.AppendUint16(name, u)
			}
		}
		l := head[576+24*i:]
		copy(l, platform)
		be.PutUint32(l[4:], 65536) // as Windows writes it
		be.PutUint32(l[8:], uint32(len(name)))
		be.PutUint64(l[16:], uint64(1536+len(body)))
		body = append(append(body, name...), make([]byte, 511-(len(name)+511)%512)...)
	}
	sum(head, 36)
	for _, i := range s.blocks {
		be.PutUint32(body[tableAt-1536+4*i:], uint32((1536+len(body))/512))
		bitmap := make([]byte, (bs/512/8+511)/512*512)
		for j := range bs / 512 {
			if s.bits == nil || s.bits(i*bs/512+j) {
				bitmap[j/8] |= 1 << (7 - j%8)
			}
		}
		n := bs
		if s.short && i == blocks-1 {
			n = (s.size - i*bs + 511) / 512 * 512
		}
		body = append(append(body, bitmap...), read(n, i*bs)...)
	}
	out = append(out, body...)
	if s.batmap {
		out = append(append(out, "tdbatmap"...), make([]byte, 504)...)
	}
	switch {
	case s.noEnd:
	case s.badEnd:
		foot[100] = 1
		out = append(out, foot...)
	case s.oldEnd:
		out = append(out, foot[:511]...)
	default:
		out = append(out, foot...)
	}
	return out
}
