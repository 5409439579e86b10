package raw

import (
	"context"
	"fmt"

	"hyper2kvm/internal/disk"
)

// chunkSize is the unit in which zeroes are left out. Smaller makes the file sparser and costs a system call each.
const chunkSize = 64 << 10

// Writer writes a sparse raw image.
type Writer struct{ out disk.Sink }

// NewWriter makes t a raw image of exactly size bytes of zeroes, to be filled by Append.
func NewWriter(t disk.Target, size int64) (*Writer, error) {
	if size < 0 || size > disk.MaxSize {
		return nil, &disk.Error{Format: "raw", Op: "create", Off: -1, Kind: disk.ErrLimit,
			Detail: fmt.Sprintf("size %d, at most %d", size, int64(disk.MaxSize))}
	}
	w := &Writer{disk.Sink{Target: t, Format: "raw", Size: size, Chunk: chunkSize}}
	if err := w.out.Truncate(size); err != nil {
		return nil, err
	}
	return w, nil
}

// ChunkSize returns 64 KiB.
func (w *Writer) ChunkSize() int { return chunkSize }

// Encode returns src itself.
func (w *Writer) Encode(_, src []byte) ([]byte, error) { return src, nil }

// Append writes b at off.
func (w *Writer) Append(ctx context.Context, off int64, b []byte) error {
	if err := w.out.Admit(ctx, off, len(b)); err != nil {
		return err
	}
	return w.out.Keep(w.out.Write("write", b, off))
}

// Clone makes the image share the content of f, which must have its size and come from the same file system (disk.Cloner).
func (w *Writer) Clone(f disk.File) bool {
	h, ok := f.(interface{ CloneTo(t disk.Target) bool })
	if !ok || f.Size() != w.out.Size {
		return false
	}
	if h.CloneTo(w.out.Target) {
		return true
	}
	// Nothing, or not the right thing, was shared: all zeroes again.
	if err := w.out.Truncate(0); err != nil {
		_ = w.out.Keep(err)
	} else if err := w.out.Truncate(w.out.Size); err != nil {
		_ = w.out.Keep(err)
	}
	return false
}

// Finish syncs the target.
func (w *Writer) Finish(ctx context.Context) error { return w.out.Finish(ctx, w.out.Sync) }

// Abort gives up: what was written stays for the caller to remove.
func (w *Writer) Abort() error {
	w.out.Abort()
	return nil
}
