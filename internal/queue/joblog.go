package queue

import (
	"fmt"
	"io"
	"os"
	"sync"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// maxJobLog bounds job.log: far more than a person reads, and too little for a chatty guest to fill the disk.
const maxJobLog = 16 << 20

// Log is the job's log, job.log. Control characters are written as escapes, so that what a guest or a tool says cannot drive
// somebody's terminal; past 16 MiB lines are dropped and the log says so. Writing never fails the job.
func (c *Claim) Log() io.Writer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.log == nil {
		c.log = &jobLog{path: c.s.jobPath(c.rec.ID, "job.log"), ended: c.ended}
	}
	return c.log
}

// jobLog appends to a file and opens it at the first write.
type jobLog struct {
	path string

	mu    sync.Mutex
	f     *os.File
	size  int64
	full  bool
	ended bool
	err   error
}

func (l *jobLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.full || l.err != nil {
		return len(p), nil
	}
	if l.f == nil {
		if l.open(); l.err != nil {
			return len(p), nil
		}
	}
	b := escape(p)
	if l.size+int64(len(b)) > maxJobLog {
		l.full = true
		b = fmt.Appendf(nil, "\n[log full at %d MiB; the rest is dropped]\n", maxJobLog>>20)
	}
	n, err := l.f.Write(b)
	l.size += int64(n)
	l.err = err
	return len(p), nil
}

func (l *jobLog) open() {
	l.f, l.err = os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, modeFile)
	if l.err != nil {
		return
	}
	if info, err := l.f.Stat(); err == nil {
		l.size = info.Size() // of an earlier run of the same job
	}
}

// Close ends the log and says what went wrong while it was written.
func (l *jobLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.f == nil {
		return l.err
	}
	err := l.f.Close()
	l.f = nil
	if l.err != nil {
		return l.err
	}
	return err
}

// escape writes control characters and broken UTF-8 as escapes. Newline and tab stay.
func escape(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && n == 1:
			out = fmt.Appendf(out, `\x%02x`, p[0])
		case r == '\n' || r == '\t':
			out = append(out, p[0])
		case r < 0x20 || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069: // C0, C1, bidi overrides
			out = fmt.Appendf(out, `\x%02x`, r)
		default:
			out = append(out, p[:n]...)
		}
		p = p[n:]
	}
	return out
}
