package nbd

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// requestLen is the length of a request ("Request message").
const requestLen = 28

// request is one request of a client.
type request struct {
	flags  uint16
	cmd    command
	cookie uint64
	off    uint64
	length uint32
}

// transmission answers the requests of one connection ("Transmission").
type transmission struct {
	server *Server
	in     io.Reader
	out    io.Writer
	agreed agreement
	hangUp func() // makes reading and writing end

	mu     sync.Mutex // held while a reply, or a chunk of one, is written
	failed error      // of the first write that failed
}

// run answers requests until the client leaves, breaks the protocol or ctx ends. It returns when nothing is under way any more.
func (t *transmission) run(ctx context.Context) error {
	err := t.serve(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed != nil {
		return t.failed
	}
	return err
}

func (t *transmission) serve(ctx context.Context) error {
	var working sync.WaitGroup
	defer working.Wait() // also after NBD_CMD_DISC: what is under way is still answered
	slots := make(chan struct{}, maxInFlight)
	for ctx.Err() == nil {
		r, err := readRequest(t.in)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		switch r.cmd {
		case cmdDisconnect:
			return nil
		case cmdWrite: // its data follows
			if r.length > maxRequest {
				return protocolError("a write of %d bytes, to an export that is read-only", r.length)
			}
			if _, err := io.CopyN(io.Discard, t.in, int64(r.length)); err != nil {
				return unexpected(err)
			}
		}
		slots <- struct{}{}
		working.Go(func() {
			defer func() { <-slots }()
			t.answer(ctx, r)
		})
	}
	return nil
}

// readRequest reads one request. io.EOF is the end between two of them.
func readRequest(in io.Reader) (request, error) {
	var b [requestLen]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return request{}, err
	}
	be := binary.BigEndian
	if m := be.Uint32(b[:]); m != magicRequest {
		return request{}, protocolError("request magic %#x", m)
	}
	return request{flags: be.Uint16(b[4:]), cmd: command(be.Uint16(b[6:])), cookie: be.Uint64(b[8:]), off: be.Uint64(b[16:]), length: be.Uint32(b[24:])}, nil
}

// answer does what r asks for.
func (t *transmission) answer(ctx context.Context, r request) {
	switch r.cmd {
	case cmdRead:
		switch {
		case r.flags != 0:
			t.refuse(r, errInval, "a read with flags is not served")
		case !t.inside(r):
			t.refuse(r, errInval, "the range is not inside the disk")
		case r.length > maxRequest:
			t.refuse(r, errInval, "the read is too long")
		case t.agreed.structured:
			t.readStructured(ctx, r)
		default:
			t.readSimple(ctx, r)
		}
	case cmdBlockStatus:
		switch {
		case !t.agreed.allocation:
			t.refuse(r, errInval, "no metadata context was agreed on")
		case r.flags&^cmdFlagReqOne != 0:
			t.refuse(r, errInval, "unknown flags")
		case r.length == 0 || !t.inside(r):
			t.refuse(r, errInval, "the range is not inside the disk")
		default:
			t.blockStatus(ctx, r)
		}
	case cmdFlush: // nothing is ever written
		t.simple(r, errNone)
	case cmdWrite, cmdTrim, cmdWriteZeroes, cmdResize:
		t.refuse(r, errPerm, "")
	default:
		t.refuse(r, errInval, "")
	}
}

// inside says whether the range of r lies in the disk.
func (t *transmission) inside(r request) bool {
	size := uint64(t.server.img.Size())
	return r.off <= size && uint64(r.length) <= size-r.off
}

// write sends all of b at once. After an error the connection is over.
func (t *transmission) write(b []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.writeLocked(b)
}

func (t *transmission) writeLocked(b []byte) bool {
	if t.failed != nil {
		return false
	}
	if _, err := t.out.Write(b); err != nil {
		t.failed = err
		t.hangUp()
		return false
	}
	return true
}
