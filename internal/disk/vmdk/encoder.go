package vmdk

import (
	"encoding/binary"

	"github.com/klauspost/compress/zlib"

	"hyper2kvm/internal/disk"
)

// encoder compresses grains one after the other.
type encoder struct {
	stream *zlib.Writer
	out    appender
}

// appender is an io.Writer that appends to a slice.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// padding is what is missing from a short chunk, and behind a grain up to the next sector.
var padding [writtenGrain]byte

// encode returns a grain as it will stand in the file: marker without its sector number, stream, padding to a sector. A short
// chunk is filled up with zeroes, as readers expect whole grains.
func (s *streamLayout) encode(dst, src []byte) ([]byte, error) {
	e := s.encoders.Get().(*encoder)
	defer s.encoders.Put(e)
	e.out.b = append(dst[:0], padding[:grainMarkerSize]...)
	var err error
	if e.stream == nil {
		e.stream, err = zlib.NewWriterLevel(&e.out, s.level)
	} else {
		e.stream.Reset(&e.out)
	}
	if err == nil {
		_, err = e.stream.Write(src)
	}
	if err == nil {
		_, err = e.stream.Write(padding[len(src):])
	}
	if err == nil {
		err = e.stream.Close()
	}
	b := e.out.b
	e.out.b = nil
	if err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-grainMarkerSize))
	if tail := len(b) % disk.SectorSize; tail != 0 {
		b = append(b, padding[:disk.SectorSize-tail]...)
	}
	return b, nil
}
