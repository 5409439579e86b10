package disk

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"
)

const (
	// maxWorkers bounds the memory of a copy (a worker owns two segments). Beyond it the single appender is the limit.
	maxWorkers = 16
	// maxChunk bounds what a Writer may ask to be encoded at a time. The largest cluster written here is 2 MiB.
	maxChunk = 64 << 20
	// encodeSlack is how much an encoded chunk may grow over its content before Encode has to allocate: headers, padding to
	// a sector, the framing of incompressible data.
	encodeSlack = 4096
	// progressEvery is the shortest time between two calls of Options.Progress.
	progressEvery = 100 * time.Millisecond
)

// Options say how to copy or digest. The zero value is good.
type Options struct {
	Workers  int                     // goroutines that read, hash and encode; 0 means one per CPU, at most 16
	Digest   bool                    // compute Result.Digest
	Progress func(done, total int64) // bytes of Data read and bytes to read; at most ten calls a second and one at the end, never two at once
	Total    int64                   // bytes of Data if known; 0 lets Copy count them when Progress is set
}

func (o Options) workers() int {
	n := o.Workers
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return min(n, maxWorkers)
}

// Result tells what a copy did.
type Result struct {
	Digest       Digest // of the whole content, if HasDigest
	HasDigest    bool   //
	DataBytes    int64  // content read from the source
	ZeroBytes    int64  // part of DataBytes that lay in chunks of nothing but zeroes and was left out
	StoredChunks int64  // chunks appended
	StoredBytes  int64  // their encoded size
}

// Copy writes the content of src with w: it walks the map of src, reads only what is Data, and reads, hashes and encodes on
// many goroutines while one appends in ascending order. It calls w.Finish when everything went well, else w.Abort. The error
// is that of the lowest offset that has one, or the cause of ctx.
//
// Where the host's file system lets the target share the content of the source, nothing is written, and read only for the digest.
func Copy(ctx context.Context, w Writer, src Image, o Options) (Result, error) {
	res, err := shareOrCopy(ctx, w, src, o)
	if err == nil {
		err = w.Finish(ctx)
	}
	if err != nil {
		if aerr := w.Abort(); aerr != nil {
			err = fmt.Errorf("%w; giving up: %w", err, aerr)
		}
		return Result{}, err
	}
	return res, nil
}

// shareOrCopy is a copy without its end.
func shareOrCopy(ctx context.Context, w Writer, src Image, o Options) (Result, error) {
	if c, ok := w.(Cloner); ok && ctx.Err() == nil {
		if whole, ok := src.(Whole); ok && c.Clone(whole.File()) {
			if !o.Digest {
				return Result{}, nil
			}
			w = nil
		}
	}
	return newCopier(w, src, o).run(ctx)
}

// DigestOf reads the allocated content of img and returns its digest.
func DigestOf(ctx context.Context, img Image, o Options) (Digest, error) {
	o.Digest = true
	res, err := newCopier(nil, img, o).run(ctx)
	return res.Digest, err
}

// copier is one copy under way.
type copier struct {
	w     Writer // nil: only digest
	src   Image
	o     Options
	unit  int64 // content of one segment
	chunk int64 // content of one Encode; 0 without a writer

	// Only the drain touches what follows.
	res   Result
	sums  *digester
	total int64
	last  time.Time // when Progress was called
}

// copyPiece is a segment on its way through a copy.
type copyPiece struct {
	segment
	sums [][32]byte // of its blocks
	mem  []byte     // where chunks are encoded
	out  [][]byte   // encoded chunks; nil for zero ones
	zero int64      // data bytes in zero chunks
}

func newCopier(w Writer, src Image, o Options) *copier {
	c := &copier{w: w, src: src, o: o, unit: DigestBlock, total: o.Total}
	if w != nil {
		c.chunk = int64(w.ChunkSize())
		c.unit = max(c.unit, c.chunk)
	}
	if o.Digest {
		c.sums = newDigester(src.Size())
	}
	return c
}

func (c *copier) run(ctx context.Context) (Result, error) {
	if c.w != nil && (c.chunk < 4096 || c.chunk > maxChunk || c.chunk&(c.chunk-1) != 0) {
		return Result{}, &Error{Op: "copy", Off: -1, Kind: ErrLimit,
			Detail: fmt.Sprintf("chunks of %d bytes; a power of two from 4096 to %d is needed", c.chunk, maxChunk)}
	}
	if size := c.src.Size(); size < 0 || size > MaxSize {
		return Result{}, &Error{Op: "copy", Off: -1, Kind: ErrLimit, Detail: fmt.Sprintf("virtual size %d, at most %d", size, int64(MaxSize))}
	}
	if c.o.Progress != nil && c.total <= 0 {
		n, err := Allocated(ctx, c.src)
		if err != nil {
			return Result{}, err
		}
		c.total = n
	}
	walk := &walk{
		extent: func(ctx context.Context, off int64) (Extent, error) { return extentAt(ctx, c.src, off) },
		size:   c.src.Size(),
		unit:   c.unit,
	}
	err := pipeline[copyPiece]{
		workers: c.o.workers(),
		fill:    func(ctx context.Context, p *copyPiece) (bool, error) { return walk.next(ctx, &p.segment) },
		work:    c.work,
		drain:   c.drain,
	}.run(ctx)
	if err != nil {
		return Result{}, err
	}
	if c.sums != nil {
		c.res.Digest, c.res.HasDigest = c.sums.finish(), true
	}
	if c.o.Progress != nil {
		c.o.Progress(c.res.DataBytes, c.total)
	}
	return c.res, nil
}

// work reads, hashes and encodes one segment.
func (c *copier) work(ctx context.Context, p *copyPiece) error {
	if err := p.read(ctx, c.src, c.unit); err != nil {
		return err
	}
	p.sums, p.out, p.zero = p.sums[:0], p.out[:0], 0
	if c.sums != nil {
		for at := 0; at < len(p.buf); at += DigestBlock {
			p.sums = append(p.sums, blockSum(p.buf[at:min(at+DigestBlock, len(p.buf))]))
		}
	}
	if c.w == nil {
		return nil
	}
	slot := int(c.chunk) + encodeSlack
	if p.mem == nil {
		p.mem = make([]byte, int(c.unit/c.chunk)*slot)
	}
	for at := 0; at < len(p.buf); at += int(c.chunk) {
		src := p.buf[at:min(at+int(c.chunk), len(p.buf))]
		if allZero(src) {
			p.out = append(p.out, nil)
			p.zero += p.dataIn(p.off+int64(at), p.off+int64(at+len(src)))
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		mem := p.mem[len(p.out)*slot:][:0:slot]
		b, err := c.w.Encode(mem, src)
		if err != nil {
			return fmt.Errorf("encode content at %#x: %w", p.off+int64(at), err)
		}
		if len(b) == 0 {
			return fmt.Errorf("encode content at %#x: %w", p.off+int64(at), io.ErrShortWrite)
		}
		p.out = append(p.out, b)
	}
	return nil
}

// drain appends one segment and accounts for it.
func (c *copier) drain(ctx context.Context, p *copyPiece) error {
	for i, b := range p.out {
		if b == nil {
			continue
		}
		off := p.off + int64(i)*c.chunk
		if err := c.w.Append(ctx, off, b); err != nil {
			return fmt.Errorf("write content at %#x: %w", off, err)
		}
		c.res.StoredChunks++
		c.res.StoredBytes += int64(len(b))
	}
	if c.sums != nil {
		c.sums.add(p.off/DigestBlock, p.sums)
	}
	c.res.DataBytes += p.dataIn(p.off, p.end)
	c.res.ZeroBytes += p.zero
	if c.o.Progress != nil {
		if now := time.Now(); now.Sub(c.last) >= progressEvery {
			c.last = now
			c.o.Progress(c.res.DataBytes, c.total)
		}
	}
	return nil
}
