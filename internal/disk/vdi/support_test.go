package vdi

import (
	"encoding/binary"
	"strings"
	"testing"

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

// shape is a VDI to be made byte by byte, as VDICore.h says and not as this package's writer does it.
type shape struct {
	text         string
	kind         uint32 // 1 if zero
	size         int64
	blockSize    int64 // 1 MiB if zero
	extra        int64
	old          bool    // a header of 0x180 bytes
	mapAt, data  int64   // 512 and behind the map if zero
	more         uint32  // map entries beyond what the size needs
	ids          [4]byte // all bytes of create, modify, link, parent's modify
	content      disk.Image
	blocks       []int64 // the blocks that are stored, in the order of the file
	gone         []int64 // blocks that were discarded
	countedExtra uint32  // blocks in the header's count that are not there
}

// build returns the file.
func (s shape) build(tb testing.TB) []byte {
	tb.Helper()
	le := binary.LittleEndian
	bs := s.blockSize
	if bs == 0 {
		bs = 1 << 20
	}
	entries := (s.size+bs-1)/bs + int64(s.more)
	mapAt, data := s.mapAt, s.data
	if mapAt == 0 {
		mapAt = 512
	}
	if data == 0 {
		data = (mapAt + 4*entries + 511) / 512 * 512
	}
	b := make([]byte, data)
	copy(b, s.text)
	if s.text == "" {
		copy(b, "<<< Oracle VM VirtualBox Disk Image >>>\n")
	}
	le.PutUint32(b[64:], 0xbeda107f)
	le.PutUint32(b[68:], 0x00010001)
	le.PutUint32(b[72:], 0x190)
	if s.old {
		le.PutUint32(b[72:], 0x180)
	}
	le.PutUint32(b[76:], max(s.kind, 1))
	le.PutUint32(b[340:], uint32(mapAt))
	le.PutUint32(b[344:], uint32(data))
	le.PutUint32(b[348:], 77) // geometry: junk
	le.PutUint32(b[360:], 512)
	le.PutUint64(b[368:], uint64(s.size))
	le.PutUint32(b[376:], uint32(bs))
	le.PutUint32(b[380:], uint32(s.extra))
	le.PutUint32(b[384:], uint32(entries))
	le.PutUint32(b[388:], uint32(len(s.blocks))+s.countedExtra)
	for i, id := range s.ids {
		copy(b[392+16*i:], strings.Repeat(string([]byte{id}), 16))
	}
	for i := range entries {
		le.PutUint32(b[mapAt+4*i:], 0xffffffff)
	}
	for _, i := range s.gone {
		le.PutUint32(b[mapAt+4*i:], 0xfffffffe)
	}
	for n, i := range s.blocks {
		le.PutUint32(b[mapAt+4*i:], uint32(n))
		block := make([]byte, s.extra+bs)
		for j := range s.extra {
			block[j] = 0xee
		}
		if m, err := s.content.ReadAt(block[s.extra:], i*bs); m == 0 {
			tb.Fatal(err)
		}
		b = append(b, block...)
	}
	return b
}
