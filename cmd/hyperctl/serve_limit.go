package main

import (
	"net"
	"sync"
)

// maxConns bounds the connections of one address: event streams, followed logs, and what browsers keep open, with room to spare. Without
// a bound anybody who reaches the address, token or not, could use up the files that the server may have open. The unix socket has none:
// who may open it may do more than that, and a crowd elsewhere does not shut him out.
const maxConns = 1024

// limited is a listener that takes the next connection when fewer than its limit are open.
type limited struct {
	net.Listener
	free   chan struct{} // holds one for each open connection
	closed chan struct{}
	once   sync.Once
}

func limit(l net.Listener, n int) *limited {
	return &limited{Listener: l, free: make(chan struct{}, n), closed: make(chan struct{})}
}

// Accept waits for room, then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &limitedConn{Conn: c, gone: sync.OnceFunc(func() { <-l.free })}, nil
}

// Close ends the waiting too.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// limitedConn is a connection that makes room when it is closed.
type limitedConn struct {
	net.Conn
	gone func()
}

// Close may be called again.
func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.gone()
	return err
}
