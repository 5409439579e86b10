package qcow2

import "hyper2kvm/internal/disk"

// stream appends to the target in large writes.
type stream struct {
	sink *disk.Sink
	at   int64  // where the next byte goes
	buf  []byte // the last bytes before at, not written yet
}

func (s *stream) write(b []byte) error {
	if s.buf == nil {
		s.buf = make([]byte, 0, writeBufferBytes)
	}
	for len(b) > 0 {
		n := min(cap(s.buf)-len(s.buf), len(b))
		s.buf = append(s.buf, b[:n]...)
		b = b[n:]
		s.at += int64(n)
		if len(s.buf) == cap(s.buf) {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// pad appends n zeroes.
func (s *stream) pad(n int64) error {
	var zeroes [4096]byte
	for n > 0 {
		m := min(n, int64(len(zeroes)))
		if err := s.write(zeroes[:m]); err != nil {
			return err
		}
		n -= m
	}
	return nil
}

func (s *stream) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	if err := s.sink.Write("write", s.buf, s.at-int64(len(s.buf))); err != nil {
		return err
	}
	s.buf = s.buf[:0]
	return nil
}
