package packed

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"hyper2kvm/internal/xz"
)

const (
	// readAhead is how much of the compressed file is read at a time.
	readAhead = 64 << 10
	// maxZstdWindow is the largest window of a zstd frame: what zstd -d takes without being asked to (--long=27, --ultra -22).
	maxZstdWindow = 128 << 20
)

// decompressor is a reader of content that remembers whether the file's end was reached as it should be: io.ReadFull cannot tell an end
// from a cut.
type decompressor struct {
	r     io.Reader
	close func()
	ended bool
}

// Read implements io.Reader.
func (d *decompressor) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err == io.EOF { // not a wrapped one, which may be a decompressor's word for a file that is cut
		d.ended = true
	}
	return n, err
}

// Close releases memory.
func (d *decompressor) Close() {
	if d.close != nil {
		d.close()
	}
}

// newDecompressor opens a stream by its method.
func newDecompressor(method string, src io.Reader) (*decompressor, error) {
	in := bufio.NewReaderSize(src, readAhead)
	switch method {
	case Gzip:
		r, err := newMembers(in)
		return &decompressor{r: r}, err
	case XZ:
		r, err := xz.NewReader(in)
		return &decompressor{r: r}, err
	case Zstd:
		r, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, err
		}
		return &decompressor{r: r, close: r.Close}, nil
	default:
		return &decompressor{r: bzip2.NewReader(in)}, nil
	}
}

// members reads the members of a gzip file (RFC 1952 section 2.2), one after the other, and passes over zeroes behind the last: tapes
// and block devices leave them there.
type members struct {
	in *bufio.Reader
	z  *gzip.Reader
}

func newMembers(in *bufio.Reader) (*members, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, cut(err)
	}
	z.Multistream(false)
	return &members{in: in, z: z}, nil
}

// Read implements io.Reader.
func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.z.Read(p)
		if n > 0 || err == nil {
			return n, nil
		}
		if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, err
		}
		if err := m.next(); err != nil {
			return 0, err
		}
	}
}

// next begins the next member; io.EOF after the last.
func (m *members) next() error {
	b, err := m.in.ReadByte()
	for err == nil && b == 0 {
		if b, err = m.in.ReadByte(); err == nil && b != 0 {
			return gzip.ErrHeader // zeroes come behind the last member
		}
	}
	if err != nil {
		return err
	}
	if err := m.in.UnreadByte(); err != nil {
		return err
	}
	if err := m.z.Reset(m.in); err != nil {
		return cut(err)
	}
	m.z.Multistream(false)
	return nil
}

// cut turns an end within a header into what it is.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
