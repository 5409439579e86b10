package vmdk

import (
	"encoding/binary"
	"slices"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/deflate"
)

// deflateOptions returns what stands behind a level of zlib: 0 to 6 are fast, 7 to 9 search longer. Every reader of VMDK has the whole
// window of zlib.
func deflateOptions(level int) deflate.Options {
	o := deflate.Options{Level: deflate.Fast, Window: 32 << 10}
	if level > 6 {
		o.Level = deflate.Small
	}
	return o
}

// padding is what is missing from a short chunk, and behind a grain up to the next sector.
var padding [writtenGrain]byte

// encode returns a grain as it will stand in the file: marker without its sector number, stream, padding to a sector. A short
// chunk is filled up with zeroes, as readers expect whole grains.
func (s *streamLayout) encode(dst, src []byte) ([]byte, error) {
	if len(src) < writtenGrain {
		src = append(slices.Clip(src), padding[len(src):]...)
	}
	e := s.encoders.Get().(*deflate.Encoder)
	defer s.encoders.Put(e)
	b := e.EncodeZlib(append(dst[:0], padding[:grainMarkerSize]...), src)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-grainMarkerSize))
	if tail := len(b) % disk.SectorSize; tail != 0 {
		b = append(b, padding[:disk.SectorSize-tail]...)
	}
	return b, nil
}
