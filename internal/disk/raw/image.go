package raw

import (
	"context"
	"errors"
	"fmt"
	"io"

	"hyper2kvm/internal/disk"
)

// Image is a raw image. Its size is the file's, whether or not that is a multiple of a sector.
type Image struct {
	f    disk.File
	note string
}

// Open returns the content of f. Every file is a raw image, so the only error is a size beyond disk.MaxSize. A raw image names
// no other file: env is not used. It owns f from then on, and closes it when it fails.
func Open(_ context.Context, f disk.File, _ disk.Env) (*Image, error) {
	if f.Size() < 0 || f.Size() > disk.MaxSize {
		f.Close()
		return nil, &disk.Error{Format: "raw", Op: "open", File: f.Name(), Off: -1, Kind: disk.ErrLimit,
			Detail: fmt.Sprintf("size %d, at most %d", f.Size(), int64(disk.MaxSize))}
	}
	return &Image{f: f}, nil
}

// Note makes Describe say something more about the image, which who opened it knows. It is called before the image is used.
func (m *Image) Note(text string) { m.note = text }

// Size returns the size of the file in bytes.
func (m *Image) Size() int64 { return m.f.Size() }

// File returns the file that the image is.
func (m *Image) File() disk.File { return m.f }

// Close closes the file.
func (m *Image) Close() error { return m.f.Close() }

// ReadAt implements io.ReaderAt. A file that became shorter since it was opened gives ErrTruncated.
func (m *Image) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, &disk.Error{Format: "raw", Op: "read", File: m.f.Name(), Off: off, Kind: disk.ErrLimit, Detail: "negative offset"}
	}
	size := m.f.Size()
	if off >= size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), size-off)]
	n, err := m.f.ReadAt(want, off)
	switch {
	case n == len(want) && len(want) < len(p):
		return n, io.EOF
	case n == len(want):
		return n, nil
	case err == nil || errors.Is(err, io.EOF):
		err = &disk.Error{Format: "raw", Op: "read", File: m.f.Name(), Off: off, Kind: disk.ErrTruncated,
			Detail: fmt.Sprintf("%d bytes needed, %d there", len(want), n)}
	}
	return n, err
}

// Extent reports holes of the file as Unallocated and everything else as Data.
func (m *Image) Extent(_ context.Context, off int64) (disk.Extent, error) {
	size := m.f.Size()
	switch {
	case off < 0:
		return disk.Extent{}, &disk.Error{Format: "raw", Op: "read map", File: m.f.Name(), Off: off, Kind: disk.ErrLimit, Detail: "negative offset"}
	case off >= size:
		return disk.Extent{}, io.EOF
	}
	return disk.StoredExtent(m.f, "raw", disk.Extent{Off: off, Len: size - off}, off)
}

// Describe returns the one layer of a raw image.
func (m *Image) Describe() []disk.Info {
	info := disk.Info{Format: "raw", Files: []string{m.f.Name()}, Size: m.f.Size()}
	if m.note != "" {
		info.Notes = append(info.Notes, m.note)
	}
	if m.f.Size()%disk.SectorSize != 0 {
		info.Notes = append(info.Notes, fmt.Sprintf("the size is not a multiple of %d bytes; it is kept as it is", disk.SectorSize))
	}
	return []disk.Info{info}
}
