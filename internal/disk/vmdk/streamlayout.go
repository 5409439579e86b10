package vmdk

import (
	"encoding/binary"
	"slices"
	"sync"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/deflate"
)

// Layout of the streams that are written: what ESXi imports.
const (
	streamVersion  = 3 // ESXi 5.5 and later refuse a compressed image of version 1
	streamFlags    = flagLineEnds | flagCompressed | flagMarkers
	streamOverhead = 128
)

// streamLayout writes a streamOptimized image from front to end, without ever going back: header, descriptor, grains each with
// their table behind them, grain directory, footer.
type streamLayout struct {
	w         *Writer
	encoders  sync.Pool // of *deflate.Encoder
	header    []byte
	directory []uint32
}

func newStreamLayout(w *Writer, level int) (*streamLayout, error) {
	first, err := deflate.NewEncoder(deflateOptions(level))
	if err != nil {
		return nil, err
	}
	s := &streamLayout{w: w, directory: make([]uint32, w.tables())}
	s.encoders.New = func() any {
		e, _ := deflate.NewEncoder(deflateOptions(level)) // no error: it was good before
		return e
	}
	s.encoders.Put(first)
	return s, nil
}

func (s *streamLayout) begin(descriptor []byte) {
	s.header = s.w.writtenHeader(streamVersion, streamFlags, streamOverhead)
	binary.LittleEndian.PutUint64(s.header[56:], gdAtEnd)
	binary.LittleEndian.PutUint16(s.header[77:], algorithmDeflate)
	s.w.write(s.header)
	s.w.write(descriptor)
	s.w.write(make([]byte, (streamOverhead-descriptorAt-descriptorLen)*disk.SectorSize))
}

// grain writes the grain with its sector's number, which encode cannot know.
func (s *streamLayout) grain(number int64, b []byte) {
	var first [8]byte
	binary.LittleEndian.PutUint64(first[:], uint64(number*defaultGrain))
	s.w.write(first[:])
	s.w.write(b[len(first):])
}

func (s *streamLayout) table(number int64, places []uint32) {
	s.w.write(marker{value: tableSectors, kind: markerTable}.sector())
	s.directory[number] = s.w.place()
	s.w.write(entries(places))
}

func (s *streamLayout) finish() {
	directory := entries(s.directory)
	s.w.write(marker{value: uint64(len(directory) / disk.SectorSize), kind: markerDirectory}.sector())
	footer := slices.Clone(s.header)
	binary.LittleEndian.PutUint64(footer[56:], uint64(s.w.place()))
	s.w.write(directory)
	s.w.write(marker{value: 1, kind: markerFooter}.sector())
	s.w.write(footer)
	s.w.write(marker{kind: markerEnd}.sector())
}
