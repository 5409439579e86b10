package disktest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"hyper2kvm/internal/disk"
)

// memPage is the unit of memory of a MemFile, and of its holes.
const memPage = 64 << 10

// MemFile is a sparse file in memory: a disk.Target to write, then a disk.File and disk.HoleFinder to read. It is safe for
// concurrent use.
type MemFile struct {
	name   string
	mu     sync.RWMutex
	size   int64
	pages  map[int64]*[memPage]byte
	closed int
}

// NewMemFile returns a file with this content.
func NewMemFile(name string, content []byte) *MemFile {
	m := &MemFile{name: name, pages: make(map[int64]*[memPage]byte)}
	if len(content) > 0 {
		if _, err := m.WriteAt(content, 0); err != nil {
			panic(err) // not with offset 0
		}
	}
	return m
}

// Name returns the name given to NewMemFile.
func (m *MemFile) Name() string { return m.name }

// Size returns the size in bytes.
func (m *MemFile) Size() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.size
}

// Close counts.
func (m *MemFile) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed++
	return nil
}

// Closed returns how often Close was called.
func (m *MemFile) Closed() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.closed
}

// Sync does nothing.
func (m *MemFile) Sync() error { return nil }

// Truncate sets the size; what is cut off reads as zero if the file grows again.
func (m *MemFile) Truncate(size int64) error {
	if size < 0 {
		return fmt.Errorf("truncate to %d", size)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, page := range m.pages {
		switch {
		case n*memPage >= size:
			delete(m.pages, n)
		case (n+1)*memPage > size:
			clear(page[size-n*memPage:])
		}
	}
	m.size = size
	return nil
}

// WriteAt implements io.WriterAt.
func (m *MemFile) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("write at %d", off)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	done := 0
	for done < len(p) {
		n, in := (off+int64(done))/memPage, (off+int64(done))%memPage
		page := m.pages[n]
		if page == nil {
			page = new([memPage]byte)
			m.pages[n] = page
		}
		done += copy(page[in:], p[done:])
	}
	m.size = max(m.size, off+int64(done))
	return done, nil
}

// ReadAt implements io.ReaderAt.
func (m *MemFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d", off)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if off >= m.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), m.size-off)]
	for done := 0; done < len(want); {
		n, in := (off+int64(done))/memPage, (off+int64(done))%memPage
		part := want[done:min(len(want), done+int(memPage-in))]
		if page := m.pages[n]; page != nil {
			copy(part, page[in:])
		} else {
			clear(part)
		}
		done += len(part)
	}
	if len(want) < len(p) {
		return len(want), io.EOF
	}
	return len(want), nil
}

// Dig makes holes of the pages that hold nothing but zeroes.
func (m *MemFile) Dig() {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.pages, func(_ int64, page *[memPage]byte) bool { return *page == [memPage]byte{} })
}

// Stored returns how many bytes of the file are not holes.
func (m *MemFile) Stored() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return int64(len(m.pages)) * memPage
}

// NextData implements disk.HoleFinder.
func (m *MemFile) NextData(off int64) (start, end int64, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	numbers := slices.Sorted(maps.Keys(m.pages))
	i, _ := slices.BinarySearch(numbers, off/memPage)
	if i == len(numbers) || off >= m.size {
		return 0, 0, io.EOF
	}
	start = max(off, numbers[i]*memPage)
	end = (numbers[i] + 1) * memPage
	for i++; i < len(numbers) && numbers[i]*memPage == end; i++ {
		end += memPage
	}
	return start, min(end, m.size), nil
}

// Bytes returns the content; only for small files.
func (m *MemFile) Bytes() []byte {
	b := make([]byte, m.Size())
	if _, err := m.ReadAt(b, 0); err != nil && len(b) > 0 {
		panic(err) // the file changed under its reader
	}
	return b
}

var (
	_ disk.Target     = (*MemFile)(nil)
	_ disk.File       = (*MemFile)(nil)
	_ disk.HoleFinder = (*MemFile)(nil)
)
