package vmdk

import (
	"context"

	"hyper2kvm/internal/disk"
)

// openHosted opens a hosted sparse extent that stands for so many sectors of the disk.
func (o *opener) openHosted(ctx context.Context, f disk.File, sectors int64) error {
	s, err := readHosted(f)
	if err != nil {
		return err
	}
	return o.addSparse(ctx, s, sectors)
}

// readHosted reads the header of a hosted sparse extent, and the footer where the header refers to it.
func readHosted(f disk.File) (*sparse, error) {
	var b [headerSize]byte
	if err := readFull(f, "read header", b[:], 0); err != nil {
		return nil, err
	}
	h, err := parseHeader(b[:], f.Name(), 0)
	if err != nil {
		return nil, err
	}
	s := &sparse{file: f, streamed: h.atEnd}
	if h.atEnd {
		if footer, err := readFooter(f); err == nil {
			h = footer
		} else {
			s.damage = err
		}
	}
	s.head, s.format, s.metadata = h, hostedEntries{zeroGrains: h.flags&flagZeroGrain != 0}, h.metadata()
	return s, nil
}

// readDirectories reads the grain directory of an extent. Where it is damaged it takes the redundant one, or in a stream
// makes a new one from the markers.
func (o *opener) readDirectories(ctx context.Context, s *sparse) error {
	f, h := s.file, &s.head
	err := s.damage
	if err == nil {
		s.directory, err = s.readDirectory(ctx, h.directory)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	switch {
	// A file that ends in its metadata was cut while it was copied; its redundant directory would only hide that.
	case h.redundant != 0 && f.Size() >= h.overhead*disk.SectorSize:
		if d, again := s.readDirectory(ctx, h.redundant); again == nil {
			s.directory, s.onRedundant, s.damage = d, true, err
			o.note("%s: the grain directory is damaged, the redundant one is used", f.Name())
			return nil
		}
	case s.streamed:
		again := s.rebuild(ctx)
		if again == nil {
			s.damage = err
			o.note("%s: its end is damaged, the grain directory was made anew from the markers before the grains", f.Name())
			return nil
		}
		if ctx.Err() != nil {
			return again
		}
	}
	return err
}
