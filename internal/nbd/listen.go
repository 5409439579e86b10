package nbd

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// maxSocketPath is the longest path of a unix socket: sun_path of unix(7), 108 bytes with the NUL at its end.
const maxSocketPath = 107

// socketName is the name of the socket in its directory.
const socketName = "nbd.sock"

// Listener is a unix socket that only its owner can reach.
type Listener struct {
	*net.UnixListener
	dir string
}

// Listen makes a directory of mode 0700 below dir and in it a socket of mode 0600. Closing the listener removes both. The path must
// fit into 107 bytes, which is the kernel's limit; so dir is better a short one.
func Listen(dir string) (*Listener, error) {
	private, err := os.MkdirTemp(dir, "nbd-")
	if err != nil {
		return nil, fmt.Errorf("nbd: make a directory for the socket: %w", err)
	}
	l, err := listen(filepath.Join(private, socketName))
	if err != nil {
		_ = os.Remove(private)
		return nil, err
	}
	return &Listener{UnixListener: l, dir: private}, nil
}

func listen(path string) (*net.UnixListener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("nbd: the path of the socket has %d bytes, at most %d work: %q", len(path), maxSocketPath, path)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("nbd: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("nbd: protect the socket: %w", err)
	}
	return l, nil
}

// Path returns the path of the socket.
func (l *Listener) Path() string { return l.Addr().String() }

// URI returns the address of the export as qemu and libnbd take it.
func (l *Listener) URI() string { return "nbd+unix:///?socket=" + escape(l.Path()) }

// Close takes no more clients and removes the socket and its directory.
func (l *Listener) Close() error {
	err := l.UnixListener.Close()
	if rerr := os.Remove(l.dir); err == nil && rerr != nil && !os.IsNotExist(rerr) {
		err = rerr
	}
	return err
}

// escape percent-encodes everything but unreserved characters and slashes (RFC 3986, section 2.3). qemu takes a plus sign in a query
// for itself, so the encoding of HTML forms does not do.
func escape(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
