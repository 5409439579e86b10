package qcow2

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"

	"hyper2kvm/internal/disk"
)

// DefaultClusterSize is qemu's, in bytes.
const DefaultClusterSize = 64 << 10

// Options say how to write an image. The zero value writes plain clusters of DefaultClusterSize.
type Options struct {
	Compression string // "" for none, zlib (raw deflate, which every reader has) or zstd (qemu 5.1 and later)
	Level       int    // zlib 1 to 9, zstd 1 to 22, more is smaller and slower; 0 is the default. See encoder
	ClusterSize int    // bytes, a power of two from 4 KiB to 2 MiB; 0 is DefaultClusterSize
}

// Writer writes one image. It implements disk.Writer.
type Writer struct {
	enc  encoder
	sink disk.Sink
	size int64 // what the header says: a multiple of disk.SectorSize
	head header
	out  stream
	refs refcounts
	l1   []uint64
	l2   []byte // the table being filled; all zero between tables
	l2At int64  // its index in l1; negative if none has entries
	wait pending
}

// pending holds plain clusters that wait to be written side by side: see doc.go, "Writing".
type pending struct {
	content []byte
	entries []int64 // byte offset of each cluster's entry in the current L2 table
}

// NewWriter makes t an image of size bytes (rounded up to a multiple of 512, see doc.go), all zero until Append. Errors:
// ErrLimit for a size, compression, level or cluster size that cannot be written.
func NewWriter(t disk.Target, size int64, o Options) (*Writer, error) {
	fail := func(format string, args ...any) (*Writer, error) {
		return nil, &disk.Error{Format: "qcow2", Op: "create", Off: -1, Kind: disk.ErrLimit, Detail: fmt.Sprintf(format, args...)}
	}
	cs := o.ClusterSize
	if cs == 0 {
		cs = DefaultClusterSize
	}
	if cs < 1<<minChunkBits || cs > 1<<maxClusterBits || cs&(cs-1) != 0 {
		return fail("cluster size %d; it must be a power of two from %d to %d", cs, 1<<minChunkBits, 1<<maxClusterBits)
	}
	if size < 0 || size > disk.MaxSize {
		return fail("size %d, at most %d", size, int64(disk.MaxSize))
	}
	w := &Writer{size: (size + disk.SectorSize - 1) &^ (disk.SectorSize - 1), l2At: -1}
	w.sink = disk.Sink{Target: t, Format: "qcow2", Size: w.size, Chunk: cs, Packed: true}
	enc, err := newEncoder(o, cs)
	if err != nil {
		return fail("%v", err)
	}
	w.enc = enc
	w.head = header{version: 3, clusterBits: uint32(bits.TrailingZeros(uint(cs))), size: uint64(w.size), refcountOrder: 4, compression: enc.kind}
	h := &w.head
	h.derive()
	h.l1Entries = uint32(max(h.l1Needed, 1)) // a disk of no bytes has a table all the same
	if h.l1Needed*8 > maxL1Bytes {
		return fail("size %d with clusters of %d bytes: the L1 table is larger than %d bytes; take larger clusters", size, cs, maxL1Bytes)
	}
	h.refTableOffset, h.refTableClusters = uint64(cs), refTableClusters(h)
	h.refTableBytes = int64(h.refTableClusters) << h.clusterBits
	if h.refTableBytes > maxRefcountTableBytes {
		return fail("size %d with clusters of %d bytes: the refcount table is larger than %d bytes; take larger clusters", size, cs, maxRefcountTableBytes)
	}
	if err := w.sink.Truncate(0); err != nil {
		return nil, err
	}
	w.l1, w.l2 = make([]uint64, h.l1Needed), make([]byte, cs)
	h.l1Offset = uint64(int64(cs) + h.refTableBytes)
	w.out = stream{sink: &w.sink, at: int64(h.l1Offset) + (int64(h.l1Entries)*8+int64(cs)-1)&^int64(cs-1)}
	w.refs = refcounts{head: h}
	if err := w.refs.begin(&w.out); err != nil {
		return nil, err
	}
	return w, nil
}

// ChunkSize returns the cluster size in bytes.
func (w *Writer) ChunkSize() int { return int(w.head.clusterSize) }

// Encode compresses one cluster, as NewWriter was asked to. What does not shrink comes back as it is, a short last chunk filled up
// with zeroes to a whole cluster. Safe for concurrent use.
func (w *Writer) Encode(dst, src []byte) ([]byte, error) { return w.enc.encode(dst, src), nil }

// Append stores an encoded cluster: one as long as a cluster is plain, a shorter one compressed.
func (w *Writer) Append(ctx context.Context, off int64, b []byte) error {
	if err := w.sink.Admit(ctx, off, len(b)); err != nil {
		return err
	}
	cs := w.head.clusterSize
	if i := off / w.head.entriesPerL1; i != w.l2At {
		if err := w.finishL2(); err != nil {
			return w.sink.Keep(err)
		}
		w.l2At = i
	}
	entry := off % w.head.entriesPerL1 / cs * 8
	if int64(len(b)) == cs {
		return w.sink.Keep(w.appendPlain(entry, b))
	}
	return w.sink.Keep(w.appendCompressed(entry, b))
}

// appendPlain stores a plain cluster at once where the file ends at a cluster, else puts it with those that wait.
func (w *Writer) appendPlain(entry int64, b []byte) error {
	if w.out.at%w.head.clusterSize == 0 && len(w.wait.entries) == 0 {
		return w.storePlain(entry, b)
	}
	w.wait.content = append(w.wait.content, b...)
	w.wait.entries = append(w.wait.entries, entry)
	if len(w.wait.content) < pendingBytes {
		return nil
	}
	return w.storePending()
}

func (w *Writer) storePlain(entry int64, b []byte) error {
	if err := w.refs.align(&w.out); err != nil {
		return err
	}
	at := w.out.at
	if err := w.out.write(b); err != nil {
		return err
	}
	binary.BigEndian.PutUint64(w.l2[entry:], uint64(at)|flagCopied)
	return w.refs.count(at, w.head.clusterSize)
}

// storePending writes the plain clusters that wait, the first one at the next cluster.
func (w *Writer) storePending() error {
	cs := int(w.head.clusterSize)
	for i, entry := range w.wait.entries {
		if err := w.storePlain(entry, w.wait.content[i*cs:(i+1)*cs]); err != nil {
			return err
		}
	}
	w.wait.content, w.wait.entries = w.wait.content[:0], w.wait.entries[:0]
	return nil
}

// appendCompressed packs a compressed cluster right behind the last one.
func (w *Writer) appendCompressed(entry int64, b []byte) error {
	n := int64(len(b))
	if err := w.refs.room(&w.out, n); err != nil {
		return err
	}
	at := w.out.at
	if err := w.out.write(b); err != nil {
		return err
	}
	binary.BigEndian.PutUint64(w.l2[entry:], compressedEntry(at, n, w.head.clusterBits))
	return w.refs.count(at, n)
}

// finishL2 writes the L2 table that is being filled.
func (w *Writer) finishL2() error {
	if w.l2At < 0 {
		return nil
	}
	if err := w.storePending(); err != nil {
		return err
	}
	if err := w.refs.align(&w.out); err != nil {
		return err
	}
	at := w.out.at
	if err := w.out.write(w.l2); err != nil {
		return err
	}
	w.l1[w.l2At] = uint64(at) | flagCopied
	clear(w.l2)
	w.l2At = -1
	return w.refs.count(at, w.head.clusterSize)
}

// Finish writes what is left of the tables, syncs, and then writes and syncs the header.
func (w *Writer) Finish(ctx context.Context) error { return w.sink.Finish(ctx, w.finish) }

func (w *Writer) finish() error {
	if err := w.finishL2(); err != nil {
		return err
	}
	if err := w.writeL1(); err != nil {
		return err
	}
	if err := w.refs.finish(&w.out); err != nil {
		return err
	}
	if err := w.out.flush(); err != nil {
		return err
	}
	if err := w.sink.Truncate(w.out.at); err != nil {
		return err
	}
	if err := w.sink.Sync(); err != nil {
		return err
	}
	if err := w.sink.Write("write header", w.head.encode(), 0); err != nil {
		return err
	}
	return w.sink.Sync()
}

// writeL1 writes the L1 table at its place behind the refcount table.
func (w *Writer) writeL1() error {
	b := make([]byte, len(w.l1)*8)
	for i, e := range w.l1 {
		binary.BigEndian.PutUint64(b[8*i:], e)
	}
	return w.sink.Write("write L1 table", b, int64(w.head.l1Offset))
}

// Abort gives up. What was written is not an image: its header is missing.
func (w *Writer) Abort() error {
	w.sink.Abort()
	return nil
}
