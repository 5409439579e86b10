package vhd

import (
	"errors"
	"fmt"
	"io"

	"hyper2kvm/internal/disk"
)

// formatName is what messages and Info call the format.
const formatName = "vhd"

// noOffset stands for an error that belongs to no place in the file.
const noOffset = -1

// fault makes an error of a kind at a place in a file.
func fault(kind error, op, file string, off int64, detail string, args ...any) error {
	return &disk.Error{Format: formatName, Op: op, File: file, Off: off, Kind: kind, Detail: fmt.Sprintf(detail, args...)}
}

// readFull fills p from f, and says what was needed and what is there when the file is too short.
func readFull(f disk.File, op string, p []byte, off int64) error {
	if off < 0 || int64(len(p)) > f.Size()-off {
		return fault(disk.ErrTruncated, op, f.Name(), off, "needs %d bytes there, the file has %d bytes in all", len(p), f.Size())
	}
	n, err := f.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault(disk.ErrTruncated, op, f.Name(), off, "got %d of %d bytes", n, len(p))
	}
	return &disk.Error{Format: formatName, Op: op, File: f.Name(), Off: off, Err: err}
}
