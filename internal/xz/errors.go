package xz

import (
	"errors"
	"fmt"
	"io"
)

// The kinds of errors. Every error of this package wraps one of them, or is the error of the reader underneath as it came.
var (
	ErrFormat      = errors.New("neither an .xz nor an .lzma file")
	ErrCorrupt     = errors.New("compressed data is corrupt")
	ErrTruncated   = fmt.Errorf("compressed data ends too early: %w", io.ErrUnexpectedEOF)
	ErrUnsupported = errors.New("file uses a feature that is not supported")
	ErrLimit       = errors.New("file needs more memory than is allowed")
)

// fail is an error of a kind at an offset in the compressed file.
func fail(kind error, off int64, format string, args ...any) error {
	return fmt.Errorf("xz: %w: %s, at %#x", kind, fmt.Sprintf(format, args...), off)
}
