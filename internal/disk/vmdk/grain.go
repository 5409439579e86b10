package vmdk

import (
	"encoding/binary"
	"errors"
	"slices"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/deflate"
)

// inflater holds what inflating a grain needs, so that a steady stream of reads allocates nothing.
type inflater struct {
	stored  []byte // the grain as it is in the file, its marker included
	whole   []byte // the grain, where the disk ends within it
	decoder deflate.Decoder
}

// storedSlack is how much longer than its content a grain is expected to be at most: marker, zlib's header and checksum, and
// five bytes per block of what could not be compressed.
const storedSlack = 2 * disk.SectorSize

// maxStored returns the largest size of a compressed grain that is accepted, its marker included: twice the content.
func (s *sparse) maxStored() int64 { return grainMarkerSize + 2*s.head.grainBytes() }

// storedSize guesses how many bytes the grain of entry i takes in the file, so that one read gets both marker and stream:
// up to the next stored grain of the table where that is near, else as much as a grain usually takes at most.
func (s *sparse) storedSize(t []int64, i int64) int64 {
	guess := min(s.head.grainBytes()+storedSlack, s.file.Size()-t[i]*disk.SectorSize)
	for _, next := range t[i+1:] {
		if next > 0 {
			if next > t[i] {
				guess = min(guess, (next-t[i])*disk.SectorSize)
			}
			break
		}
	}
	return guess
}

// readCompressed reads from the one grain at off, whose entry is at; guess is how many bytes to read at first.
func (s *sparse) readCompressed(p []byte, off, at, guess int64) error {
	size := s.head.grainBytes()
	grain := off / size
	length := min(size, s.head.capacity*disk.SectorSize-grain*size)
	if off%size == 0 && int64(len(p)) == length {
		return s.inflate(p, grain, at, guess)
	}
	b, err := s.grains.Get(s.base+grain*size, func() ([]byte, error) {
		b := make([]byte, length)
		return b, s.inflate(b, grain, at, guess)
	})
	if err == nil {
		copy(p, b[off%size:])
	}
	return err
}

// inflate fills p with the content of a whole grain as far as the disk goes.
func (s *sparse) inflate(p []byte, grain, at, guess int64) error {
	z := s.inflaters.Get().(*inflater)
	defer s.inflaters.Put(z)
	off := at * disk.SectorSize
	b, err := s.readStored(z, grain, off, guess)
	if err != nil {
		return err
	}
	if err := z.expand(p, b, s.head.grainBytes()); err != nil {
		return &disk.Error{Format: formatName, Op: "inflate grain", File: s.file.Name(), Off: off, Kind: disk.ErrCorrupt, Err: err}
	}
	return nil
}

// readStored returns the stream of a grain, in the inflater's memory.
func (s *sparse) readStored(z *inflater, grain, off, guess int64) ([]byte, error) {
	const op = "read grain"
	z.stored = slices.Grow(z.stored[:0], int(guess))[:guess]
	if err := readFull(s.file, op, z.stored, off); err != nil {
		return nil, err
	}
	first := binary.LittleEndian.Uint64(z.stored)
	size := int64(binary.LittleEndian.Uint32(z.stored[8:]))
	switch {
	case first != uint64(grain*s.head.grain):
		return nil, fault(disk.ErrCorrupt, op, s.file.Name(), off, "the marker is for sector %d, want %d", first, grain*s.head.grain)
	case size == 0 || size > s.maxStored()-grainMarkerSize:
		return nil, fault(disk.ErrCorrupt, op, s.file.Name(), off+8, "the stream has %d bytes, want 1 to %d", size, s.maxStored()-grainMarkerSize)
	}
	size += grainMarkerSize
	if size > guess {
		z.stored = slices.Grow(z.stored, int(size-guess))[:size]
		if err := readFull(s.file, op, z.stored[guess:], off+guess); err != nil {
			return nil, err
		}
	}
	return z.stored[grainMarkerSize:size], nil
}

var (
	errShortGrain = errors.New("the stream ends before the grain does")
	errLongGrain  = errors.New("the stream holds more than a grain")
)

// expand fills p from a stream, whose sum is checked. A grain at the end of the disk may hold more than p, but never more than size.
func (z *inflater) expand(p, stream []byte, size int64) error {
	whole := p
	if int64(len(p)) < size {
		z.whole = slices.Grow(z.whole[:0], int(size))[:size]
		whole = z.whole
	}
	n, _, err := z.decoder.InflateZlib(whole, stream)
	switch {
	case errors.Is(err, deflate.ErrLong):
		return errLongGrain
	case errors.Is(err, deflate.ErrTruncated), err == nil && n < len(p):
		return errShortGrain
	case err != nil:
		return err
	}
	if int64(len(p)) < size {
		copy(p, whole)
	}
	return nil
}
