package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"

	"hyper2kvm/internal/queue"
)

// listener is one address of the server.
type listener struct {
	net.Listener
	secure    bool
	inherited bool // from systemd
}

// String names the address in the log.
func (l listener) String() string { return l.Addr().Network() + ":" + l.Addr().String() }

// url is how a browser on this machine reaches the address.
func (l listener) url() string {
	scheme, host := "http", l.Addr().String()
	if l.secure {
		scheme = "https"
	}
	if addr, ok := l.Addr().(*net.TCPAddr); ok && addr.IP.IsUnspecified() {
		host = net.JoinHostPort("localhost", strconv.Itoa(addr.Port))
	}
	return scheme + "://" + host
}

type listeners []listener

func (ls listeners) close() {
	for _, l := range ls {
		_ = l.Close()
	}
}

// listeners opens the addresses, or takes those that systemd opened.
func (o serveOptions) listeners(con *console, sp *queue.Spool, conf serveConfig) (ls listeners, err error) {
	defer func() {
		if err != nil {
			ls.close()
			ls = nil
		}
	}()
	given, err := activation.Listeners()
	if err != nil {
		return nil, &failure{exit: exitError, what: "cannot use the sockets of systemd", why: err.Error(), err: err}
	}
	for _, l := range given {
		if l == nil {
			continue
		}
		ls = append(ls, listener{Listener: l, inherited: true})
		if err := o.checkGiven(l, conf); err != nil {
			return ls, err
		}
	}
	if len(ls) == 0 {
		if ls, err = o.open(con, sp); err != nil {
			return ls, err
		}
	}
	if len(ls) == 0 {
		return nil, usagef("both --listen and --socket are none: there is nothing to serve on")
	}
	for i := range ls {
		if ls[i].Addr().Network() == "unix" {
			continue
		}
		ls[i].Listener = limit(ls[i].Listener, maxConns)
		if conf.tls != nil {
			ls[i].Listener, ls[i].secure = tls.NewListener(ls[i].Listener, withHTTP(conf.tls)), true
		}
	}
	return ls, nil
}

// withHTTP adds what TLS clients may ask to speak.
func withHTTP(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.NextProtos = []string{"http/1.1"}
	return c
}

// checkGiven holds an address that systemd opened to the rules of --listen.
func (o serveOptions) checkGiven(l net.Listener, _ serveConfig) error {
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	o.listen = addr.String()
	return o.checkAddress(addr.IP.String())
}

func (o serveOptions) open(con *console, sp *queue.Spool) (ls listeners, err error) {
	if o.listen != "none" {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", o.listen)
		if err != nil {
			return ls, &failure{exit: exitError, what: "cannot listen on " + o.listen, why: err.Error(), try: "hyperctl serve --listen 127.0.0.1:PORT", err: err}
		}
		ls = append(ls, listener{Listener: l})
	}
	path, err := o.socketPath(con)
	if err != nil || path == "" {
		return ls, err
	}
	l, err := listenUnix(path, filepath.Join(sp.Dir(), queue.DirOwn, "control"))
	if err != nil {
		return ls, &failure{exit: exitError, what: "cannot listen on the socket " + path, why: err.Error(), try: "hyperctl serve --socket PATH, or --socket none", err: err}
	}
	return append(ls, listener{Listener: l}), nil
}

// socketName is the name of the socket in a directory for sockets.
const socketName = "api.sock"

// socketPath is where the socket goes; "" for none.
func (o serveOptions) socketPath(con *console) (string, error) {
	switch o.socket {
	case "none":
		return "", nil
	case "auto":
	case "":
		return "", usagef("--socket is empty: give a path, auto or none")
	default:
		return filepath.Abs(o.socket)
	}
	dirs := []string{con.getenv("RUNTIME_DIRECTORY"), "/run/hyper2kvm"}
	if run := con.getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) {
		own := filepath.Join(run, "hyper2kvm")
		if err := os.Mkdir(own, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			dirs = append(dirs, own)
		}
	}
	for _, dir := range dirs {
		if st, err := os.Stat(dir); filepath.IsAbs(dir) && err == nil && st.IsDir() && syscall.Access(dir, 2) == nil {
			return filepath.Join(dir, socketName), nil
		}
	}
	con.note("there is no directory for a unix socket: the server listens on TCP only")
	return "", nil
}

// dialTime is how long a server that may still hold the socket has to answer.
const dialTime = time.Second

// listenUnix opens a unix socket for its owner and for the group of the control directory, who may ask the daemon for everything
// anyway. A socket that nobody listens on any more is taken over.
func listenUnix(path, control string) (net.Listener, error) {
	if st, err := os.Lstat(path); err == nil {
		if st.Mode().Type() != fs.ModeSocket {
			return nil, errors.New("something else has that name")
		}
		conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(context.Background(), "unix", path)
		if err == nil {
			_ = conn.Close()
			return nil, errors.New("another server listens on it")
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	old := syscall.Umask(0o177) // nobody else gets in before its group is right
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(control)
	if err != nil {
		return l, nil // without the directory there is no group that may come in
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || os.Chown(path, -1, int(sys.Gid)) != nil {
		return l, nil
	}
	if err := os.Chmod(path, 0o660); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("mode of the socket: %w", err)
	}
	return l, nil
}

// ownerOf is the user id of the owner of a path; -1 when there is none.
func ownerOf(path string) int {
	st, err := os.Stat(path)
	if err != nil {
		return -1
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return -1
	}
	return int(sys.Uid)
}
