package vhd

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
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
	t      disk.Target
	source int64 // bytes of content that Append gets
	foot   footer
	head   header
	fixed  bool
	table  []byte // 4 bytes for each block, at most 4 MiB
	bitmap []byte // of a block, all set
	block  int64  // the last one that was begun; negative if none
	at     int64  // where its content is
	end    int64  // where the next block, or the footer, goes
	next   int64  // lowest offset that may be appended
	err    error  // the first one; nothing works after it
	done   bool
}

// NewWriter makes t an image of size bytes (rounded up to a multiple of 512), all zero until Append. Errors: ErrLimit for a size
// that is negative or above 2040 GiB.
func NewWriter(t disk.Target, size int64, o Options) (*Writer, error) {
	if size < 0 || size > maxSize {
		return nil, &disk.Error{Format: formatName, Op: "create", Off: noOffset, Kind: disk.ErrLimit,
			Detail: fmt.Sprintf("size %d, at most %d", size, int64(maxSize))}
	}
	w := &Writer{t: t, source: size, fixed: o.Fixed, block: -1}
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
	if err := t.Truncate(0); err != nil {
		return nil, &disk.Error{Format: formatName, Op: "create", Off: noOffset, Err: err}
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
	if w.err != nil {
		return w.err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if w.done || off < w.next || off%chunkSize != 0 || off >= w.source || int64(len(b)) != min(chunkSize, w.source-off) {
		return w.fail(&disk.Error{Format: formatName, Op: "append", Off: off, Kind: disk.ErrLimit,
			Detail: fmt.Sprintf("%d bytes do not fit: size %d, next offset %d, chunks of %d", len(b), w.source, w.next, chunkSize)})
	}
	w.next = off + chunkSize
	if w.fixed {
		return w.fail(w.write(b, off))
	}
	if i := off / writtenBlock; i != w.block {
		if err := w.begin(i); err != nil {
			return w.fail(err)
		}
	}
	return w.fail(w.write(b, w.at+off%writtenBlock))
}

// begin reserves block i at the end of the file.
func (w *Writer) begin(i int64) error {
	w.at = (w.end + w.head.bitmapSize + contentAlign - 1) &^ (contentAlign - 1)
	bitmap := w.at - w.head.bitmapSize
	w.block, w.end = i, w.at+writtenBlock
	binary.BigEndian.PutUint32(w.table[4*i:], uint32(bitmap/disk.SectorSize))
	return w.write(w.bitmap, bitmap)
}

func (w *Writer) write(b []byte, off int64) error {
	n, err := w.t.WriteAt(b, off)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return &disk.Error{Format: formatName, Op: "write", Off: off, Err: err}
	}
	return nil
}

// fail keeps the first error.
func (w *Writer) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return err
}

// Finish syncs the content, then writes and syncs table, header and footers.
func (w *Writer) Finish(ctx context.Context) error {
	if w.err != nil || w.done {
		return w.err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	w.done = true
	return w.fail(w.finish())
}

func (w *Writer) finish() error {
	if err := w.t.Truncate(w.end); err != nil {
		return &disk.Error{Format: formatName, Op: fmt.Sprintf("set size to %d", w.end), Off: noOffset, Err: err}
	}
	if !w.fixed {
		if err := w.write(w.table, w.head.table); err != nil {
			return err
		}
		if err := w.write(w.head.encode(), w.head.at); err != nil {
			return err
		}
	}
	if err := w.sync(); err != nil {
		return err
	}
	foot := w.foot.encode()
	if !w.fixed {
		if err := w.write(foot, 0); err != nil {
			return err
		}
	}
	if err := w.write(foot, w.end); err != nil {
		return err
	}
	return w.sync()
}

func (w *Writer) sync() error {
	if err := w.t.Sync(); err != nil {
		return &disk.Error{Format: formatName, Op: "sync", Off: noOffset, Err: err}
	}
	return nil
}

// Abort gives up. What was written is not an image: its footers are missing.
func (w *Writer) Abort() error {
	if !w.done {
		_ = w.fail(&disk.Error{Format: formatName, Op: "append", Off: noOffset, Kind: disk.ErrLimit, Detail: "the writer was aborted"})
		w.done = true
	}
	return nil
}
