package vmdk

import (
	"context"

	"hyper2kvm/internal/disk"
)

// flat is an extent of type FLAT or VMFS: a range of another file.
type flat struct {
	file   disk.File
	off    int64 // in the file
	length int64
}

// newFlat checks that the file holds the whole extent. A short one was cut while it was copied, since thin files on VMFS
// have their full length too.
func newFlat(f disk.File, e ExtentLine) (*flat, error) {
	x := &flat{file: f, off: e.Offset * disk.SectorSize, length: e.Sectors * disk.SectorSize}
	if x.off > f.Size() || x.length > f.Size()-x.off {
		return nil, fault(disk.ErrTruncated, "open extent", f.Name(), noOffset,
			"the descriptor wants %d bytes from byte %d on, %d bytes in all; the file has %d bytes", x.length, x.off, x.off+x.length, f.Size())
	}
	return x, nil
}

func (x *flat) readAt(p []byte, off int64) error {
	return readFull(x.file, "read flat extent", p, x.off+off)
}

func (x *flat) extent(_ context.Context, off int64) (disk.Extent, error) {
	return disk.StoredExtent(x.file, formatName, disk.Extent{Off: off, Len: x.length - off}, x.off+off)
}
