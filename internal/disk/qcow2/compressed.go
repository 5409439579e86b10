package qcow2

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/deflate"
)

// compressedSpan splits the L2 entry of a compressed cluster (specification, "Compressed Clusters Descriptor"): x low bits
// are the byte offset, the rest counts the sectors after the one in which the data begins.
func compressedSpan(e uint64, clusterBits uint32) (off, n int64) {
	x := 62 - (clusterBits - 8)
	off = int64(e & (1<<x - 1))
	sectors := int64(e & (flagCompressed - 1) >> x)
	return off, (sectors+1)*disk.SectorSize - off%disk.SectorSize
}

// compressedEntry is the reverse for n bytes at off.
func compressedEntry(off, n int64, clusterBits uint32) uint64 {
	x := 62 - (clusterBits - 8)
	sectors := (off+n-1)/disk.SectorSize - off/disk.SectorSize
	return flagCompressed | uint64(sectors)<<x | uint64(off)
}

// readCompressed fills p with the content of a compressed cluster from the byte within on.
func (img *Image) readCompressed(p []byte, entry uint64, within int64) error {
	if int64(len(p)) == img.head.clusterSize {
		return img.decompress(p, entry)
	}
	content, err := img.clusters.Get(int64(entry), func() ([]byte, error) {
		b := make([]byte, img.head.clusterSize)
		return b, img.decompress(b, entry)
	})
	if err != nil {
		return err
	}
	copy(p, content[within:])
	return nil
}

// decompress fills dst, which is one cluster long, with the content behind a compressed cluster's entry. The last data of a file
// may end inside its sector.
func (img *Image) decompress(dst []byte, entry uint64) error {
	off, n := compressedSpan(entry, img.head.clusterBits)
	left := img.file.Size() - off
	if left <= 0 {
		return &disk.Error{Format: "qcow2", Op: "read compressed cluster", File: img.file.Name(), Off: off, Kind: disk.ErrTruncated,
			Detail: "begins past the end of the file"}
	}
	s := img.decode.get()
	defer img.decode.put(s)
	src := s.src[:min(n, left)] // n is at most two clusters: the entry has clusterBits-8 bits for sectors
	if err := readFull(img.file, src, off, "read compressed cluster"); err != nil {
		return err
	}
	var err error
	if img.decode.zstd != nil {
		err = img.decode.unzstd(dst, src)
	} else {
		err = s.inflate(dst, src)
	}
	if err != nil {
		kind := disk.ErrCorrupt
		if left < n && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, deflate.ErrTruncated)) {
			kind = disk.ErrTruncated
		}
		return &disk.Error{Format: "qcow2", Op: "decompress cluster", File: img.file.Name(), Off: off, Kind: kind, Err: err}
	}
	return nil
}

// decoder keeps what decompression needs, so that a cluster costs no allocation.
type decoder struct {
	states *sync.Pool    // of *decodeState
	zstd   *zstd.Decoder // nil for deflate
}

// decodeState is what one goroutine uses for one cluster.
type decodeState struct {
	src     []byte           // compressed data: the most that an entry can claim
	deflate *deflate.Decoder // nil for zstd
}

func newDecoder(h *header) (decoder, error) {
	var d decoder
	if h.compression == compressionZstd {
		// DecodeAll may run in as many goroutines as there are processors. It takes no memory for a window but dst, and stops at
		// the end of that; the limit on the window is the reference decoder's.
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return d, err
		}
		d.zstd = z
	}
	room := 2*h.clusterSize + disk.SectorSize
	framed := d.zstd != nil
	d.states = &sync.Pool{New: func() any {
		s := &decodeState{src: make([]byte, room)}
		if !framed {
			s.deflate = new(deflate.Decoder)
		}
		return s
	}}
	return d, nil
}

func (d decoder) get() *decodeState  { return d.states.Get().(*decodeState) }
func (d decoder) put(s *decodeState) { d.states.Put(s) }

func (d decoder) close() {
	if d.zstd != nil {
		d.zstd.Close()
	}
}

// inflate fills dst from a deflate stream. What the stream holds beyond dst, and what is wrong there, does not matter: readers stop
// when the cluster is full.
func (s *decodeState) inflate(dst, src []byte) error {
	n, _, err := s.deflate.Inflate(dst, src)
	switch {
	case n == len(dst):
		return nil
	case err == nil:
		return errShortStream
	}
	return err
}

// unzstd fills dst from zstd frames, normally one. What follows is padding, which a decoder would take for a broken frame.
func (d decoder) unzstd(dst, src []byte) error {
	got := 0
	for got < len(dst) {
		n, err := frameLen(src)
		if err != nil {
			return err
		}
		out, err := d.zstd.DecodeAll(src[:n], dst[got:got:len(dst)])
		if err != nil {
			return err
		}
		got += len(out)
		src = src[n:]
	}
	return nil
}

var (
	errShortStream = errors.New("the stream ends before the cluster does")
	errFrame       = errors.New("not a zstd frame")
	errNoBlocks    = io.ErrUnexpectedEOF
)

// frameLen returns the length of the zstd or skippable frame that b begins with (RFC 8878 section 3.1).
func frameLen(b []byte) (int, error) {
	const (
		magicFrame     = 0xfd2fb528
		magicSkippable = 0x184d2a50 // the low four bits are free
	)
	if len(b) < 5 {
		return 0, errNoBlocks
	}
	le := binary.LittleEndian
	if m := le.Uint32(b); m&^0xf == magicSkippable {
		if len(b) < 8 || int64(le.Uint32(b[4:])) > int64(len(b)-8) {
			return 0, errNoBlocks
		}
		return 8 + int(le.Uint32(b[4:])), nil
	} else if m != magicFrame {
		return 0, errFrame
	}
	// Frame header descriptor: content size flag, single segment, reserved, checksum, dictionary id flag.
	d := b[4]
	single := d>>5&1 != 0
	n := 5 + [4]int{0, 1, 2, 4}[d&3]
	if !single {
		n++ // window descriptor
	}
	if sizeFlag := d >> 6; sizeFlag != 0 {
		n += 1 << sizeFlag
	} else if single {
		n++
	}
	for last := false; !last; {
		if len(b) < n+3 {
			return 0, errNoBlocks
		}
		block := uint32(b[n]) | uint32(b[n+1])<<8 | uint32(b[n+2])<<16
		last = block&1 != 0
		size := int(block >> 3)
		if block>>1&3 == 1 {
			size = 1 // RLE: the size is that of the content
		}
		n += 3 + size
	}
	if d>>2&1 != 0 {
		n += 4 // checksum
	}
	if n > len(b) {
		return 0, errNoBlocks
	}
	return n, nil
}
