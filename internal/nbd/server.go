package nbd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"hyper2kvm/internal/disk"
)

// Options say how to serve. The zero value is good.
type Options struct {
	Log *slog.Logger // of connections that end badly and of reads that fail; nil drops it
}

// Server serves one image. Make one with New.
type Server struct {
	img   disk.Image // with a size that is a multiple of sectorSize
	log   *slog.Logger
	bufs  sync.Pool // of *chunkBuffer
	mu    sync.Mutex
	first error // that the image gave
}

// New returns a server of the content of img, whose size it rounds up to a multiple of 512 bytes; what is behind the end reads as zero.
// The image stays the caller's, who closes it after Serve has returned.
func New(img disk.Image, o Options) *Server {
	size := (img.Size() + sectorSize - 1) / sectorSize * sectorSize
	s := &Server{img: disk.Resize(img, size), log: o.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.bufs.New = func() any { return new(chunkBuffer) }
	return s
}

// Err returns the first error that the image gave when a client read it, with the offset in the disk; it wraps the image's own error,
// which names the file and the place in it. A client only ever sees NBD_EIO, and so it is this error that tells why a tool failed
// that reads the export.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

// remember keeps the first error of the image. One that comes of stopping is not the image's.
func (s *Server) remember(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.log.Warn("a read of the exported disk failed", "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = err
	}
}

// Serve answers clients of l until ctx ends, and then returns nil; it also returns, with the error, when l takes no more clients.
// It closes l and every connection, and no request is under way any more when it returns. A client that does not keep to the
// protocol loses its connection and nothing else happens.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	defer func() { _ = l.Close() }()
	places := make(chan struct{}, maxConnections)
	for {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("nbd: accept a client: %w", err)
		}
		clients.Go(func() {
			defer func() { <-places }()
			if err := s.talk(ctx, c); err != nil && ctx.Err() == nil {
				s.log.Info("an NBD connection ended", "error", err)
			}
		})
	}
}

// talk serves one connection to its end and closes it.
func (s *Server) talk(ctx context.Context, c net.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	hangUp := func() { _ = c.Close() }
	defer hangUp()
	stop := context.AfterFunc(ctx, hangUp)
	defer stop()
	if err := c.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return err
	}
	in := bufio.NewReader(c)
	agreed, err := (&negotiation{in: in, out: c, size: s.img.Size()}).run()
	if err != nil {
		if errors.Is(err, errLeft) {
			return nil
		}
		return err
	}
	if err := c.SetDeadline(time.Time{}); err != nil {
		return err
	}
	t := &transmission{server: s, in: in, out: patientWriter{c}, agreed: agreed, hangUp: hangUp}
	return t.run(ctx)
}

// patientWriter gives a client replyTime for each write.
type patientWriter struct{ net.Conn }

func (w patientWriter) Write(p []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(replyTime)); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}

// protocolError says what a client did that the protocol does not allow.
func protocolError(format string, args ...any) error {
	return fmt.Errorf("nbd: the client broke the protocol: "+format, args...)
}

// unexpected turns the end of the stream inside a message into what it is.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
