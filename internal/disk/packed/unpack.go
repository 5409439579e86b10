package packed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"hyper2kvm/internal/disk"
)

// Options are what Unpack needs to know.
type Options struct {
	// Dir is where the scratch file is made: a directory on the file system that has the space.
	Dir string
	// Room is asked before the scratch file stores more than it was granted so far, nothing at first; holes are free. It is told what
	// is stored and how much more is to be, and answers how many bytes may be stored in all, at least the sum of the two. Its error
	// ends the unpacking as it is. nil grants nothing.
	Room func(stored, more int64) (limit int64, err error)
	// Progress hears how many bytes of the compressed file are read; nil = nobody.
	Progress func(done int64)
}

const (
	// maxRatio is how many bytes of content a byte of the file may stand for, on the average: what zstd's longest runs give, twice. A
	// disk of which more than that is zeroes has nothing on it. It keeps a few bytes from costing hours.
	maxRatio = 1 << 16
	// freeRatio is how much content is unpacked whatever the ratio: it takes seconds.
	freeRatio = 16 << 30
	// window is how much content is looked at and written at a time; a hole's edges lie at multiples of page.
	window = 256 << 10
	// page is the block of the file systems that images stand on.
	page = 4 << 10
)

// AtMost is the Room of a fixed number of bytes. What needs more fails with ErrSpace.
func AtMost(n int64) func(stored, more int64) (int64, error) {
	return func(stored, more int64) (int64, error) {
		if stored+more > n {
			return 0, fmt.Errorf("%w: %d bytes are stored, %d are allowed, and there is more", ErrSpace, stored, n)
		}
		return n, nil
	}
}

// Unpack inflates f, which Detect recognised, into a scratch file and returns that, open, by the name of f without its ending, and how
// many bytes it stores. f stays open. The content has at most disk.MaxSize bytes, and at most 65536 times as many as f where that is
// more than 16 GiB.
//
// Errors: disk.ErrFormat if f is not compressed; disk.ErrTruncated and disk.ErrCorrupt with the offset in f; disk.ErrUnsupported for
// content that is compressed twice; disk.ErrLimit; ErrScratch; the context's; f's and Options.Room's own.
func Unpack(ctx context.Context, f disk.File, opt Options) (plain disk.File, stored int64, err error) {
	method, ok := Detect(f)
	if !ok {
		return nil, 0, &disk.Error{Op: "unpack", File: f.Name(), Off: -1, Kind: disk.ErrFormat, Detail: "it is not compressed"}
	}
	u := &unpacking{ctx: ctx, method: method, src: &source{ctx: ctx, f: f, progress: opt.Progress}, out: &scratch{room: opt.Room}}
	u.most = mostContent(f.Size())
	if opt.Room == nil {
		u.out.room = AtMost(0)
	}
	tmp, err := openScratch(opt.Dir)
	if err != nil {
		return nil, 0, scratchError(err)
	}
	u.out.f = tmp
	if err := u.run(); err != nil {
		tmp.Close()
		return nil, 0, err
	}
	host, err := disk.TakeFile(tmp, PlainName(f.Name()))
	if err != nil {
		return nil, 0, err
	}
	return host, u.out.stored, nil
}

// mostContent is how many bytes of content a file of size bytes may hold.
func mostContent(size int64) int64 {
	if size > disk.MaxSize/maxRatio {
		return disk.MaxSize
	}
	return max(freeRatio, size*maxRatio)
}

// unpacking is one call of Unpack.
type unpacking struct {
	ctx    context.Context
	method string
	src    *source
	out    *scratch
	most   int64 // bytes of content
}

func (u *unpacking) run() error {
	r, err := newDecompressor(u.method, u.src)
	if err != nil {
		return u.failed(err)
	}
	defer r.Close()
	buf := make([]byte, window)
	for {
		n, err := io.ReadFull(r, buf)
		if u.ctx.Err() != nil {
			return context.Cause(u.ctx)
		}
		if n > 0 {
			if err := u.take(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
		case n < len(buf) && u.src.err == nil && r.ended:
			return u.out.finish()
		default:
			return u.failed(err)
		}
	}
}

// take stores the next content within the bounds.
func (u *unpacking) take(b []byte) error {
	if u.out.size == 0 {
		if again, ok := detect(b); ok {
			return u.errorf(disk.ErrUnsupported, "compressed twice: the content of the %s file is a %s file; unpack it once by hand", u.method, again)
		}
	}
	if u.out.size+int64(len(b)) > u.most {
		return u.errorf(disk.ErrLimit, "%d bytes of %s hold more than %d bytes of content", u.src.f.Size(), u.method, u.most)
	}
	return u.out.write(b)
}

func (u *unpacking) errorf(kind error, format string, args ...any) error {
	return &disk.Error{Format: u.method, Op: "unpack", File: u.src.f.Name(), Off: u.src.done, Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// failed is the error of a decompressor as one of ours, unless the file or the context is the cause.
func (u *unpacking) failed(err error) error {
	if u.src.err != nil {
		return u.src.err
	}
	if detail := detailOf(err); detail != "" {
		return u.errorf(kindOf(err), "%s", detail)
	}
	return &disk.Error{Format: u.method, Op: "unpack", File: u.src.f.Name(), Off: u.src.done, Kind: kindOf(err), Err: err}
}

// source reads the compressed file from its start and counts.
type source struct {
	ctx      context.Context
	f        disk.File
	done     int64
	progress func(done int64)
	err      error // of the file or the context
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if s.ctx.Err() != nil {
		s.err = context.Cause(s.ctx)
		return 0, s.err
	}
	if s.done >= s.f.Size() {
		return 0, io.EOF
	}
	n, err := s.f.ReadAt(p[:min(int64(len(p)), s.f.Size()-s.done)], s.done)
	s.done += int64(n)
	if n > 0 {
		err = nil // whatever follows comes again
	} else if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	if s.progress != nil {
		s.progress(s.done)
	}
	return n, err
}

// scratch is the file that the content goes to.
type scratch struct {
	f      *os.File
	size   int64 // content so far
	stored int64 // of it, in pages that are not all zero
	limit  int64 // what may be stored
	room   func(stored, more int64) (limit int64, err error)
}

// write appends content; every call but the last brings whole pages. Pages of zeroes are left out.
func (s *scratch) write(b []byte) error {
	for len(b) > 0 {
		n, zero := run(b)
		if !zero {
			if err := s.grow(int64(n)); err != nil {
				return err
			}
			if _, err := s.f.WriteAt(b[:n], s.size); err != nil {
				return scratchError(err)
			}
		}
		s.size += int64(n)
		b = b[n:]
	}
	return nil
}

// grow counts more bytes to be stored, and asks for room where there is none left.
func (s *scratch) grow(n int64) error {
	if s.stored+n > s.limit {
		limit, err := s.room(s.stored, n)
		if err != nil {
			return err
		}
		s.limit = limit
	}
	s.stored += n
	return nil
}

// run returns the length of the pages at the beginning of b that are all of one sort, and whether they are all zero.
func run(b []byte) (n int, zero bool) {
	for n < len(b) {
		next := b[n:min(n+page, len(b))]
		z := bytes.Equal(next, zeroPage[:len(next)])
		if n > 0 && z != zero {
			break
		}
		n, zero = n+len(next), z
	}
	return n, zero
}

// zeroPage is what pages are compared with.
var zeroPage [page]byte

// finish gives the file its length.
func (s *scratch) finish() error {
	if err := s.f.Truncate(s.size); err != nil {
		return scratchError(err)
	}
	return nil
}

func scratchError(err error) error { return fmt.Errorf("%w: %w", ErrScratch, err) }
