package vhd

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// folder is a directory in memory that holds what an image may name.
type folder map[string][]byte

func (d folder) open(name string) (disk.File, error) {
	b, ok := d[name]
	switch {
	case strings.ContainsAny(name, `/\`):
		return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrOutside}
	case !ok:
		return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrMissing}
	}
	return disktest.NewMemFile(name, b), nil
}

func (d folder) names() []string { return slices.Sorted(maps.Keys(d)) }

// envOf opens siblings, and parents as VHDs. A chain of more than twenty is a loop.
func envOf(open disk.Opener, names func() []string) disk.Env {
	depth := 0
	env := disk.Env{Open: open, Siblings: disk.Siblings{Names: names, Look: open}}
	env.OpenImage = func(ctx context.Context, name, format string) (disk.Image, error) {
		if depth++; depth > 20 {
			return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrLimit, Detail: "a loop"}
		}
		if format != formatName {
			return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrFormat, Detail: "asked for as " + format}
		}
		f, err := open(name)
		if err != nil {
			return nil, err
		}
		return Open(ctx, f, env)
	}
	return env
}

// openIn opens a file of the folder with everything in it in reach. It fails the test if a file stays open.
func openIn(tb testing.TB, d folder, name string) (*Image, error) {
	tb.Helper()
	open, trace := disktest.TracingOpener(d.open)
	f, err := open(name)
	if err != nil {
		tb.Fatal(err)
	}
	img, err := Open(tb.Context(), f, envOf(open, d.names))
	if err != nil {
		trace.CheckClosed(tb)
		return nil, err
	}
	tb.Cleanup(func() {
		if err := img.Close(); err != nil {
			tb.Error(err)
		}
		trace.CheckClosed(tb)
	})
	return img, nil
}

func mustOpenIn(tb testing.TB, d folder, name string) *Image {
	tb.Helper()
	img, err := openIn(tb, d, name)
	if err != nil {
		tb.Fatal(err)
	}
	return img
}

// checkError fails unless err is of this kind and says these words.
func checkError(tb testing.TB, err, kind error, words ...string) {
	tb.Helper()
	if !errors.Is(err, kind) {
		tb.Fatalf("error %v, want %v", err, kind)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			tb.Errorf("error %q does not say %q", err, word)
		}
	}
}

// isKind says whether an error is of one of the kinds that a reader may give for a bad image.
func isKind(err error) bool {
	return slices.ContainsFunc([]error{disk.ErrFormat, disk.ErrCorrupt, disk.ErrTruncated, disk.ErrUnsupported, disk.ErrMissing,
		disk.ErrOutside, disk.ErrLimit}, func(k error) bool { return errors.Is(err, k) })
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
