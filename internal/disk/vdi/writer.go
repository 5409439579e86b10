package vdi

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"hyper2kvm/internal/disk"
)

const (
	// chunkSize is the unit in which zeroes are left out. Smaller makes the file sparser and costs a system call each.
	chunkSize = 64 << 10
	// writtenBlock is the block size that every program writes, and the only one that qemu reads.
	writtenBlock = 1 << 20
	// partAlign is where map and data begin, as VirtualBox places them.
	partAlign = 1 << 20
	// writtenText is what the text of this program's images says.
	writtenText = "hyper2kvm VirtualBox Disk Image"
)

// Options say how to write an image. The zero value gives it random identifiers.
type Options struct {
	CreateID [16]byte // of the image; all zero is a random one
	ModifyID [16]byte // of its last change; all zero is a random one
}

// Writer writes one image. It implements disk.Writer.
type Writer struct {
	out   disk.Sink
	head  header
	page  []byte // of the map: the one being filled
	pageN int64  // its number
	block int64  // the last one that was begun; negative if none
}

// NewWriter makes t an image of size bytes (rounded up to a multiple of 512, see doc.go), all zero until Append. Errors: ErrLimit
// for a size that is negative or above disk.MaxSize.
func NewWriter(t disk.Target, size int64, o Options) (*Writer, error) {
	if size < 0 || size > disk.MaxSize {
		return nil, &disk.Error{Format: formatName, Op: "create", Off: noOffset, Kind: disk.ErrLimit,
			Detail: fmt.Sprintf("size %d, at most %d", size, int64(disk.MaxSize))}
	}
	blocks := (size + writtenBlock - 1) / writtenBlock
	w := &Writer{out: disk.Sink{Target: t, Format: formatName, Size: size, Chunk: chunkSize}, block: -1, page: make([]byte, mapPage)}
	w.head = header{
		text: writtenText, imageType: typeDynamic, size: (size + disk.SectorSize - 1) &^ (disk.SectorSize - 1), blockSize: writtenBlock,
		entries: uint32(blocks), blocks: blocks, create: o.CreateID, modify: o.ModifyID,
		mapAt: partAlign, data: partAlign + (4*blocks+partAlign-1)&^(partAlign-1),
	}
	for _, id := range []*[16]byte{&w.head.create, &w.head.modify} {
		if *id == ([16]byte{}) {
			if err := randomID(id); err != nil {
				return nil, &disk.Error{Format: formatName, Op: "create", Off: noOffset, Err: err}
			}
		}
	}
	if err := w.out.Truncate(0); err != nil {
		return nil, err
	}
	w.clearPage()
	return w, nil
}

// randomID makes id a random UUID (RFC 9562, version 4); the third field is little endian in the file.
func randomID(id *[16]byte) error {
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	id[7] = id[7]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return nil
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
	if i := off / writtenBlock; i != w.block {
		if err := w.begin(i); err != nil {
			return w.out.Keep(err)
		}
	}
	return w.out.Keep(w.out.Write("write", b, w.head.place(w.head.allocated-1)+off%writtenBlock))
}

// begin reserves block i at the end of the file.
func (w *Writer) begin(i int64) error {
	if err := w.mapTo(i / entriesPerPage); err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(w.page[i%entriesPerPage*4:], w.head.allocated)
	w.block = i
	w.head.allocated++
	return nil
}

// mapTo writes the pages of the map before page n.
func (w *Writer) mapTo(n int64) error {
	for ; w.pageN < n; w.pageN++ {
		first := w.pageN * entriesPerPage
		if err := w.out.Write("write block map", w.page[:4*min(entriesPerPage, w.head.blocks-first)], w.head.mapAt+4*first); err != nil {
			return err
		}
		w.clearPage()
	}
	return nil
}

func (w *Writer) clearPage() {
	for i := range w.page {
		w.page[i] = 0xff
	}
}

// Finish writes the rest of the map, syncs, and then writes and syncs the header.
func (w *Writer) Finish(ctx context.Context) error { return w.out.Finish(ctx, w.finish) }

func (w *Writer) finish() error {
	if err := w.mapTo((w.head.blocks + entriesPerPage - 1) / entriesPerPage); err != nil {
		return err
	}
	end := w.head.data + int64(w.head.allocated)*writtenBlock
	if err := w.out.Truncate(end); err != nil {
		return err
	}
	if err := w.out.Sync(); err != nil {
		return err
	}
	if err := w.out.Write("write header", w.head.encode(), 0); err != nil {
		return err
	}
	return w.out.Sync()
}

// Abort gives up. What was written is not an image: its header is missing.
func (w *Writer) Abort() error {
	w.out.Abort()
	return nil
}
