package vmdk

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"math"

	"hyper2kvm/internal/disk"
)

// The kinds of images that are written, as the descriptor calls them.
const (
	StreamOptimized  = "streamOptimized"
	MonolithicSparse = "monolithicSparse"
)

// What all images that are written share.
const (
	writtenGrain     = defaultGrain * disk.SectorSize
	descriptorAt     = 1
	descriptorLen    = 20 // the usual room, so that tools may edit the text in place
	writeBuffer      = 1 << 20
	noPlace          = math.MaxUint32 // grain tables hold places of 32 bits
	tableSectors     = defaultEntries * 4 / disk.SectorSize
	grainsOfATable   = defaultEntries
	defaultAdapter   = "lsilogic"
	defaultHWVersion = 10 // ESXi 5.5, the first that reads the streams that are written here
)

// Options of a Writer. The zero value is good.
type Options struct {
	Subformat   string   // StreamOptimized or MonolithicSparse; empty = StreamOptimized
	Level       int      // zlib's, 1 to 9, more is smaller and slower; 0 = fast. MonolithicSparse is not compressed
	ExtentName  string   // the extent's name in the descriptor
	AdapterType string   // ide, buslogic, lsilogic or legacyESX; empty = lsilogic
	HWVersion   int      // virtual hardware version, 0 = 10
	ContentID   [16]byte // identifies the content, its last four bytes are the CID; zero = random
}

// Writer writes an image of one file with its descriptor inside.
type Writer struct {
	layout   layout
	target   disk.Target
	capacity int64 // sectors
	out      *bufio.Writer
	sequence *offsetWriter // below out
	pos      int64         // where the next byte goes
	next     int64         // the lowest grain that may be appended
	grainsAt []uint32      // the grain table that is being filled
	filling  int64         // its number
	used     bool          // it is not empty
	err      error
	done     bool
}

var _ disk.Writer = (*Writer)(nil)

// layout is what differs between the kinds of images. Its methods write by the Writer and leave errors with it.
type layout interface {
	// begin writes what stands before the first grain.
	begin(descriptor []byte)
	// encode turns content, at most a grain, into what append writes. It is called from many goroutines.
	encode(dst, src []byte) ([]byte, error)
	// grain writes an encoded grain at the end of the file.
	grain(number int64, b []byte)
	// table writes the places of the grains of a table, in which there is one at least.
	table(number int64, places []uint32)
	// finish writes what makes the file an image.
	finish()
}

// NewWriter begins an image of size bytes, which is rounded up to sectors. It gives disk.ErrLimit for a size that no image
// has, and disk.ErrUnsupported for options that are not known.
func NewWriter(t disk.Target, size int64, o Options) (*Writer, error) {
	if size < 0 || size > disk.MaxSize {
		return nil, fault(disk.ErrLimit, "create", "", noOffset, "a size of %d bytes, want 0 to %d", size, int64(disk.MaxSize))
	}
	if o.Level < 0 || o.Level > 9 {
		return nil, fault(disk.ErrUnsupported, "create", "", noOffset, "compression level %d, want 1 to 9", o.Level)
	}
	if o.ContentID == [16]byte{} {
		rand.Read(o.ContentID[:]) // never fails
	}
	w := &Writer{target: t, capacity: (size + disk.SectorSize - 1) / disk.SectorSize, sequence: &offsetWriter{t: t}}
	w.grainsAt = make([]uint32, grainsOfATable)
	w.out = bufio.NewWriterSize(w.sequence, writeBuffer)
	switch o.Subformat {
	case "", StreamOptimized:
		o.Subformat = StreamOptimized
		s, err := newStreamLayout(w, o.Level)
		if err != nil {
			return nil, err
		}
		w.layout = s
	case MonolithicSparse:
		w.layout = &sparseLayout{w: w}
	default:
		return nil, fault(disk.ErrUnsupported, "create", "", noOffset, "subformat %q, want %s or %s", o.Subformat, StreamOptimized, MonolithicSparse)
	}
	text, err := writtenDescriptor(w.capacity, o)
	if err != nil {
		return nil, err
	}
	if err := t.Truncate(0); err != nil {
		return nil, err
	}
	w.layout.begin(append(text, make([]byte, descriptorLen*disk.SectorSize-len(text))...))
	return w, w.err
}

// tables returns the number of grain tables.
func (w *Writer) tables() int64 {
	grains := (w.capacity + defaultGrain - 1) / defaultGrain
	return (grains + grainsOfATable - 1) / grainsOfATable
}

// ChunkSize returns the size of a grain, 64 KiB.
func (w *Writer) ChunkSize() int { return writtenGrain }

// Encode turns the content of a grain, the last one of which may be short, into what Append takes.
func (w *Writer) Encode(dst, src []byte) ([]byte, error) {
	if len(src) == 0 || len(src) > writtenGrain {
		return nil, fault(disk.ErrLimit, "encode grain", "", noOffset, "a chunk of %d bytes, want 1 to %d", len(src), writtenGrain)
	}
	return w.layout.encode(dst, src)
}

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
	w.grainsAt[grain%grainsOfATable] = w.place()
	w.used = true
	w.layout.grain(grain, b)
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

// flushTable writes the grain table that is being filled, if it has any grain.
func (w *Writer) flushTable() {
	if !w.used {
		return
	}
	w.layout.table(w.filling, w.grainsAt)
	clear(w.grainsAt)
	w.used = false
}

// Finish completes the image and syncs it.
func (w *Writer) Finish(ctx context.Context) error {
	if w.err == nil {
		w.err = ctx.Err()
	}
	if w.err != nil || w.done {
		return w.err
	}
	w.flushTable()
	w.layout.finish()
	w.flush()
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

// flush empties the buffer.
func (w *Writer) flush() {
	if w.err == nil {
		w.err = w.out.Flush()
	}
}

// moveTo leaves a hole up to an offset.
func (w *Writer) moveTo(off int64) {
	w.flush()
	w.pos, w.sequence.off = off, off
}

// writeAt writes elsewhere than at the end.
func (w *Writer) writeAt(b []byte, off int64) {
	if w.err == nil {
		_, w.err = w.target.WriteAt(b, off)
	}
}

// writtenHeader returns the header of an image that is written here. Places of the grain directories are left to the layout.
func (w *Writer) writtenHeader(version, flags uint32, overhead int64) []byte {
	b := make([]byte, headerSize)
	le := binary.LittleEndian
	copy(b, magicSparse)
	le.PutUint32(b[4:], version)
	le.PutUint32(b[8:], flags)
	le.PutUint64(b[12:], uint64(w.capacity))
	le.PutUint64(b[20:], defaultGrain)
	le.PutUint64(b[28:], descriptorAt)
	le.PutUint64(b[36:], descriptorLen)
	le.PutUint32(b[44:], defaultEntries)
	le.PutUint64(b[64:], uint64(overhead))
	copy(b[73:], lineEnds)
	return b
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

// offsetWriter writes to a target from an offset on.
type offsetWriter struct {
	t   io.WriterAt
	off int64
}

func (o *offsetWriter) Write(p []byte) (int, error) {
	n, err := o.t.WriteAt(p, o.off)
	o.off += int64(n)
	return n, err
}
