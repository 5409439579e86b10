package api

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
)

// Options are what `hyperctl serve` decides.
type Options struct {
	Spool     *queue.Spool
	User      string           // who asks, for the daemon's log
	Tokens    Tokens           // nil = none: only sessions get in
	NoAuth    bool             // everybody who reaches the server may do everything
	Hosts     []string         // names beside localhost and loopback addresses that a Host header may give, without port
	Secure    bool             // clients come over TLS: cookies are marked so
	Log       *slog.Logger     // requests that change something are logged to it; nil = nowhere
	Now       func() time.Time // nil = time.Now
	Planner   Planner          // nil = plans are answered with 501
	Doctor    Doctor           // nil = checks are answered with 501
	Dashboard fs.FS            // built files with index.html; nil = 404 with the reason
}

// Planner says what a job would do, without doing it. Its answers are encoded as JSON as they are.
type Planner interface {
	// PlanManifest plans the jobs of a manifest as if it were submitted to the workflow directory. name is for messages.
	PlanManifest(ctx context.Context, name string, content []byte) (plans any, err error)
	// PlanEntry plans what stands at the path of a job of the workflow directory.
	PlanEntry(ctx context.Context, path string) (plans any, err error)
}

// PlanError is an error of a Planner that says what is wrong with the job, and not that planning went wrong.
type PlanError struct{ Code, Message, Hint string }

func (e *PlanError) Error() string { return e.Message }

// Doctor checks what the product needs from outside.
type Doctor interface {
	Checks(ctx context.Context) (checks any, err error)
}

// Server answers requests. Close ends its event streams.
type Server struct {
	o        Options
	dir      *jobs.Dir
	hub      *hub
	sessions *sessions
	keys     *keys
	metrics  *metrics
	checks   *checks
	plans    chan struct{} // as many as may be made at once
	follows  chan struct{} // as many logs as may be followed at once
	patience time.Duration // with slow clients
	handler  http.Handler
	stop     context.CancelFunc
	done     sync.WaitGroup
}

// Limits of what is done at once, so that many clients cost no more than a known amount of memory and work.
const (
	maxPlans   = 2
	maxFollows = 64
)

// New makes a server that watches the spool until Close.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		o: o, dir: jobs.NewDir(o.Spool, o.User), sessions: newSessions(o.Now), keys: newKeys(o.Now), checks: newChecks(),
		plans: make(chan struct{}, maxPlans), follows: make(chan struct{}, maxFollows), patience: writeTime, stop: stop,
	}
	s.hub = newHub(s.dir, o.Now)
	s.metrics = newMetrics(s.hub.count)
	s.handler = s.routes()
	s.done.Go(func() { s.hub.run(ctx) })
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Close ends the event streams and the watch of the directory, and waits for that.
func (s *Server) Close() {
	s.stop()
	s.done.Wait()
}

// LoginCode makes a code that POST /api/session takes once, within LoginTime.
func (s *Server) LoginCode() string { return s.sessions.newCode() }
