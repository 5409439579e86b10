package cutdisk

import (
	"bytes"
	"fmt"
	"maps"
)

// pageSize is the unit in which content is kept and shared between images.
const pageSize = 4096

// Image is the content of a sparse disk. A page is never changed once it is in an image, so that a Clone costs no more than its map.
// An Image is not safe for concurrent use.
type Image struct {
	size  int64
	pages map[int64][]byte
}

// NewImage is a disk of zeroes; size is in bytes and is rounded down to whole pages.
func NewImage(size int64) *Image {
	return &Image{size: size / pageSize * pageSize, pages: map[int64][]byte{}}
}

// Size is the size of the disk in bytes.
func (m *Image) Size() int64 { return m.size }

// Clone is an image with the same content that changes alone.
func (m *Image) Clone() *Image { return &Image{size: m.size, pages: maps.Clone(m.pages)} }

// Bytes is how much content the image holds, in bytes; images share it.
func (m *Image) Bytes() int64 { return int64(len(m.pages)) * pageSize }

// ReadAt fills b from off, with zeroes beyond the end.
func (m *Image) ReadAt(b []byte, off int64) (int, error) {
	for n := 0; n < len(b); {
		at := off + int64(n)
		within := int(at % pageSize)
		part := b[n:min(len(b), n+pageSize-within)]
		if page := m.pages[at/pageSize]; page != nil {
			copy(part, page[within:])
		} else {
			clear(part)
		}
		n += len(part)
	}
	return len(b), nil
}

// WriteAt changes the content. A write that reaches beyond the end is an error, and changes nothing.
func (m *Image) WriteAt(b []byte, off int64) (int, error) {
	if off < 0 || off > m.size || int64(len(b)) > m.size-off {
		return 0, fmt.Errorf("write of %d bytes at %d: the disk has %d", len(b), off, m.size)
	}
	for n := 0; n < len(b); {
		at := off + int64(n)
		within := int(at % pageSize)
		part := b[n:min(len(b), n+pageSize-within)]
		page := make([]byte, pageSize)
		if len(part) < pageSize {
			copy(page, m.pages[at/pageSize])
		}
		copy(page[within:], part)
		if bytes.Equal(page, make([]byte, pageSize)) {
			delete(m.pages, at/pageSize) // a page that is not there is one of zeroes
		} else {
			m.pages[at/pageSize] = page
		}
		n += len(part)
	}
	return len(b), nil
}
