package api

import (
	"context"
	"net/http"
	"time"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// livez answers anybody that the server lives, and nothing else.
func (s *Server) livez(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte("ok\n")) // the client went away
	return nil
}

// readyDoc says whether jobs are taken and done.
type readyDoc struct {
	Ready    bool           `json:"ready"`
	Liveness queue.Liveness `json:"liveness"`
}

// readyz answers 200 when the daemon runs and the directory can be read, else 503 with the reason.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	if err := known(r.URL.Query()); err != nil {
		return err
	}
	_, live, err := s.o.Spool.Status()
	if err != nil {
		return newProblem(http.StatusServiceUnavailable, manifest.CodeQueueLayout, "the workflow directory cannot be read: %s", printable(err.Error()))
	}
	if live != queue.LiveRunning {
		return newProblem(http.StatusServiceUnavailable, manifest.CodeAPIDaemon, "the daemon is %s", live)
	}
	return reply(w, readyDoc{true, live})
}

// doctor answers with what the product needs from outside, and whether it is there.
func (s *Server) doctor(w http.ResponseWriter, r *http.Request) error {
	if err := known(r.URL.Query()); err != nil {
		return err
	}
	if s.o.Doctor == nil {
		return newProblem(http.StatusNotImplemented, manifest.CodeAPIMissing, "this server was started without what checks the machine").hint("hyperctl doctor")
	}
	ctx, cancel := within(r, planTime)
	defer cancel()
	checks, err := s.checks.get(ctx, s.o.Now, s.o.Doctor)
	if err != nil {
		return err
	}
	return reply(w, map[string]any{"checks": checks})
}

// checksTime is how long checks are taken for the truth: one of them starts a VM, which no client shall do again and again.
const checksTime = 30 * time.Second

// checks remembers what the last checks found. Clients that come while they are made wait for the same answer.
type checks struct {
	turn  chan struct{} // holds one while a client looks at the rest
	found any
	at    time.Time
}

func newChecks() *checks { return &checks{turn: make(chan struct{}, 1)} }

func (c *checks) get(ctx context.Context, now func() time.Time, d Doctor) (any, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c.found != nil && now().Sub(c.at) < checksTime {
		return c.found, nil
	}
	found, err := d.Checks(ctx)
	if err != nil {
		return nil, err
	}
	c.found, c.at = found, now()
	return found, nil
}
