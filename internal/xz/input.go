package xz

import (
	"encoding/binary"
	"errors"
	"io"
)

// inputBytes is the size of the buffer that compressed bytes are read into. An LZMA2 chunk has at most as much.
const inputBytes = 64 << 10

// input reads compressed bytes and counts them.
type input struct {
	r    io.Reader
	buf  []byte // read and not yet taken
	mem  []byte // what buf is a part of
	off  int64  // offset in the file of buf[0]
	fail error  // of r, once buf is used up
}

func newInput(r io.Reader) *input { return &input{r: r, mem: make([]byte, inputBytes)} }

// peek returns up to n bytes without taking them; fewer only at the end of the file.
func (in *input) peek(n int) ([]byte, error) {
	for len(in.buf) < n && in.fail == nil {
		kept := copy(in.mem, in.buf)
		got, err := in.r.Read(in.mem[kept:])
		in.buf, in.fail = in.mem[:kept+got], err
	}
	if len(in.buf) < n && !errors.Is(in.fail, io.EOF) {
		return nil, in.fail
	}
	return in.buf[:min(n, len(in.buf))], nil
}

// take drops n bytes that peek has shown.
func (in *input) take(n int) {
	in.buf = in.buf[n:]
	in.off += int64(n)
}

// some reads at least one byte into p; none only at the end of the file.
func (in *input) some(p []byte) (int, error) {
	if _, err := in.peek(1); err != nil {
		return 0, err
	}
	n := copy(p, in.buf)
	in.take(n)
	return n, nil
}

// full fills p. The end of the file is ErrTruncated; what names the thing that is cut.
func (in *input) full(p []byte, what string) error {
	for done := 0; done < len(p); {
		n, err := in.some(p[done:])
		if err != nil {
			return err
		}
		if n == 0 {
			return fail(ErrTruncated, in.off, "in the %s", what)
		}
		done += n
	}
	return nil
}

// byte takes one byte.
func (in *input) byte(what string) (byte, error) {
	var b [1]byte
	err := in.full(b[:], what)
	return b[0], err
}

// maxNumber is the largest number that an .xz file may hold: 63 bits (section 1.2).
const maxNumber = 1<<63 - 1

// number decodes a variable-length integer (section 1.2): seven bits a byte, the lowest first, at most nine bytes, none of them a
// useless zero. n is the number of bytes it takes, 0 if b holds no such number.
func number(b []byte) (v uint64, n int) {
	v, n = binary.Uvarint(b)
	if n < 1 || n > 9 || v > maxNumber || n > 1 && b[n-1] == 0 {
		return 0, 0
	}
	return v, n
}
