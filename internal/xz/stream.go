package xz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

var (
	headerMagic = []byte{0xfd, '7', 'z', 'X', 'Z', 0} // section 2.1.1.1
	footerMagic = []byte("YZ")                        // section 2.1.2.4
)

const (
	streamHeader = 12 // bytes
	streamFooter = 12 // bytes
)

// streams reads the streams of an .xz file (section 2.1), one after the other.
type streams struct {
	in    *input
	lzma  *lzma // shared by all blocks, which come one after the other
	check byte  // kind of the stream's checks
	index tally // of the stream's blocks
	block *block
	ended bool
}

// open reads a stream header: magic, flags, CRC32.
func (s *streams) open() error {
	at := s.in.off
	var b [streamHeader]byte
	if err := s.in.full(b[:], "stream header"); err != nil {
		return err
	}
	if !bytes.HasPrefix(b[:], headerMagic) {
		return fail(ErrCorrupt, at, "what follows a stream is no stream")
	}
	if !crc32Fits(b[len(headerMagic):]) {
		return fail(ErrCorrupt, at, "the stream header's CRC32 is wrong")
	}
	if b[6] != 0 || b[7] > 0x0f {
		return fail(ErrUnsupported, at, "stream flags %#02x %#02x", b[6], b[7])
	}
	if _, ok := newCheck(b[7]); !ok {
		return fail(ErrUnsupported, at, "a check of kind %d", b[7])
	}
	s.check, s.index = b[7], newTally()
	return nil
}

// Read implements io.Reader.
func (s *streams) Read(p []byte) (int, error) {
	for !s.ended {
		if s.block == nil {
			if err := s.next(); err != nil {
				return 0, err
			}
			continue
		}
		n, err := s.block.Read(p)
		if errors.Is(err, io.EOF) {
			if err = s.block.finish(); err == nil {
				s.index.add(s.block.unpadded, s.block.content)
				s.block = nil
			}
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// next opens the next block, or reads what stands behind the last one.
func (s *streams) next() error {
	at := s.in.off
	size, err := s.in.byte("block header")
	if err != nil {
		return err
	}
	if size != 0 {
		s.block, err = openBlock(s.in, s.lzma, s.check, size)
		return err
	}
	if err := s.index.verify(s.in); err != nil {
		return err
	}
	if err := s.footer(s.in.off - at); err != nil {
		return err
	}
	more, err := s.padding()
	if err != nil {
		return err
	}
	if more {
		return s.open()
	}
	s.ended = true
	return nil
}

// footer reads a stream footer: CRC32, size of the index, flags, magic.
func (s *streams) footer(indexBytes int64) error {
	at := s.in.off
	var b [streamFooter]byte
	if err := s.in.full(b[:], "stream footer"); err != nil {
		return err
	}
	crc := append(bytes.Clone(b[4:10]), b[:4]...)
	switch {
	case !bytes.Equal(b[10:], footerMagic):
		return fail(ErrCorrupt, at, "there is no stream footer")
	case !crc32Fits(crc):
		return fail(ErrCorrupt, at, "the stream footer's CRC32 is wrong")
	case (int64(binary.LittleEndian.Uint32(b[4:]))+1)*4 != indexBytes:
		return fail(ErrCorrupt, at, "the stream footer says that the index has another size")
	case b[8] != 0 || b[9] != s.check:
		return fail(ErrCorrupt, at, "the stream's footer and header have different flags")
	}
	return nil
}

// padding skips the zeroes behind a stream, in fours (section 2.2), and reports whether another stream follows.
func (s *streams) padding() (bool, error) {
	for {
		b, err := s.in.peek(4)
		switch {
		case err != nil:
			return false, err
		case len(b) == 0:
			return false, nil
		case b[0] != 0:
			return true, nil
		case len(b) < 4 || b[1] != 0 || b[2] != 0 || b[3] != 0:
			return false, fail(ErrCorrupt, s.in.off, "the padding behind a stream does not come in fours")
		}
		s.in.take(4)
	}
}
