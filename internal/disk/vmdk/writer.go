package vmdk

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/klauspost/compress/zlib"

	"hyper2kvm/internal/disk"
)

// Layout of the images that are written: what ESXi imports.
const (
	writtenVersion   = 3 // ESXi 5.5 and later refuse a compressed image of version 1
	writtenFlags     = flagLineEnds | flagCompressed | flagMarkers
	writtenGrain     = defaultGrain * disk.SectorSize
	descriptorAt     = 1
	descriptorLen    = 20 // the usual room, so that tools may edit the text in place
	overhead         = 128
	writeBuffer      = 1 << 20
	noPlace          = math.MaxUint32 // grain tables hold places of 32 bits
	tableSectors     = defaultEntries * 4 / disk.SectorSize
	grainsOfATable   = defaultEntries
	defaultExtent    = "generated-stream.vmdk" // readers ignore it: the file was not named yet
	defaultAdapter   = "lsilogic"
	defaultHWVersion = 10 // ESXi 5.5, the first that reads what is written here
)

// Options of a Writer. The zero value is good.
type Options struct {
	Level       int      // zlib's, 1 to 9; 0 = the codec's default
	ExtentName  string   // the extent's name in the descriptor
	AdapterType string   // ide, buslogic, lsilogic or legacyESX; empty = lsilogic
	HWVersion   int      // virtual hardware version, 0 = 10
	ContentID   [16]byte // identifies the content, its last four bytes are the CID; zero = random
}

// Writer writes a streamOptimized image from front to end, without ever going back.
type Writer struct {
	target    disk.Target
	size      int64 // bytes, as asked for
	capacity  int64 // sectors
	level     int
	encoders  sync.Pool // of *encoder
	out       *bufio.Writer
	pos       int64 // where the next byte goes
	next      int64 // the lowest grain that may be appended
	table     []uint32
	filling   int64 // the table that table belongs to
	used      bool  // table is not empty
	directory []uint32
	header    []byte
	err       error
	done      bool
}

var _ disk.Writer = (*Writer)(nil)

// NewWriter begins an image of size bytes, which is rounded up to sectors. It gives disk.ErrLimit for a size that no image has.
func NewWriter(t disk.Target, size int64, o Options) (*Writer, error) {
	if size < 0 || size > disk.MaxSize {
		return nil, fault(disk.ErrLimit, "create", "", noOffset, "a size of %d bytes, want 0 to %d", size, int64(disk.MaxSize))
	}
	if o.Level < 0 || o.Level > zlib.BestCompression {
		return nil, fault(disk.ErrUnsupported, "create", "", noOffset, "compression level %d, want 1 to %d", o.Level, zlib.BestCompression)
	}
	if o.Level == 0 {
		o.Level = zlib.DefaultCompression
	}
	if o.ContentID == [16]byte{} {
		rand.Read(o.ContentID[:]) // never fails
	}
	w := &Writer{target: t, size: size, capacity: (size + disk.SectorSize - 1) / disk.SectorSize, level: o.Level}
	w.encoders.New = func() any { return new(encoder) }
	grains := (w.capacity + defaultGrain - 1) / defaultGrain
	w.directory = make([]uint32, (grains+grainsOfATable-1)/grainsOfATable)
	w.table = make([]uint32, grainsOfATable)
	w.out = bufio.NewWriterSize(&offsetWriter{t: t}, writeBuffer)
	w.header = encodeHeader(w.capacity)
	text, err := writtenDescriptor(w.capacity, o)
	if err != nil {
		return nil, err
	}
	if err := t.Truncate(0); err != nil {
		return nil, err
	}
	w.write(w.header)
	w.write(text)
	w.write(make([]byte, descriptorLen*disk.SectorSize-len(text)))
	w.write(make([]byte, (overhead-descriptorAt-descriptorLen)*disk.SectorSize))
	return w, w.err
}

// encodeHeader returns the header, which says that the grain directory is at the end.
func encodeHeader(capacity int64) []byte {
	b := make([]byte, headerSize)
	le := binary.LittleEndian
	copy(b, magicSparse)
	le.PutUint32(b[4:], writtenVersion)
	le.PutUint32(b[8:], writtenFlags)
	le.PutUint64(b[12:], uint64(capacity))
	le.PutUint64(b[20:], defaultGrain)
	le.PutUint64(b[28:], descriptorAt)
	le.PutUint64(b[36:], descriptorLen)
	le.PutUint32(b[44:], defaultEntries)
	le.PutUint64(b[56:], gdAtEnd)
	le.PutUint64(b[64:], overhead)
	copy(b[73:], lineEnds)
	le.PutUint16(b[77:], deflate)
	return b
}

// ChunkSize returns the size of a grain, 64 KiB.
func (w *Writer) ChunkSize() int { return writtenGrain }

// Append stores an encoded grain.
func (w *Writer) Append(ctx context.Context, off int64, b []byte) error {
	if w.err != nil {
		return w.err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	grain := off / writtenGrain
	if w.err = w.checkAppend(off, len(b)); w.err != nil {
		return w.err
	}
	w.next = grain + 1
	if table := grain / grainsOfATable; table != w.filling {
		w.flushTable()
		w.filling = table
	}
	w.table[grain%grainsOfATable] = w.place()
	w.used = true
	var first [8]byte
	binary.LittleEndian.PutUint64(first[:], uint64(grain*defaultGrain))
	w.write(first[:])
	w.write(b[len(first):])
	return w.err
}

// checkAppend refuses what no copy does; an image that was asked for that is not finished.
func (w *Writer) checkAppend(off int64, n int) error {
	const op = "append grain"
	end := w.capacity * disk.SectorSize
	switch {
	case off < 0 || off%writtenGrain != 0 || off >= end:
		return fault(disk.ErrLimit, op, "", noOffset, "offset %d, want a multiple of %d below %d", off, writtenGrain, end)
	case off/writtenGrain < w.next:
		return fault(disk.ErrLimit, op, "", noOffset, "offset %d after %d: offsets ascend", off, (w.next-1)*writtenGrain)
	case n < disk.SectorSize || n%disk.SectorSize != 0:
		return fault(disk.ErrLimit, op, "", noOffset, "%d bytes that Encode did not make", n)
	}
	return nil
}

// Finish writes the last grain table, the grain directory and the footer.
func (w *Writer) Finish(ctx context.Context) error {
	if w.err == nil {
		w.err = ctx.Err()
	}
	if w.err != nil || w.done {
		return w.err
	}
	w.flushTable()
	directory := entries(w.directory)
	w.write(marker{value: uint64(len(directory) / disk.SectorSize), kind: markerDirectory}.sector())
	footer := slices.Clone(w.header)
	binary.LittleEndian.PutUint64(footer[56:], uint64(w.place()))
	w.write(directory)
	w.write(marker{value: 1, kind: markerFooter}.sector())
	w.write(footer)
	w.write(marker{kind: markerEnd}.sector())
	if w.err == nil {
		w.err = w.out.Flush()
	}
	if w.err == nil {
		w.err = w.target.Sync()
	}
	w.done = w.err == nil
	return w.err
}

// Abort makes every later Append and Finish fail.
func (w *Writer) Abort() error {
	if w.err == nil && !w.done {
		w.err = context.Canceled
	}
	return nil
}

// flushTable writes the grain table that is being filled behind its grains, if it has any.
func (w *Writer) flushTable() {
	if !w.used {
		return
	}
	w.write(marker{value: tableSectors, kind: markerTable}.sector())
	w.directory[w.filling] = w.place()
	w.write(entries(w.table))
	clear(w.table)
	w.used = false
}

// place returns the sector that is written next.
func (w *Writer) place() uint32 {
	sector := w.pos / disk.SectorSize
	if sector > noPlace && w.err == nil {
		w.err = fault(disk.ErrLimit, "append grain", "", w.pos, "the file would pass 2 TiB, the most that grain tables can address")
	}
	return uint32(min(sector, noPlace))
}

// write appends to the file; the first error stays.
func (w *Writer) write(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.out.Write(b)
	w.pos += int64(n)
	w.err = err
}

// entries returns a grain directory or table as it stands in the file, padded to a sector. A directory takes one at least.
func entries(t []uint32) []byte {
	var b bytes.Buffer
	for _, e := range t {
		b.Write(binary.LittleEndian.AppendUint32(nil, e))
	}
	size := max(1, (b.Len()+disk.SectorSize-1)/disk.SectorSize) * disk.SectorSize
	return append(b.Bytes(), make([]byte, size-b.Len())...)
}

// offsetWriter writes to a target from its beginning on.
type offsetWriter struct {
	t   io.WriterAt
	off int64
}

func (o *offsetWriter) Write(p []byte) (int, error) {
	n, err := o.t.WriteAt(p, o.off)
	o.off += int64(n)
	return n, err
}
