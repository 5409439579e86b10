package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// Times and limits of logs.
const (
	logEvery    = 500 * time.Millisecond // how often a followed log is looked at
	streamWrite = 30 * time.Second       // a client that does not read for so long is cut off
	maxTail     = 10_000                 // lines
	tailBytes   = 1 << 20                // of the end, in which they are looked for
	logStep     = 256 << 10              // that a client has streamWrite for
)

// log answers with the log of a job, or the end of it, and with follow=1 goes on until the job ends.
func (s *Server) log(w http.ResponseWriter, r *http.Request) error {
	in := r.URL.Query()
	if err := known(in, "follow", "tail", "offset"); err != nil {
		return err
	}
	follow, err := flagOf(in.Get("follow"), "follow")
	if err != nil {
		return err
	}
	tail, err := numberOf(in.Get("tail"), "tail", maxTail)
	if err != nil {
		return err
	}
	offset, err := numberOf(in.Get("offset"), "offset", 1<<40)
	if err != nil {
		return err
	}
	j, err := s.find(r)
	if err != nil {
		return err
	}
	if follow {
		select {
		case s.follows <- struct{}{}:
			defer func() { <-s.follows }()
		default:
			return newProblem(http.StatusServiceUnavailable, manifest.CodeAPIBusy, "%d logs are followed already", maxFollows)
		}
	}
	f, err := openLog(j)
	if err != nil {
		return err
	}
	defer f.Close()
	if tail > 0 {
		if offset, err = tailOf(f, int(tail)); err != nil {
			return err
		}
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	h.Set("Log-Offset", strconv.FormatInt(offset, 10))
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	_ = out.Flush() // a client that went away shows at the next write
	unbound(out)
	_ = s.copyLog(w, r, f, j, follow) // the client went away, or the log cannot be read any more: both end the answer
	return nil
}

// copyLog writes the rest of a log, until the job has ended when it is followed.
func (s *Server) copyLog(w http.ResponseWriter, r *http.Request, f *os.File, j queue.Job, follow bool) error {
	out := http.NewResponseController(w)
	for {
		// The state is read before the rest of the log, so that nothing written before the end is missed.
		ended := j.State != queue.Running
		_ = out.SetWriteDeadline(time.Now().Add(streamWrite))
		n, err := io.Copy(w, io.LimitReader(f, logStep))
		if err != nil || n == 0 && (ended || !follow) {
			return err
		}
		if n > 0 {
			if err := out.Flush(); err != nil {
				return err
			}
			continue
		}
		if err := s.rest(r.Context(), logEvery); err != nil {
			return err
		}
		if j, err = s.dir.Find(r.Context(), jobKey(j)); err != nil {
			return err
		}
	}
}

// openLog opens the log of a job without following a link.
func openLog(j queue.Job) (*os.File, error) {
	none := newProblem(http.StatusNotFound, manifest.CodeAPINoJob, "the job %s is %s and has no log (any more)", short(j.Name), j.State)
	if j.LogPath == "" {
		return nil, none
	}
	f, err := os.OpenFile(j.LogPath, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, none
	}
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		_ = f.Close()
		return nil, errors.Join(queue.ErrNotRegular, err)
	}
	return f, nil
}

// tailOf is where the last n lines of a file begin.
func tailOf(f *os.File, n int) (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	begin := max(st.Size()-tailBytes, 0)
	b, err := io.ReadAll(io.NewSectionReader(f, begin, st.Size()-begin))
	if err != nil {
		return 0, err
	}
	at := len(bytes.TrimSuffix(b, []byte("\n")))
	for range n {
		if at = bytes.LastIndexByte(b[:at], '\n'); at < 0 {
			return begin, nil
		}
	}
	return begin + int64(at) + 1, nil
}

// rest waits; it ends early with the request and with the server.
func (s *Server) rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.hub.closed:
		return http.ErrServerClosed
	}
}

func flagOf(text, name string) (bool, error) {
	switch text {
	case "", "0", "false":
		return false, nil
	case "1", "true":
		return true, nil
	}
	return false, badRequest("%s is %q; it is 1 or 0", name, short(text))
}

func numberOf(text, name string, most int64) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, badRequest("%s is %q; it is a number from 0 to %d", name, short(text), most)
	}
	return n, nil
}
