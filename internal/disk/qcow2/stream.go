package qcow2

import (
	"io"

	"hyper2kvm/internal/disk"
)

// stream appends to the target in large writes.
type stream struct {
	t   disk.Target
	at  int64  // where the next byte goes
	buf []byte // the last bytes before at, not written yet
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
	if err := writeAt(s.t, s.buf, s.at-int64(len(s.buf))); err != nil {
		return err
	}
	s.buf = s.buf[:0]
	return nil
}

// writeAt writes all of b at off of the target.
func writeAt(t disk.Target, b []byte, off int64) error {
	n, err := t.WriteAt(b, off)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return &disk.Error{Format: "qcow2", Op: "write", Off: off, Err: err}
	}
	return nil
}
