package initramfs

import (
	"bufio"
	"context"
	"fmt"
	"io"
)

// bufferBytes is how much is read at once from an image or a decompressor.
const bufferBytes = 64 << 10

// source reads an image in order and knows where it stands. Content of archives that are not compressed is not read but jumped over.
type source struct {
	*bufio.Reader
	section *io.SectionReader
}

func newSource(r io.ReaderAt, size int64) *source {
	section := io.NewSectionReader(r, 0, size)
	return &source{Reader: bufio.NewReaderSize(section, bufferBytes), section: section}
}

// offset is where the next byte comes from.
func (s *source) offset() int64 {
	at, err := s.section.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0 // a SectionReader knows its place
	}
	return at - int64(s.Buffered())
}

// skip implements stream.
func (s *source) skip(n int64) error {
	if n <= int64(s.Buffered()) {
		_, err := s.Discard(int(n))
		return err
	}
	to := s.offset() + n
	if to > s.section.Size() {
		return io.ErrUnexpectedEOF
	}
	return s.seek(to)
}

// seek moves to an offset of the image.
func (s *source) seek(to int64) error {
	_, err := s.section.Seek(to, io.SeekStart)
	s.Reset(s.section)
	return err
}

// unpacked is the content of a compressed part.
type unpacked struct {
	*bufio.Reader
}

// skip implements stream.
func (u unpacked) skip(n int64) error {
	_, err := io.CopyN(io.Discard, u.Reader, n)
	return unexpected(err)
}

// meter stands behind a decompressor: it ends with the context, and when more comes out than is allowed.
type meter struct {
	ctx  context.Context
	r    io.Reader
	left *int64 // of maxUnpacked, over all parts
	fail error  // what the decompressor ended with
}

func (m *meter) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.r.Read(p)
	if *m.left -= int64(n); *m.left < 0 {
		return 0, fmt.Errorf("%w: more than %d bytes of content", ErrLimit, int64(maxUnpacked))
	}
	m.fail = err
	return n, err
}
