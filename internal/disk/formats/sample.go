package formats

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"hyper2kvm/internal/disk"
)

const (
	// headSize is how much of a file's start decides what it is: tar's magic is at 257, a VMDK descriptor may follow comments,
	// a CD-ROM's header is at 32 KiB.
	headSize = 64 << 10
	// tailSize holds the footers of fixed VHD and of DMG.
	tailSize = 512
)

// sample is what probing looks at: the start and the end of a file.
type sample struct {
	head []byte
	tail []byte // the last tailSize bytes, or the whole file if it is shorter
	size int64
}

func newSample(f disk.File) (*sample, error) {
	s := &sample{size: f.Size()}
	if s.size < 0 {
		return nil, &disk.Error{Op: "probe", File: f.Name(), Off: -1, Kind: disk.ErrCorrupt, Detail: fmt.Sprintf("size %d", s.size)}
	}
	s.head = make([]byte, min(s.size, headSize))
	s.tail = make([]byte, min(s.size, tailSize))
	for _, part := range []struct {
		b   []byte
		off int64
	}{{s.head, 0}, {s.tail, s.size - int64(len(s.tail))}} {
		n, err := f.ReadAt(part.b, part.off)
		switch {
		case n == len(part.b):
		case err == nil || errors.Is(err, io.EOF):
			return nil, &disk.Error{Op: "probe", File: f.Name(), Off: part.off, Kind: disk.ErrTruncated,
				Detail: fmt.Sprintf("%d bytes needed, %d there", len(part.b), n)}
		default:
			return nil, err
		}
	}
	return s, nil
}

// at says whether the file has these bytes at off.
func (s *sample) at(off int, magic string) bool {
	return off <= len(s.head) && bytes.HasPrefix(s.head[off:], []byte(magic))
}

const vhdCookie = "conectix"

// fixedVHD says whether the file is a fixed VHD beyond doubt: the footer is that of a fixed disk, its checksum is right, and
// content of the size that it names stands before it (VHD specification 1.0, "Hard Disk Footer Format").
func (s *sample) fixedVHD() bool {
	const offSize, offType, offSum, fixed = 48, 60, 64, 2
	if len(s.tail) != tailSize || !bytes.HasPrefix(s.tail, []byte(vhdCookie)) {
		return false
	}
	var sum uint32
	for i, c := range s.tail {
		if i < offSum || i >= offSum+4 {
			sum += uint32(c)
		}
	}
	return binary.BigEndian.Uint32(s.tail[offSum:]) == ^sum &&
		binary.BigEndian.Uint32(s.tail[offType:]) == fixed &&
		binary.BigEndian.Uint64(s.tail[offSize:]) == uint64(s.size)-tailSize
}
