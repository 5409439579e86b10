package vhd

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"hyper2kvm/internal/disk"
)

const (
	// chunkSize is the unit in which zeroes are left out. Smaller makes the file sparser and costs a system call each.
	chunkSize = 64 << 10
	// writtenBlock is the block size that every program writes by default.
	writtenBlock = 2 << 20
	// contentAlign is where the content of blocks begins, as in images of Windows: at multiples of a physical sector.
	contentAlign = 4 << 10
	// creatorLetters are those of Windows. The footer states the size twice, to the byte and, rounded down, as cylinders, heads and
	// sectors; readers believe the first only of creators that they know to mean it (qemu: block/vpc.c, use_chs), and would cut
	// the end off a disk whose creator is a stranger to them.
	creatorLetters = "win "
	// creatorVersion is one that no Windows that knows VHD has (they begin at 5.2): it tells such a disk from theirs.
	creatorVersion = 1 << 16
)

// Options say how to write an image. The zero value writes a dynamic disk with a random identifier.
type Options struct {
	Fixed    bool      // all content at its place and a footer behind it, as Azure wants it, instead of blocks and a table
	UniqueID [16]byte  // all zero is a random one
	Created  time.Time // zero is not stated
}

// Writer writes one image. It implements disk.Writer.
type Writer struct {
	out    disk.Sink
	foot   footer
	head   header
	fixed  bool
	table  []byte // 4 bytes for each block, at most 4 MiB
	bitmap []byte // of a block, all set
	block  int64  // the last one that was begun; negative if none
	at     int64  // where its content is
	end    int64  // where the next block, or the footer, goes
}

// NewWriter makes t an image of size bytes (rounded up to a multiple of 512), all zero until Append. Errors: ErrLimit for a size
// that is negative or above 2040 GiB.
func NewWriter(t disk.Target, size int64, o Options) (*Writer, error) {
	if size < 0 || size > maxSize {
		return nil, &disk.Error{Format: formatName, Op: "create", Off: noOffset, Kind: disk.ErrLimit,
			Detail: fmt.Sprintf("size %d, at most %d", size, int64(maxSize))}
	}
	w := &Writer{out: disk.Sink{Target: t, Format: formatName, Size: size, Chunk: chunkSize}, fixed: o.Fixed, block: -1}
	sectors := (size + disk.SectorSize - 1) / disk.SectorSize
	w.foot = footer{
		version: majorVersion << 16, dataOffset: noStructure, timestamp: timestamp(o.Created), creatorVer: creatorVersion,
		hostOS: [4]byte{'W', 'i', '2', 'k'}, original: uint64(sectors * disk.SectorSize), current: uint64(sectors * disk.SectorSize),
		geometry: newGeometry(sectors), diskType: typeFixed, id: o.UniqueID,
	}
	copy(w.foot.creator[:], creatorLetters)
	if w.foot.id == ([16]byte{}) {
		if _, err := rand.Read(w.foot.id[:]); err != nil {
			return nil, &disk.Error{Format: formatName, Op: "create", Off: noOffset, Err: err}
		}
	}
	if err := w.out.Truncate(0); err != nil {
		return nil, err
	}
	w.end = sectors * disk.SectorSize
	if !w.fixed {
		w.layOut(w.end)
	}
	return w, nil
}

// timestamp returns the seconds since the year 2000 (specification, "Time Stamp").
func timestamp(t time.Time) uint32 {
	epoch := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	if t.Before(epoch) {
		return 0
	}
	return uint32(t.Unix() - epoch.Unix())
}

// layOut places the parts of a dynamic disk.
func (w *Writer) layOut(size int64) {
	const headerAt, tableAt = footerSize, footerSize + headerSize
	blocks := (size + writtenBlock - 1) / writtenBlock
	w.foot.diskType, w.foot.dataOffset = typeDynamic, headerAt
	w.head = header{at: headerAt, table: tableAt, entries: uint32(blocks), blockSize: writtenBlock, bitmapSize: bitmapSize(writtenBlock)}
	w.table = make([]byte, 4*blocks)
	for i := range w.table {
		w.table[i] = 0xff
	}
	w.bitmap = make([]byte, w.head.bitmapSize)
	for i := range w.bitmap {
		w.bitmap[i] = 0xff
	}
	w.end = (tableAt + 4*blocks + disk.SectorSize - 1) &^ (disk.SectorSize - 1)
}

// ChunkSize returns 64 KiB.
func (w *Writer) ChunkSize() int { return chunkSize }

// Encode returns src itself.
func (w *Writer) Encode(_, src []byte) ([]byte, error) { return src, nil }

// Append writes a chunk at its place, and reserves the block that it is the first of.
func (w *Writer) Append(ctx context.Context, off int64, b []byte) error {
	if err := w.out.Admit(ctx, off, len(b)); err != nil {
		return err
	}
	if w.fixed {
		return w.out.Keep(w.out.Write("write", b, off))
	}
	if i := off / writtenBlock; i != w.block {
		if err := w.begin(i); err != nil {
			return w.out.Keep(err)
		}
	}
	return w.out.Keep(w.out.Write("write", b, w.at+off%writtenBlock))
}

// begin reserves block i at the end of the file.
func (w *Writer) begin(i int64) error {
	w.at = (w.end + w.head.bitmapSize + contentAlign - 1) &^ (contentAlign - 1)
	bitmap := w.at - w.head.bitmapSize
	w.block, w.end = i, w.at+writtenBlock
	binary.BigEndian.PutUint32(w.table[4*i:], uint32(bitmap/disk.SectorSize))
	return w.out.Write("write sector bitmap", w.bitmap, bitmap)
}

// Finish syncs the content, then writes and syncs table, header and footers.
func (w *Writer) Finish(ctx context.Context) error { return w.out.Finish(ctx, w.finish) }

func (w *Writer) finish() error {
	if err := w.out.Truncate(w.end); err != nil {
		return err
	}
	if !w.fixed {
		if err := w.out.Write("write block allocation table", w.table, w.head.table); err != nil {
			return err
		}
		if err := w.out.Write("write dynamic header", w.head.encode(), w.head.at); err != nil {
			return err
		}
	}
	if err := w.out.Sync(); err != nil {
		return err
	}
	foot := w.foot.encode()
	if !w.fixed {
		if err := w.out.Write("write footer copy", foot, 0); err != nil {
			return err
		}
	}
	if err := w.out.Write("write footer", foot, w.end); err != nil {
		return err
	}
	return w.out.Sync()
}

// Abort gives up. What was written is not an image: its cookie is missing.
func (w *Writer) Abort() error {
	w.out.Abort()
	return nil
}
