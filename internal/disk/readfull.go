package disk

import (
	"errors"
	"fmt"
	"io"
)

// ReadFull fills p from off of f. Where the file is too short it says what was needed and what is there: ErrTruncated. format and op
// stand in the error.
func ReadFull(f File, format, op string, p []byte, off int64) error {
	fail := func(kind error, detail string, cause error) error {
		return &Error{Format: format, Op: op, File: f.Name(), Off: off, Kind: kind, Detail: detail, Err: cause}
	}
	if off < 0 || int64(len(p)) > f.Size()-off {
		return fail(ErrTruncated, fmt.Sprintf("needs %d bytes there, the file has %d bytes in all", len(p), f.Size()), nil)
	}
	n, err := f.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fail(ErrTruncated, fmt.Sprintf("got %d of %d bytes", n, len(p)), nil)
	}
	return fail(nil, "", err)
}

// StoredExtent returns the beginning of e, whose content stands as it is at host of f, as far as it is of one kind: Unallocated for a
// hole of the file, else Data. What the file does not hold whole is Data too, so that reading it tells. format stands in an error.
func StoredExtent(f File, format string, e Extent, host int64) (Extent, error) {
	e.Kind = Data
	holes, ok := f.(HoleFinder)
	if !ok || host < 0 || e.Len > f.Size()-host {
		return e, nil
	}
	start, end, err := holes.NextData(host)
	switch {
	case errors.Is(err, io.EOF), err == nil && start >= host+e.Len:
		e.Kind = Unallocated
	case err != nil:
		return Extent{}, &Error{Format: format, Op: "find holes", File: f.Name(), Off: host, Err: err}
	case start > host:
		e.Kind, e.Len = Unallocated, start-host
	case end > host: // a file system that answers nonsense is believed to hold data
		e.Len = min(e.Len, end-host)
	}
	return e, nil
}

// MappedExtent is StoredExtent for what a table of an image says is stored. A hole of the file is Zero there: the image has the place for
// itself, preallocated or written with zeroes, and hides what a parent holds.
func MappedExtent(f File, format string, e Extent, host int64) (Extent, error) {
	e, err := StoredExtent(f, format, e, host)
	if e.Kind != Data {
		e.Kind = Zero
	}
	return e, err
}

// Sparse says whether so much of f is holes that it pays to look for them at every piece of an image, each of which is a question to the
// file system: at least an eighth. It does not know that of every File.
func Sparse(f File) bool {
	s, ok := f.(interface{ Stored() int64 })
	return ok && s.Stored() < f.Size()-f.Size()/8
}
