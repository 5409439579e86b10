package disk

import (
	"context"
	"fmt"
	"io"
)

// Sink is what the Writers of the formats have in common: the order in which chunks come, the first error, after which nothing works,
// and writes whose errors say where.
type Sink struct {
	Target Target
	Format string // for errors
	Size   int64  // bytes of content
	Chunk  int    // what ChunkSize returns
	Packed bool   // chunks may be appended shorter than their content

	next int64 // lowest offset that may be appended
	err  error
	done bool
}

// Admit decides whether n bytes may be appended at off, and counts them as appended. Its error stays.
func (s *Sink) Admit(ctx context.Context, off int64, n int) error {
	if s.err != nil {
		return s.err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	chunk := int64(s.Chunk)
	fits := n > 0 && n <= s.Chunk && (s.Packed || int64(n) == min(chunk, s.Size-off))
	if s.done || off < s.next || off%chunk != 0 || off >= s.Size || !fits {
		return s.Keep(&Error{Format: s.Format, Op: "append", Off: off, Kind: ErrLimit,
			Detail: fmt.Sprintf("%d bytes do not fit: size %d, next offset %d, chunks of %d", n, s.Size, s.next, chunk)})
	}
	s.next = off + chunk
	return nil
}

// Keep returns err, and remembers it if it is the first one.
func (s *Sink) Keep(err error) error {
	if s.err == nil {
		s.err = err
	}
	return err
}

// Write writes all of b at off of the target. op stands in the error.
func (s *Sink) Write(op string, b []byte, off int64) error {
	n, err := s.Target.WriteAt(b, off)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return &Error{Format: s.Format, Op: op, Off: off, Err: err}
	}
	return nil
}

// Truncate sets the size of the target.
func (s *Sink) Truncate(size int64) error {
	if err := s.Target.Truncate(size); err != nil {
		return &Error{Format: s.Format, Op: fmt.Sprintf("set size to %d", size), Off: -1, Err: err}
	}
	return nil
}

// Sync syncs the target.
func (s *Sink) Sync() error {
	if err := s.Target.Sync(); err != nil {
		return &Error{Format: s.Format, Op: "sync", Off: -1, Err: err}
	}
	return nil
}

// Finish calls finish, once and only if nothing went wrong before. Its error stays.
func (s *Sink) Finish(ctx context.Context, finish func() error) error {
	if s.err != nil || s.done {
		return s.err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	s.done = true
	return s.Keep(finish())
}

// Abort makes every later Admit and Finish fail. After Finish it does nothing.
func (s *Sink) Abort() {
	if !s.done {
		_ = s.Keep(&Error{Format: s.Format, Op: "append", Off: -1, Kind: ErrLimit, Detail: "the writer was aborted"})
		s.done = true
	}
}
