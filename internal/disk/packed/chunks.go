package packed

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"hyper2kvm/internal/disk"
)

// maxChunks is how many pieces a file may come in: each is an open file. At the piece of 2 GB that ovftool cuts for FAT, it is 8 TB.
const maxChunks = 4096

// Chunked opens the pieces of a file that an OVF package cut (DSP0243 2.1, section 7.1: name.000000000, name.000000001 and so on, every
// piece but the last of exactly chunk bytes) and joins them where they stand. size is the whole file's; 0 if the package does not state
// it: then the first piece that is shorter, or the last that is there, ends the file.
//
// Errors: disk.ErrMissing names the piece that is not there; disk.ErrCorrupt and disk.ErrTruncated one of another length; disk.ErrLimit
// more than 4096 pieces.
func Chunked(name string, size, chunk int64, open disk.Opener) (disk.File, error) {
	c := &chunked{name: name}
	if err := c.openAll(size, chunk, open); err != nil {
		_ = c.Close() // only read
		return nil, err
	}
	return c, nil
}

// Chunks returns how many pieces a file of that size comes in, at least 1 and at most one more than are read.
func Chunks(size, chunk int64) int {
	if size <= 0 || chunk <= 0 {
		return 1
	}
	return int(min((size-1)/chunk+1, maxChunks+1))
}

// ChunkName returns the name of a piece; the first has index 0.
func ChunkName(name string, index int) string { return fmt.Sprintf("%s.%09d", name, index) }

type chunked struct {
	name   string
	pieces []disk.File
	ends   []int64 // offset just past each piece
}

func (c *chunked) openAll(size, chunk int64, open disk.Opener) error {
	if chunk <= 0 || size < 0 {
		return &disk.Error{Op: "join", File: c.name, Off: -1, Kind: disk.ErrCorrupt, Detail: fmt.Sprintf("pieces of %d bytes for a file of %d", chunk, size)}
	}
	if Chunks(size, chunk) > maxChunks {
		return c.tooMany()
	}
	for i := 0; ; i++ {
		if i == maxChunks {
			return c.tooMany()
		}
		last := size > 0 && size-c.Size() <= chunk
		f, err := open(ChunkName(c.name, i))
		if size == 0 && i > 0 && errors.Is(err, disk.ErrMissing) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("piece %d: %w", i+1, err)
		}
		want := chunk
		if last {
			want = size - c.Size()
		}
		c.pieces, c.ends = append(c.pieces, f), append(c.ends, c.Size()+f.Size())
		switch {
		case f.Size() > want:
			return c.length(f, disk.ErrCorrupt, want)
		case f.Size() < want && size > 0:
			return c.length(f, disk.ErrTruncated, want)
		case f.Size() < want || last:
			return nil
		}
	}
}

func (c *chunked) tooMany() error {
	return &disk.Error{Op: "join", File: c.name, Off: -1, Kind: disk.ErrLimit, Detail: fmt.Sprintf("it comes in more than %d pieces", maxChunks)}
}

func (c *chunked) length(f disk.File, kind error, want int64) error {
	return &disk.Error{Op: "join", File: f.Name(), Off: -1, Kind: kind, Detail: fmt.Sprintf("the piece has %d bytes, %d are needed", f.Size(), want)}
}

// Name implements disk.File.
func (c *chunked) Name() string { return c.name }

// Size implements disk.File.
func (c *chunked) Size() int64 {
	if len(c.ends) == 0 {
		return 0
	}
	return c.ends[len(c.ends)-1]
}

// ReadAt implements io.ReaderAt.
func (c *chunked) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, &disk.Error{Op: "read", File: c.name, Off: -1, Kind: disk.ErrLimit, Detail: "negative offset"}
	}
	done := 0
	for i := sort.Search(len(c.ends), func(i int) bool { return c.ends[i] > off }); done < len(p); i++ {
		if i == len(c.pieces) {
			return done, io.EOF
		}
		at := off + int64(done) - (c.ends[i] - c.pieces[i].Size())
		part := p[done:min(int64(len(p)), int64(done)+c.pieces[i].Size()-at)]
		n, err := c.pieces[i].ReadAt(part, at)
		done += n
		if n < len(part) {
			return done, err
		}
	}
	return done, nil
}

// Close implements io.Closer.
func (c *chunked) Close() error {
	var errs []error
	for _, f := range c.pieces {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
