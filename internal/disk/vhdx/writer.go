package vhdx

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"

	"hyper2kvm/internal/disk"
)

// Options say how to write an image. The zero value is good.
type Options struct {
	// BlockSize is the unit in which the file grows, in bytes: a power of two from 1 to 256 MiB. 0 takes the smallest from 1 to 32 MiB
	// with which the BAT stays below 4 MiB: 1 MiB up to disks of 512 GiB.
	BlockSize int
	// Random is where the GUIDs come from; nil is the system's generator. The same bytes give the same file.
	Random io.Reader
}

// Where a Writer puts things.
const (
	writtenLogOffset      = headerSectionBytes
	writtenLogBytes       = mib
	writtenMetadataOffset = writtenLogOffset + writtenLogBytes
	writtenMetadataBytes  = mib
	writtenBATOffset      = writtenMetadataOffset + writtenMetadataBytes

	writtenSectorSize   = 512
	writtenPhysicalSize = 4096
	writtenCreator      = "hyper2kvm"
)

// Writer writes one dynamic disk. It implements disk.Writer.
type Writer struct {
	out       disk.Sink
	size      int64 // a multiple of writtenSectorSize
	blockSize int64
	layout    layout
	batBytes  int64 // of the region
	guids     [3]GUID

	bat     [pageBytes]byte // the page being filled
	batPage int64           // its number; negative before the first
	block   int64           // the last one that has a place; negative before the first
	host    int64           // of that block
	end     int64           // of the file

	wait   []byte // content that waits to be written in one piece
	waitAt int64  // its place in the file
}

var _ disk.Writer = (*Writer)(nil)

// NewWriter makes t an image of size bytes (rounded up to a multiple of 512), all zero until Append. Errors: ErrLimit for a size or
// block size that cannot be written.
func NewWriter(t disk.Target, size int64, o Options) (*Writer, error) {
	if size < 0 || size > disk.MaxSize {
		return nil, fault(disk.ErrLimit, "create", "", noOffset, "size %d, at most %d", size, int64(disk.MaxSize))
	}
	w := &Writer{out: disk.Sink{Target: t, Format: formatName, Size: size, Chunk: chunkBytes},
		size: (size + writtenSectorSize - 1) &^ (writtenSectorSize - 1), blockSize: int64(o.BlockSize), batPage: -1, block: -1}
	if w.blockSize == 0 {
		w.blockSize = chooseBlockSize(w.size)
	}
	if bs := w.blockSize; bs < minBlockBytes || bs > maxBlockBytes || bs&(bs-1) != 0 {
		return nil, fault(disk.ErrLimit, "create", "", noOffset, "block size %d; a power of two from %d to %d is needed", bs, minBlockBytes, maxBlockBytes)
	}
	random := o.Random
	if random == nil {
		random = rand.Reader
	}
	for i := range w.guids {
		g := &w.guids[i]
		if _, err := io.ReadFull(random, g[:]); err != nil {
			return nil, &disk.Error{Format: formatName, Op: "create: make a GUID", Off: noOffset, Err: err}
		}
		g[7], g[8] = g[7]&0x0f|0x40, g[8]&0x3f|0x80 // random GUIDs, RFC 9562 version 4; the third group is little endian
	}
	w.layout = newLayout(w.size, w.blockSize, writtenSectorSize, false)
	w.batBytes = max((w.layout.entries*batEntryBytes+mib-1)&^(mib-1), mib)
	w.end = writtenBATOffset + w.batBytes
	if err := w.out.Truncate(0); err != nil {
		return nil, err
	}
	return w, nil
}

// chooseBlockSize returns the block size of a disk for which none was asked.
func chooseBlockSize(size int64) int64 {
	bs := int64(minBlockBytes)
	for bs < maxChosenBlock && size/bs*batEntryBytes > goodBATBytes {
		bs *= 2
	}
	return bs
}

// ChunkSize returns 64 KiB.
func (w *Writer) ChunkSize() int { return chunkBytes }

// Encode returns src: content is stored as it is.
func (w *Writer) Encode(_, src []byte) ([]byte, error) { return src, nil }

// Append stores a chunk. The first one of a block gives the block its place, at the end of the file.
func (w *Writer) Append(ctx context.Context, off int64, b []byte) error {
	if err := w.out.Admit(ctx, off, len(b)); err != nil {
		return err
	}
	return w.out.Keep(w.append(off, b))
}

func (w *Writer) append(off int64, b []byte) error {
	if n := off >> w.layout.blockShift; n != w.block {
		if err := w.allocate(n); err != nil {
			return err
		}
	}
	at := w.host + off%w.blockSize
	if len(w.wait) > 0 && (at != w.waitAt+int64(len(w.wait)) || len(w.wait)+len(b) > writeBufferBytes) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if len(w.wait) == 0 {
		w.waitAt = at
	}
	w.wait = append(w.wait, b...)
	return nil
}

// allocate gives a block the next place in the file.
func (w *Writer) allocate(n int64) error {
	entry := w.layout.payloadEntry(n)
	if p := entry / batPageEntries; p != w.batPage {
		if err := w.writeBATPage(); err != nil {
			return err
		}
		w.batPage = p
	}
	w.block, w.host = n, w.end
	w.end += w.blockSize
	binary.LittleEndian.PutUint64(w.bat[entry%batPageEntries*batEntryBytes:], uint64(w.host)|uint64(blockPresent))
	return nil
}

// writeBATPage writes the page that is being filled and leaves an empty one.
func (w *Writer) writeBATPage() error {
	if w.batPage < 0 {
		return nil
	}
	if err := w.out.Write("write BAT", w.bat[:], writtenBATOffset+w.batPage*pageBytes); err != nil {
		return err
	}
	clear(w.bat[:])
	return nil
}

// flush writes the content that waits.
func (w *Writer) flush() error {
	if len(w.wait) == 0 {
		return nil
	}
	err := w.out.Write("write block", w.wait, w.waitAt)
	w.wait = w.wait[:0]
	return err
}

// Finish writes what is left, syncs, and then writes and syncs the file type identifier.
func (w *Writer) Finish(ctx context.Context) error { return w.out.Finish(ctx, w.finish) }

func (w *Writer) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.writeBATPage(); err != nil {
		return err
	}
	if err := w.out.Truncate(w.end); err != nil {
		return err
	}
	h := header{fileWrite: w.guids[0], dataWrite: w.guids[1], version: 1, logLength: writtenLogBytes, logOffset: writtenLogOffset, sequence: 1}
	newer := h
	newer.sequence++
	table := encodeRegionTable([]region{
		{guid: guidBAT, off: writtenBATOffset, length: w.batBytes, required: true},
		{guid: guidMetadata, off: writtenMetadataOffset, length: writtenMetadataBytes, required: true},
	})
	for _, part := range []struct {
		op  string
		b   []byte
		off int64
	}{
		{"write header", h.encode(), headerOffset1},
		{"write header", newer.encode(), headerOffset2},
		{"write region table", table, regionTableOffset1},
		{"write region table", table, regionTableOffset2},
		{"write metadata", encodeMetadata(w.blockSize, w.size, writtenSectorSize, writtenPhysicalSize, w.guids[2]), writtenMetadataOffset},
	} {
		if err := w.out.Write(part.op, part.b, part.off); err != nil {
			return err
		}
	}
	if err := w.out.Sync(); err != nil {
		return err
	}
	if err := w.out.Write("write file type identifier", encodeIdentifier(writtenCreator), identifierOffset); err != nil {
		return err
	}
	return w.out.Sync()
}

// Abort gives up. What was written is not an image: its file type identifier is missing.
func (w *Writer) Abort() error {
	w.out.Abort()
	return nil
}
