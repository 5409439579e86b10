package ovf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"

	"hyper2kvm/internal/machine"
)

// toUTF8 turns UTF-16 into UTF-8, found by its byte order mark or by the zero byte beside the first "<". What a document says
// of itself is not asked: XenCenter declares utf-16 and writes bytes.
func toUTF8(b []byte) ([]byte, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		return b[3:], nil
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		order, b = binary.LittleEndian, b[2:]
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		order, b = binary.BigEndian, b[2:]
	case bytes.HasPrefix(b, []byte{'<', 0}):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0, '<'}):
		order = binary.BigEndian
	default:
		return b, nil
	}
	if len(b)%2 != 0 {
		return nil, fmt.Errorf("%w: UTF-16 text of an odd number of bytes (%d)", machine.ErrDescriptor, len(b))
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return []byte(string(utf16.Decode(units))), nil
}

// charsetReader accepts the declared character sets that are met in the field. The input is UTF-8 or a single-byte set here,
// so a declared utf-16 has been dealt with or is untrue.
func charsetReader(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "utf16", "unicode":
		return in, nil
	case "iso-8859-1", "latin1", "iso-8859-15", "windows-1252":
		return &latin1Reader{in: in}, nil
	}
	return nil, fmt.Errorf("%w: character set %s; read are UTF-8, UTF-16 and ISO-8859-1", machine.ErrUnsupported, machine.Quote(label))
}

// latin1Reader turns ISO-8859-1 into UTF-8. The sets close to it differ in punctuation only.
type latin1Reader struct {
	in   io.Reader
	rest []byte // encoded and not yet handed out
}

// Read implements io.Reader.
func (r *latin1Reader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		raw := make([]byte, 4096)
		n, err := r.in.Read(raw)
		for _, c := range raw[:n] {
			r.rest = append(r.rest, string(rune(c))...)
		}
		if n == 0 {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
