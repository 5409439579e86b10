package vhdx

import "hyper2kvm/internal/disk"

// source is the file as it would be once its log was replayed.
type source struct {
	file disk.File
	size int64   // bytes; more than the file has where the replay makes it grow
	log  *replay // nil if there was nothing to replay
}

func newSource(f disk.File) *source { return &source{file: f, size: f.Size()} }

func (s *source) name() string { return s.file.Name() }

// holds says whether n bytes at off lie in the file.
func (s *source) holds(off, n int64) bool { return off >= 0 && n >= 0 && n <= s.size-off }

// readFull fills p, and says what was needed and what is there when the file is too short. Where the replay made the file grow
// there are zeroes.
func (s *source) readFull(op string, p []byte, off int64) error {
	if !s.holds(off, int64(len(p))) {
		return fault(disk.ErrTruncated, op, s.name(), off, "needs %d bytes there, the file has %d bytes in all", len(p), s.size)
	}
	there := p[:max(0, min(int64(len(p)), s.file.Size()-off))]
	if len(there) > 0 {
		if err := disk.ReadFull(s.file, formatName, op, there, off); err != nil {
			return err
		}
	}
	clear(p[len(there):])
	if s.log != nil {
		s.log.apply(p, off)
	}
	return nil
}
