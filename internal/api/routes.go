package api

import (
	"net/http"
	"path"
	"time"
)

// role is what a client may do.
type role int

const (
	nobody role = iota // without any token
	reader             // the read-only token
	writer             // the full token, or a session of it
)

// route is one line of the list below.
type route struct {
	pattern string // of http.ServeMux
	role    role   // the least that a client needs
	handle  handler
	stream  bool // it lasts as long as the client listens
}

// handler answers a request, or returns what went wrong before anything was written.
type handler func(http.ResponseWriter, *http.Request) error

// list is every route there is. What is not in it is answered by notFound.
func (s *Server) list() []route {
	return []route{
		{pattern: "GET /livez", role: nobody, handle: s.livez},
		{pattern: "GET /readyz", role: reader, handle: s.readyz},
		{pattern: "GET /metrics", role: reader, handle: s.serveMetrics},

		{pattern: "POST /api/session", role: nobody, handle: s.login},
		{pattern: "GET /api/session", role: reader, handle: s.whoami},
		{pattern: "DELETE /api/session", role: reader, handle: s.logout},

		{pattern: "GET /api/openapi.yaml", role: reader, handle: s.openapi},
		{pattern: "GET /api/schema/manifest", role: reader, handle: s.schema},
		{pattern: "GET /api/codes", role: reader, handle: s.codes},
		{pattern: "GET /api/doctor", role: reader, handle: s.doctor},

		{pattern: "GET /api/workflow/status", role: reader, handle: s.status},
		{pattern: "GET /api/workflow/history", role: reader, handle: s.history},
		{pattern: "GET /api/workflow/failures", role: reader, handle: s.failures},
		{pattern: "GET /api/workflow/events", role: reader, handle: s.events, stream: true},

		{pattern: "GET /api/workflow/jobs", role: reader, handle: s.jobs},
		{pattern: "GET /api/workflow/jobs/active", role: reader, handle: s.active},
		{pattern: "GET /api/workflow/jobs/{id}", role: reader, handle: s.job},
		{pattern: "GET /api/workflow/jobs/{id}/report", role: reader, handle: s.report},
		{pattern: "GET /api/workflow/jobs/{id}/log", role: reader, handle: s.log, stream: true},
		{pattern: "GET /api/workflow/jobs/{id}/plan", role: reader, handle: s.planJob},
		{pattern: "GET /api/workflow/jobs/{id}/files/{name}", role: reader, handle: s.file},
		{pattern: "POST /api/workflow/jobs/{id}/retry", role: writer, handle: s.retry},
		{pattern: "POST /api/workflow/jobs/{id}/cancel", role: writer, handle: s.cancel},
		{pattern: "POST /api/workflow/jobs/{id}/release", role: writer, handle: s.release},
		{pattern: "POST /api/workflow/jobs/{id}/priority", role: writer, handle: s.priority},

		{pattern: "POST /api/workflow/queue/pause", role: writer, handle: s.pause},
		{pattern: "POST /api/workflow/queue/resume", role: writer, handle: s.resume},

		{pattern: "POST /api/workflow/manifest/validate", role: reader, handle: s.validate},
		{pattern: "POST /api/workflow/manifest/plan", role: reader, handle: s.planManifest},
		{pattern: "POST /api/workflow/manifest/submit", role: writer, handle: s.submit},

		{pattern: "GET /web/dashboard/{path...}", role: reader, handle: s.dashboard},
		{pattern: "GET /web/dashboard", role: reader, handle: s.toDashboard},
		{pattern: "GET /{$}", role: reader, handle: s.toDashboard},
	}
}

// writeTime is how long a request may take to arrive and an answer to be read; a client that is slower is cut off. Streams set times of
// their own once they have begun.
const writeTime = 60 * time.Second

// bound cuts off clients that send or read too slowly, whatever they asked for and whether it is answered or refused: what is left of a
// body is read before the next request, and that shall not take for ever either.
func (s *Server) bound(w http.ResponseWriter) {
	deadline := http.NewResponseController(w)
	_ = deadline.SetReadDeadline(time.Now().Add(s.patience)) // not every writer knows deadlines; those of net/http do
	_ = deadline.SetWriteDeadline(time.Now().Add(s.patience))
}

// unbound lets a stream go on for as long as its client listens. It is called when the head of the answer has gone out, before which
// the server reads what is left of the request.
func unbound(out *http.ResponseController) { _ = out.SetReadDeadline(time.Time{}) }

// routes puts the list behind what holds for every request.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.list() {
		mux.Handle(rt.pattern, s.serve(rt))
	}
	none := s.serve(route{pattern: "/", role: reader, handle: s.notFound(mux)})
	mux.Handle("/", none)
	return s.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !plainPath(r.URL.EscapedPath()) { // which the mux would redirect, token or not
			none.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

// plainPath says whether a path is the only spelling of what it names.
func plainPath(p string) bool {
	clean := path.Clean("/" + p)
	return p == clean || clean != "/" && p == clean+"/"
}

// serve answers the requests of one route.
func (s *Server) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := callerOf(r)
		who.route = rt.pattern
		err := s.allow(rt, who, r)
		if err == nil {
			err = rt.handle(w, r)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	})
}

// notFound says that a path is none of the list, or that the method is wrong.
func (s *Server) notFound(mux *http.ServeMux) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			probe := r.Clone(r.Context())
			probe.Method = method
			if _, pattern := mux.Handler(probe); pattern != "/" && pattern != "" {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 {
			return noRoute(r)
		}
		return wrongMethod(w, r, allowed)
	}
}
