package vhdx

import (
	"io"

	"hyper2kvm/internal/disk"
)

// patched is a file with other bytes at some places; what comes later wins.
type patched struct {
	disk.File
	patches []patchAt
}

type patchAt struct {
	off int64
	b   []byte
}

func (p patched) Size() int64 {
	size := p.File.Size()
	for _, c := range p.patches {
		size = max(size, c.off+int64(len(c.b)))
	}
	return size
}

func (p patched) Close() error { return nil }

func (p patched) ReadAt(b []byte, off int64) (int, error) {
	n := int(max(0, min(int64(len(b)), p.Size()-off)))
	k, _ := p.File.ReadAt(b[:n], off)
	clear(b[k:n])
	for _, c := range p.patches {
		from, to := max(c.off, off), min(c.off+int64(len(c.b)), off+int64(n))
		if from < to {
			copy(b[from-off:to-off], c.b[from-c.off:])
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
