package xz

import (
	"bytes"
	"io"
)

// Reader decompresses a file. It is an io.Reader and not safe for concurrent use.
type Reader struct {
	in     *input
	body   io.Reader // the streams of an .xz file, or the one of an .lzma file
	failed error
}

// NewReader looks at the beginning of r and returns a reader of what it holds: the content of all streams, one after the other. A file
// of another kind gives ErrFormat, one that ends within the first header ErrTruncated.
//
// Read returns io.EOF when everything was verified up to the end of r. An error that is none of the kinds of this package is r's own.
// Content that was read before an error has not been verified as a whole.
func NewReader(r io.Reader) (*Reader, error) {
	in := newInput(r)
	head, err := in.peek(max(streamHeader, aloneHeader))
	if err != nil {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, headerMagic):
		x := &Reader{in: in}
		streams := &streams{in: in, lzma: &lzma{}}
		if err := streams.open(); err != nil {
			return nil, err
		}
		x.body = streams
		return x, nil
	case likelyAlone(head):
		a, err := newAlone(in)
		if err != nil {
			return nil, err
		}
		return &Reader{in: in, body: a}, nil
	case len(head) < len(headerMagic) && bytes.HasPrefix(headerMagic, head):
		return nil, fail(ErrTruncated, int64(len(head)), "in the stream header")
	}
	return nil, fail(ErrFormat, 0, "no header of either")
}

// Read implements io.Reader.
func (x *Reader) Read(p []byte) (int, error) {
	if x.failed != nil {
		return 0, x.failed
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := x.body.Read(p)
	x.failed = err
	return n, err
}
