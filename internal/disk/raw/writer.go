package raw

import (
	"context"
	"fmt"
	"io"

	"hyper2kvm/internal/disk"
)

// chunkSize is the unit in which zeroes are left out. Smaller makes the file sparser and costs a system call each.
const chunkSize = 64 << 10

// Writer writes a sparse raw image.
type Writer struct {
	t    disk.Target
	size int64
	next int64 // lowest offset that may still be appended
	err  error // first one; nothing works after it
}

// NewWriter makes t a raw image of exactly size bytes of zeroes, to be filled by Append.
func NewWriter(t disk.Target, size int64) (*Writer, error) {
	if size < 0 || size > disk.MaxSize {
		return nil, &disk.Error{Format: "raw", Op: "create", Off: -1, Kind: disk.ErrLimit,
			Detail: fmt.Sprintf("size %d, at most %d", size, int64(disk.MaxSize))}
	}
	if err := t.Truncate(size); err != nil {
		return nil, &disk.Error{Format: "raw", Op: fmt.Sprintf("set size to %d", size), Off: -1, Err: err}
	}
	return &Writer{t: t, size: size}, nil
}

// ChunkSize returns 64 KiB.
func (w *Writer) ChunkSize() int { return chunkSize }

// Encode returns src itself.
func (w *Writer) Encode(_, src []byte) ([]byte, error) { return src, nil }

// Append writes b at off.
func (w *Writer) Append(ctx context.Context, off int64, b []byte) error {
	if w.err != nil {
		return w.err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if off < w.next || off%chunkSize != 0 || len(b) > chunkSize || int64(len(b)) > w.size-off {
		w.err = &disk.Error{Format: "raw", Op: "append", Off: off, Kind: disk.ErrLimit,
			Detail: fmt.Sprintf("%d bytes do not fit: size %d, next offset %d, chunks of %d", len(b), w.size, w.next, chunkSize)}
		return w.err
	}
	n, err := w.t.WriteAt(b, off)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.err = &disk.Error{Format: "raw", Op: "write", Off: off, Err: err}
		return w.err
	}
	w.next = off + chunkSize
	return nil
}

// Finish syncs the target.
func (w *Writer) Finish(ctx context.Context) error {
	if w.err != nil {
		return w.err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := w.t.Sync(); err != nil {
		w.err = &disk.Error{Format: "raw", Op: "sync", Off: -1, Err: err}
	}
	return w.err
}

// Abort does nothing: what was written stays for the caller to remove.
func (w *Writer) Abort() error { return nil }
