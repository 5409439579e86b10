package nbd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"hyper2kvm/internal/disk"
)

// readStructured answers NBD_CMD_READ with a chunk for each extent: content, or the length of a hole.
func (t *transmission) readStructured(ctx context.Context, r request) {
	if r.length == 0 {
		t.write(appendChunk(nil, r, chunkDone, chunkNone, 0))
		return
	}
	buf := t.server.bufs.Get().(*chunkBuffer)
	defer t.server.bufs.Put(buf)
	be := binary.BigEndian
	off, end := int64(r.off), int64(r.off)+int64(r.length) // inside the disk
	for off < end {
		e, err := t.server.extent(ctx, off)
		if err != nil {
			t.broken(ctx, r, off, err)
			return
		}
		next := min(e.End(), end)
		var b []byte
		if e.Kind == disk.Data {
			next = min(next, off+chunkBytes)
			b = be.AppendUint64(appendChunk(buf[:0], r, doneIf(next == end), chunkOffsetData, 8+int(next-off)), uint64(off))
			b = b[:len(b)+int(next-off)]
			if err := t.server.read(b[len(b)-int(next-off):], off); err != nil {
				t.broken(ctx, r, off, err)
				return
			}
		} else {
			b = be.AppendUint64(appendChunk(buf[:0], r, doneIf(next == end), chunkOffsetHole, 8+4), uint64(off))
			b = be.AppendUint32(b, uint32(next-off))
		}
		if !t.write(b) {
			return
		}
		off = next
	}
}

func doneIf(last bool) uint16 {
	if last {
		return chunkDone
	}
	return 0
}

// readSimple answers NBD_CMD_READ with one simple reply. Once its head is sent an error can no longer be told, so the connection ends
// then, as the protocol demands.
func (t *transmission) readSimple(ctx context.Context, r request) {
	buf := t.server.bufs.Get().(*chunkBuffer)
	defer t.server.bufs.Put(buf)
	off, end := int64(r.off), int64(r.off)+int64(r.length)
	n := min(end-off, chunkBytes)
	b := appendSimple(buf[:0], r, errNone)[:simpleLen+n]
	if err := t.server.read(b[simpleLen:], off); err != nil {
		t.broken(ctx, r, off, err)
		return
	}
	t.mu.Lock() // until the whole reply is out
	defer t.mu.Unlock()
	for t.writeLocked(b) {
		if off += n; off == end {
			return
		}
		n = min(end-off, chunkBytes)
		b = buf[:n]
		if err := t.server.read(b, off); err != nil {
			t.server.remember(ctx, placed(off, err))
			t.failed = placed(off, err)
			t.hangUp()
			return
		}
	}
}

// broken remembers an error of the image and tells the client.
func (t *transmission) broken(ctx context.Context, r request, off int64, err error) {
	err = placed(off, err)
	t.server.remember(ctx, err)
	t.refuse(r, errIO, err.Error())
}

func placed(off int64, err error) error { return fmt.Errorf("at %#x of the disk: %w", off, err) }

// read fills p with content, all of which lies inside the disk.
func (s *Server) read(p []byte, off int64) error {
	if len(p) == 0 {
		return nil
	}
	n, err := s.img.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return &disk.Error{Op: "read", Off: -1, Kind: disk.ErrTruncated, Detail: fmt.Sprintf("%d bytes needed, %d there", len(p), n)}
	}
	return err
}

// extent asks the image where data is, and does not believe everything: what it says becomes lengths on the wire.
func (s *Server) extent(ctx context.Context, off int64) (disk.Extent, error) {
	e, err := s.img.Extent(ctx, off)
	if err != nil {
		return disk.Extent{}, err
	}
	if e.Off != off || e.Len < 1 || e.Len > s.img.Size()-off {
		return disk.Extent{}, &disk.Error{Op: "read map", Off: -1, Kind: disk.ErrCorrupt, Detail: fmt.Sprintf("got %d bytes at %#x", e.Len, e.Off)}
	}
	return e, nil
}
