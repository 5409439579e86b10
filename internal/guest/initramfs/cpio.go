package initramfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

// The cpio format "newc", and "crc", which is newc with a checksum that old kernels do not look at and that is not looked at here:
// 110 bytes of header in hexadecimal, the name with its NUL, padding to 4 bytes, the content, padding to 4 bytes.
const (
	cpioHeader  = 110
	cpioAlign   = 4
	cpioTrailer = "TRAILER!!!"

	modeType    = 0o170000
	modeRegular = 0o100000
	modeLink    = 0o120000
)

var (
	cpioMagics = [][]byte{[]byte("070701"), []byte("070702")}
	cpioOld    = []byte("0707") // the older formats: odc and binary in text form
)

// entry is one file of an archive.
type entry struct {
	name  string // without a leading slash
	mode  uint32
	links uint32 // names that the file has
	size  int64
}

func (e entry) regular() bool { return e.mode&modeType == modeRegular }
func (e entry) link() bool    { return e.mode&modeType == modeLink }

// stream is what archives are read from: the image itself, or a decompressor.
type stream interface {
	io.Reader
	Peek(n int) ([]byte, error)
	skip(n int64) error
}

// errJunk says that what follows is no archive: a compressed one, or garbage.
var errJunk = errors.New("something else follows")

// skipZeros moves to the next byte that is not zero; io.EOF where there is none.
func skipZeros(s stream) error {
	for {
		b, err := s.Peek(1)
		if err != nil {
			return err
		}
		if b[0] != 0 {
			return nil
		}
		// Padding may be long; what is buffered is looked at in one go.
		b, _ = s.Peek(512)
		if err := s.skip(int64(len(b) - len(bytes.TrimLeft(b, "\x00")))); err != nil {
			return err
		}
	}
}

// readArchive reads one archive up to and with its trailer, and returns the number of its entries.
func readArchive(s stream, take func(entry, io.Reader) error) (int, error) {
	for n := 0; ; n++ {
		e, err := readEntry(s)
		if err != nil {
			return n, err
		}
		if e.name == cpioTrailer {
			return n, s.skip(padded(e.size))
		}
		body := &io.LimitedReader{R: s, N: e.size}
		if err := take(e, body); err != nil {
			return n, err
		}
		// What was taken of the content counts: the padding belongs to the whole of it.
		if err := s.skip(body.N + padded(e.size) - e.size); err != nil {
			return n, err
		}
	}
}

func padded(n int64) int64 { return (n + cpioAlign - 1) / cpioAlign * cpioAlign }

// readEntry reads a header and the name behind it.
func readEntry(s stream) (entry, error) {
	var h [cpioHeader]byte
	// The kernel skips zeros between entries too: an archive that is written by hand may have them.
	if err := skipZeros(s); err != nil {
		return entry{}, unexpected(err)
	}
	if _, err := io.ReadFull(s, h[:]); err != nil {
		return entry{}, unexpected(err)
	}
	if !isCpio(h[:]) {
		return entry{}, fmt.Errorf("%w: no header of a cpio archive where one must be", ErrCorrupt)
	}
	var f [13]uint32 // ino mode uid gid nlink mtime filesize major minor rmajor rminor namesize check
	for i := range f {
		v, err := strconv.ParseUint(string(h[6+8*i:14+8*i]), 16, 32)
		if err != nil {
			return entry{}, fmt.Errorf("%w: field %d of a cpio header is no number", ErrCorrupt, i)
		}
		f[i] = uint32(v)
	}
	length := int64(f[11])
	if length < 1 || length > maxName {
		return entry{}, fmt.Errorf("%w: a name of %d bytes; 1 to %d are allowed", ErrLimit, length, maxName)
	}
	name := make([]byte, padded(cpioHeader+length)-cpioHeader)
	if _, err := io.ReadFull(s, name); err != nil {
		return entry{}, unexpected(err)
	}
	name, _, _ = bytes.Cut(name[:length], []byte{0})
	clean := strings.TrimPrefix(path.Clean("/"+string(name)), "/")
	return entry{name: clean, mode: f[1], links: f[4], size: int64(f[6])}, nil
}

func isCpio(b []byte) bool {
	return bytes.HasPrefix(b, cpioMagics[0]) || bytes.HasPrefix(b, cpioMagics[1])
}

// unexpected turns an end of the stream into one that comes too early.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
