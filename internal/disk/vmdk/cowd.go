package vmdk

import (
	"context"
	"encoding/binary"

	"hyper2kvm/internal/disk"
)

// Layout of a COWD extent, in bytes where nothing else is said.
const (
	cowdHeaderSize = 4 * disk.SectorSize
	cowdEntries    = 4096 // of a grain table
	cowdFlags      = 3    // what every known writer sets, without a documented meaning
	cowdUnclean    = 1648
)

// parseCOWD reads the header of a COWD extent and checks every field that is used.
func parseCOWD(b []byte, file string) (header, error) {
	bad := func(kind error, at int64, detail string, args ...any) (header, error) {
		return header{}, fault(kind, "read COWD header", file, at, detail, args...)
	}
	le := binary.LittleEndian
	flags, count := le.Uint32(b[8:]), int64(le.Uint32(b[24:]))
	h := header{
		size:      cowdHeaderSize / disk.SectorSize,
		version:   le.Uint32(b[4:]),
		unknown:   flags &^ cowdFlags,
		capacity:  int64(le.Uint32(b[12:])),
		grain:     int64(le.Uint32(b[16:])),
		entries:   cowdEntries,
		directory: int64(le.Uint32(b[20:])),
		unclean:   le.Uint32(b[cowdUnclean:]) != 0,
	}
	switch {
	case h.version != 1:
		return bad(disk.ErrUnsupported, 4, "version %d, this program reads 1", h.version)
	case h.grain == 0 || h.grain&(h.grain-1) != 0:
		return bad(disk.ErrCorrupt, 16, "the grain size is %d sectors, want a power of two", h.grain)
	case h.grain > maxGrain:
		return bad(disk.ErrLimit, 16, "the grain size is %d sectors, the limit is %d", h.grain, maxGrain)
	case count < h.tables():
		return bad(disk.ErrCorrupt, 24, "the grain directory has %d entries, a capacity of %d sectors needs %d", count, h.capacity, h.tables())
	}
	return h, nil
}

// openCOWD opens a COWD extent that stands for so many sectors of the disk.
func (o *opener) openCOWD(ctx context.Context, f disk.File, sectors int64) error {
	b := make([]byte, cowdHeaderSize)
	if err := readFull(f, "read COWD header", b, 0); err != nil {
		return err
	}
	h, err := parseCOWD(b, f.Name())
	if err != nil {
		return err
	}
	return o.addSparse(ctx, &sparse{file: f, head: h, format: hostedEntries{}, metadata: h.metadata()}, sectors)
}
