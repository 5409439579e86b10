package vmdk

import (
	"encoding/binary"

	"hyper2kvm/internal/disk"
)

// Layout of the monolithicSparse images that are written: what VMware's desktop products make.
const (
	sparseVersion = 1
	sparseFlags   = flagLineEnds | flagRedundant
)

// sparseLayout writes a monolithicSparse image: header, descriptor, redundant grain directory and its tables, grain directory
// and its tables, then from the next full grain on the grains. All tables have their place before there is any grain, as holes
// in the file. The header comes last: a file that was not finished is no image.
type sparseLayout struct {
	w *Writer
}

// directorySectors returns the size of a grain directory. A disk without a grain has one too.
func (s *sparseLayout) directorySectors() int64 {
	return max(1, (s.w.tables()*4+disk.SectorSize-1)/disk.SectorSize)
}

// redundantAt and directoryAt return the sectors of the grain directories; the tables follow each.
func (s *sparseLayout) redundantAt() int64 { return descriptorAt + descriptorLen }

func (s *sparseLayout) directoryAt() int64 {
	return s.redundantAt() + s.directorySectors() + s.w.tables()*tableSectors
}

// overhead returns the sector of the first grain.
func (s *sparseLayout) overhead() int64 {
	end := s.directoryAt() + s.directorySectors() + s.w.tables()*tableSectors
	return (end + defaultGrain - 1) / defaultGrain * defaultGrain
}

func (s *sparseLayout) begin(descriptor []byte) {
	s.w.moveTo(descriptorAt * disk.SectorSize)
	s.w.write(descriptor)
	for _, at := range []int64{s.redundantAt(), s.directoryAt()} {
		s.w.moveTo(at * disk.SectorSize)
		directory := make([]uint32, s.w.tables())
		for i := range directory {
			directory[i] = uint32(at + s.directorySectors() + int64(i)*tableSectors)
		}
		s.w.write(entries(directory))
	}
	s.w.moveTo(s.overhead() * disk.SectorSize)
}

// encode returns src itself, unless the disk ends in it.
func (s *sparseLayout) encode(dst, src []byte) ([]byte, error) {
	if len(src) == writtenGrain {
		return src, nil
	}
	return append(append(dst[:0], src...), padding[len(src):]...), nil
}

func (s *sparseLayout) grain(_ int64, b []byte) {
	if len(b) != writtenGrain {
		s.w.err = fault(disk.ErrLimit, "append grain", "", noOffset, "%d bytes that Encode did not make", len(b))
		return
	}
	s.w.write(b)
}

func (s *sparseLayout) table(number int64, places []uint32) {
	b := entries(places)
	for _, at := range []int64{s.redundantAt(), s.directoryAt()} {
		s.w.writeAt(b, (at+s.directorySectors()+number*tableSectors)*disk.SectorSize)
	}
}

func (s *sparseLayout) finish() {
	w := s.w
	w.flush()
	if w.err == nil {
		w.err = w.target.Truncate(w.pos) // an image without a grain ends in a hole
	}
	if w.err == nil {
		w.err = w.target.Sync()
	}
	header := w.writtenHeader(sparseVersion, sparseFlags, s.overhead())
	binary.LittleEndian.PutUint64(header[48:], uint64(s.redundantAt()))
	binary.LittleEndian.PutUint64(header[56:], uint64(s.directoryAt()))
	w.writeAt(header, 0)
}
