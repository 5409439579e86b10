package vmdk

import (
	"hyper2kvm/internal/disk"
)

// footerLen is the length of what ends a stream: footer marker, footer, end-of-stream marker.
const footerLen = 3 * disk.SectorSize

// readFooter finds the footer of a stream. It is the last sector but one, unless something was added behind the image:
// then the nearest one to the end counts.
func readFooter(f disk.File) (header, error) {
	sectors := f.Size() / disk.SectorSize
	for _, window := range []int64{footerLen, footerSearch} {
		n := min(window/disk.SectorSize, sectors)
		b := make([]byte, n*disk.SectorSize)
		start := (sectors - n) * disk.SectorSize
		if err := readFull(f, "look for footer", b, start); err != nil {
			return header{}, err
		}
		for at := int64(len(b)) - footerLen; at >= 0; at -= disk.SectorSize {
			if !isFooter(b[at : at+footerLen]) {
				continue
			}
			off := start + at + disk.SectorSize
			h, err := parseHeader(b[at+disk.SectorSize:at+2*disk.SectorSize], f.Name(), off)
			if err == nil && h.atEnd {
				err = fault(disk.ErrCorrupt, "read footer", f.Name(), off+56, "the footer does not say where the grain directory is")
			}
			return h, err
		}
	}
	return header{}, fault(disk.ErrTruncated, "look for footer", f.Name(), max(0, f.Size()-footerSearch),
		"the file has %d bytes and no footer: a complete image ends in a footer marker, the footer and an end-of-stream marker", f.Size())
}

// isFooter says whether three sectors are the end of a stream.
func isFooter(b []byte) bool {
	first, last := parseMarker(b), parseMarker(b[2*disk.SectorSize:])
	return first == marker{value: 1, kind: markerFooter} && last == marker{} &&
		string(b[disk.SectorSize:disk.SectorSize+4]) == magicSparse
}
