package vmdk

import (
	"encoding/binary"

	"hyper2kvm/internal/disk"
)

// Types of the marker sectors of a streamOptimized image.
const (
	markerEnd       = 0
	markerTable     = 1
	markerDirectory = 2
	markerFooter    = 3
	markerProgress  = 4 // from early versions of ovftool: how much of the disk was sent so far, of no use to a reader
)

// grainMarkerSize is the size of what stands before a compressed grain: first sector on the disk (8), stream size (4).
const grainMarkerSize = 12

// marker is a sector that says what follows. In a grain's marker size is the stream's; in the others it is 0.
type marker struct {
	value uint64 // sectors that follow
	size  uint32
	kind  uint32
}

func parseMarker(b []byte) marker {
	le := binary.LittleEndian
	return marker{value: le.Uint64(b), size: le.Uint32(b[8:]), kind: le.Uint32(b[12:])}
}

// sector returns the marker as it stands in the file.
func (m marker) sector() []byte {
	b := make([]byte, disk.SectorSize)
	le := binary.LittleEndian
	le.PutUint64(b, m.value)
	le.PutUint32(b[8:], m.size)
	le.PutUint32(b[12:], m.kind)
	return b
}
