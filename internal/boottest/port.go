package boottest

import (
	"io"
	"os"
	"path/filepath"
	"sync"
)

const (
	serialName = "serial.log"
	// maxLog is how much of the console is kept: a guest may write without end. What comes later is still looked at.
	maxLog = 16 << 20
)

// port is our end of the guest's serial port: it keeps a log and looks at what comes.
type port struct {
	news chan struct{} // something decisive may have come; holds one

	mu      sync.Mutex
	console *console
	log     *os.File
	logged  int64
	err     error // the first of writing the log
}

func newPort(dir, marker string) (*port, error) {
	log, err := os.Create(filepath.Join(dir, serialName))
	if err != nil {
		return nil, err
	}
	return &port{news: make(chan struct{}, 1), console: newConsole(marker), log: log}, nil
}

// listen takes what comes until the other end is closed.
func (p *port) listen(serial io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := serial.Read(buf)
		if n > 0 {
			p.take(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

func (p *port) take(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if keep := b[:min(int64(len(b)), maxLog-p.logged)]; len(keep) > 0 && p.err == nil {
		_, p.err = p.log.Write(keep)
		p.logged += int64(len(keep))
	}
	_, _ = p.console.Write(b) // it never fails
	if p.console.verdict == nil {
		return
	}
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// heard is what came so far.
type heard struct {
	verdict  *verdict
	login    string
	relabels bool
	last     string
}

func (p *port) look() heard {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.console
	return heard{verdict: c.verdict, login: c.login, relabels: c.relabels, last: c.last()}
}

// close closes the log. The error is the first of writing it.
func (p *port) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.log.Close(); p.err == nil {
		p.err = err
	}
	return p.err
}
