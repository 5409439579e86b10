package vhdx

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"hyper2kvm/internal/disk/disktest"
)

// This file makes images from the specification, with nothing of the code under test.

const testMiB = 1 << 20

// specGUID stores a GUID as [MS-DTYP] says.
func specGUID(text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(b) != 16 {
		panic(text)
	}
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return b
}

const (
	textBAT      = "2DC27766-F623-4200-9D64-115E9BFD4A08"
	textMetadata = "8B7CA206-4790-4B9A-B8FE-575F050F886E"
	textFile     = "CAA16737-FA36-4D43-B3B6-33F0AA44E76B"
	textSize     = "2FA54224-CD1B-4876-B211-5DBED83BF4B8"
	textDisk     = "BECA12AB-B2E6-4523-93EF-C309E000C746"
	textLogical  = "8141BF1D-A96F-4709-BA47-F233A8FAAB5F"
	textPhysical = "CDA348C7-445D-4471-9CC9-E9885251C556"
	textLocator  = "A8D35F2D-B30B-454D-ABF7-D3D84834AB0C"
	textVHDX     = "B04AEFB7-D19E-4A81-B789-25B8E9445913"

	textParent = "83ed0ec3-24c8-49a6-a959-5e4bf1288bfb" // DataWriteGuid of images here
	textLog    = "11223344-5566-7788-99aa-bbccddeeff00"
	textOther  = "01234567-89ab-cdef-0123-456789abcdef"
)

// Where the images here have their parts: in another order than those of the writer.
const (
	specMetadataAt = 1 * testMiB
	specBATAt      = 2 * testMiB
)

// specImage says what an image holds.
type specImage struct {
	size      int64
	blockSize int64
	sector    int64 // 0 is 512
	flags     uint32
	blocks    map[int64]specBlock
	parent    [][2]string // entries of the parent locator
	locator   string      // its type; "" is that of VHDX
	logSize   int64       // 0 is 1 MiB
	logGUID   string      // of the headers; "" is zero
	written   string      // DataWriteGuid; "" is textParent
}

// specBlock is a payload block.
type specBlock struct {
	state   int
	content []byte
	sectors func(sector int64) bool // of the disk; for state 7
}

// specFile is an image that was made, and where its parts are.
type specFile struct {
	*disktest.MemFile
	log, end int64
	blocks   map[int64]int64 // places of payload blocks
	bitmaps  map[int64]int64 // places of sector bitmap blocks by chunk
	entries  int64
	sum      *specImage
}

func (s *specImage) sectorSize() int64 { return max(s.sector, 512) }

func (s *specImage) ratio() int64 { return (1 << 23) * s.sectorSize() / s.blockSize }

// batIndex is the place of a payload block's entry: after every ratio of them one of a bitmap follows.
func (s *specImage) batIndex(block int64) int64 {
	return block/s.ratio()*(s.ratio()+1) + block%s.ratio()
}

// make writes the image.
func (s *specImage) make(tb testing.TB) *specFile {
	tb.Helper()
	f := &specFile{MemFile: disktest.NewMemFile("disk.vhdx", nil), blocks: map[int64]int64{}, bitmaps: map[int64]int64{}, sum: s}
	blocks := (s.size + s.blockSize - 1) / s.blockSize
	chunks := (blocks + s.ratio() - 1) / s.ratio()
	f.entries = blocks + max(blocks-1, 0)/s.ratio()
	if s.flags&2 != 0 {
		f.entries = chunks * (s.ratio() + 1)
	}
	batSize := max((f.entries*8+testMiB-1)/testMiB, 1) * testMiB
	f.log = specBATAt + batSize
	logSize := max(s.logSize, testMiB)
	f.end = f.log + logSize

	f.put(0, []byte("vhdxfile"))
	f.put(8, utf16le("a test by hand\x00left over"))
	f.header(tb, 0, 7, s, logSize)
	f.header(tb, 1, 8, s, logSize)
	f.regionTables(specRegion{textBAT, specBATAt, uint32(batSize), 1}, specRegion{textMetadata, specMetadataAt, testMiB, 1})
	f.metadata(s)

	// Blocks stand in the file in descending order.
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(s.blocks))) {
		b := s.blocks[n]
		e := uint64(b.state)
		if b.state >= 6 {
			f.blocks[n] = f.end
			f.put(f.end, b.content)
			e |= uint64(f.end/testMiB) << 20
			f.end += s.blockSize
		}
		f.put(specBATAt+8*s.batIndex(n), binary.LittleEndian.AppendUint64(nil, e))
		if b.sectors == nil {
			continue
		}
		chunk := n / s.ratio()
		at, there := f.bitmaps[chunk]
		if !there {
			at = f.end
			f.bitmaps[chunk] = at
			f.end += testMiB
			f.put(specBATAt+8*(chunk*(s.ratio()+1)+s.ratio()), binary.LittleEndian.AppendUint64(nil, uint64(at/testMiB)<<20|6))
		}
		for i := n * s.blockSize / s.sectorSize(); i < min((n+1)*s.blockSize, s.size)/s.sectorSize(); i++ {
			if b.sectors(i) {
				bit := i % (1 << 23)
				was := f.get(at+bit/8, 1)
				f.put(at+bit/8, []byte{was[0] | 1<<(bit%8)})
			}
		}
	}
	if err := f.Truncate(f.end); err != nil {
		tb.Fatal(err)
	}
	return f
}

func (f *specFile) put(off int64, b []byte) {
	if _, err := f.WriteAt(b, off); err != nil {
		panic(err) // a test has a negative offset
	}
}

func (f *specFile) get(off, n int64) []byte {
	b := make([]byte, n)
	_, _ = f.ReadAt(b, off) // past the end is zero
	return b
}

// header writes header i, 0 or 1.
func (f *specFile) header(tb testing.TB, i int, sequence uint64, s *specImage, logSize int64) {
	tb.Helper()
	le := binary.LittleEndian
	b := make([]byte, 4096)
	copy(b, "head")
	le.PutUint64(b[8:], sequence)
	copy(b[16:], specGUID(textOther))
	written := textParent
	if s.written != "" {
		written = s.written
	}
	copy(b[32:], specGUID(written))
	if s.logGUID != "" {
		copy(b[48:], specGUID(s.logGUID))
	}
	le.PutUint16(b[66:], 1)
	le.PutUint32(b[68:], uint32(logSize))
	le.PutUint64(b[72:], uint64(f.log))
	f.put(int64(65536*(i+1)), b)
	f.fixHeader(i)
}

func (f *specFile) fix(off, n int64) {
	b := f.get(off, n)
	copy(b[4:8], []byte{0, 0, 0, 0})
	f.put(off+4, binary.LittleEndian.AppendUint32(nil, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))))
}

func (f *specFile) fixHeader(i int) { f.fix(int64(65536*(i+1)), 4096) }

func (f *specFile) fixRegions(i int) { f.fix(int64(65536*(i+3)), 65536) }

// both changes both headers, or both region tables if tables is set.
func (f *specFile) both(tables bool, at int64, b []byte) {
	for i := range 2 {
		if tables {
			f.put(int64(65536*(i+3))+at, b)
			f.fixRegions(i)
		} else {
			f.put(int64(65536*(i+1))+at, b)
			f.fixHeader(i)
		}
	}
}

// specRegion is an entry of the region table.
type specRegion struct {
	guid     string
	off      int64
	length   uint32
	required uint32
}

func (f *specFile) regionTables(regions ...specRegion) {
	le := binary.LittleEndian
	b := make([]byte, 65536)
	copy(b, "regi")
	le.PutUint32(b[8:], uint32(len(regions)))
	for i, r := range regions {
		e := b[16+32*i:]
		copy(e, specGUID(r.guid))
		le.PutUint64(e[16:], uint64(r.off))
		le.PutUint32(e[24:], r.length)
		le.PutUint32(e[28:], r.required)
	}
	f.both(true, 0, b)
}

// specItem is an item of the metadata.
type specItem struct {
	guid  string
	flags uint32
	value []byte
}

func (s *specImage) items() []specItem {
	le := binary.LittleEndian
	items := []specItem{
		{textPhysical, 6, le.AppendUint32(nil, 4096)},
		{textLogical, 6, le.AppendUint32(nil, uint32(s.sectorSize()))},
		{textDisk, 6, specGUID(textOther)},
		{textSize, 6, le.AppendUint64(nil, uint64(s.size))},
		{textFile, 4, le.AppendUint32(le.AppendUint32(nil, uint32(s.blockSize)), s.flags)},
	}
	if s.flags&2 != 0 {
		items = append(items, specItem{textLocator, 4, s.locatorItem()})
	}
	return items
}

func (f *specFile) metadata(s *specImage) { f.metadataItems(s.items()) }

// metadataItems writes the table and the items, with gaps in between.
func (f *specFile) metadataItems(items []specItem) {
	le := binary.LittleEndian
	f.put(specMetadataAt, make([]byte, 65536))
	f.put(specMetadataAt, []byte("metadata"))
	f.put(specMetadataAt+10, le.AppendUint16(nil, uint16(len(items))))
	at := uint32(65536 + 40)
	for i, m := range items {
		e := make([]byte, 32)
		copy(e, specGUID(m.guid))
		if len(m.value) > 0 {
			le.PutUint32(e[16:], at)
		}
		le.PutUint32(e[20:], uint32(len(m.value)))
		le.PutUint32(e[24:], m.flags)
		f.put(specMetadataAt+32+32*int64(i), e)
		f.put(specMetadataAt+int64(at), m.value)
		at += uint32(len(m.value)) + 24
	}
}

// item returns the place in the file of an item that is there.
func (f *specFile) item(guid string) int64 {
	for i := range int64(20) {
		if e := f.get(specMetadataAt+32+32*i, 32); bytes.Equal(e[:16], specGUID(guid)) {
			return specMetadataAt + int64(binary.LittleEndian.Uint32(e[16:]))
		}
	}
	panic(guid)
}

func (s *specImage) locatorItem() []byte {
	le := binary.LittleEndian
	kind := textVHDX
	if s.locator != "" {
		kind = s.locator
	}
	b := append(specGUID(kind), 0, 0)
	b = le.AppendUint16(b, uint16(len(s.parent)))
	text := []byte("gap!")
	start := len(b) + 12*len(s.parent)
	for _, kv := range s.parent {
		key, value := utf16le(kv[0]), utf16le(kv[1])
		b = le.AppendUint32(b, uint32(start+len(text)))
		b = le.AppendUint32(b, uint32(start+len(text)+len(key)))
		b = le.AppendUint16(b, uint16(len(key)))
		b = le.AppendUint16(b, uint16(len(value)))
		text = append(append(text, key...), value...)
	}
	return append(b, text...)
}

func utf16le(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// want is the content of an image without a parent.
func (s *specImage) want() *disktest.MemImage {
	m := disktest.NewMemImage(s.size)
	for n, b := range s.blocks {
		if b.state == 6 {
			content := make([]byte, s.blockSize)
			copy(content, b.content)
			m.Put(n*s.blockSize, content)
		}
	}
	return m
}

// plainDisk is a small dynamic disk with a block in each state that it may have.
func plainDisk() *specImage {
	return &specImage{size: 7*testMiB + testMiB/2, blockSize: testMiB, blocks: map[int64]specBlock{
		0: {state: 6, content: disktest.Text(testMiB)},
		1: {state: 0},
		2: {state: 1},
		3: {state: 2},
		4: {state: 6, content: disktest.Random(4, testMiB)},
		5: {state: 3},
		6: {state: 5},
		7: {state: 6, content: disktest.Random(7, testMiB)}, // half of it is past the end
	}}
}
