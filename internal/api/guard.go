package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"hyper2kvm/internal/manifest"
)

// apiPolicy is the content security policy of every answer that is not a page of the dashboard: it may load nothing at all.
const apiPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// caller is what is known of a request beside what it says.
type caller struct {
	role    role
	name    string   // of the token, or session, or the user on the unix socket
	session string   // hash of the session's secret; "" without
	peer    string   // address, or user id on the unix socket
	route   string   // pattern of the list
	about   []any    // for the audit log
	problem *problem // that it was answered with
}

type callerKey struct{}

// callerOf is the caller of a request that went through guard.
func callerOf(r *http.Request) *caller {
	c, _ := r.Context().Value(callerKey{}).(*caller)
	if c == nil {
		return &caller{}
	}
	return c
}

// guard is what holds for every request: the headers of every answer, the allowed hosts and origins, who asks, counting, the audit
// log, and that a mistake in one handler ends one request.
func (s *Server) guard(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := s.o.Now()
		who := &caller{peer: peerOf(r)}
		r = r.WithContext(context.WithValue(r.Context(), callerKey{}, who))
		out := &counting{ResponseWriter: w}
		s.bound(out)
		h := w.Header()
		h.Set("Content-Security-Policy", apiPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if s.o.Secure && wholeHost(r.Host) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		defer func() {
			if mistake := recover(); mistake != nil {
				s.o.Log.Error("a handler panicked", "route", who.route, "panic", mistake, "stack", string(debug.Stack()))
				if out.status == 0 {
					s.fail(out, r, newProblem(http.StatusInternalServerError, manifest.CodeAPIInternal, "the server made a mistake; its log has more"))
				}
			}
			s.metrics.observe(who.route, r.Method, out.status, s.o.Now().Sub(begin))
			s.audit(r, who, out.status)
		}()
		switch err := cross.Check(r); {
		case !s.hostAllowed(r.Host):
			s.fail(out, r, newProblem(http.StatusMisdirectedRequest, manifest.CodeAPIOrigin, "the request is for the host %q, which this server is not", short(r.Host)))
		case err != nil || r.Header.Get("Sec-Fetch-Site") == "cross-site" && strings.HasPrefix(r.URL.Path, "/api/"): // reading, too, is our pages' only
			s.fail(out, r, newProblem(http.StatusForbidden, manifest.CodeAPIOrigin, "a page of another origin sent the request"))
		default:
			s.identify(r, who)
			next.ServeHTTP(out, r)
		}
	})
}

// wholeHost says whether a Host header names a host, and no port of one: what is said of transport security holds for all its ports, and
// beside ours there may be others that speak plain HTTP.
func wholeHost(host string) bool {
	_, _, err := net.SplitHostPort(host)
	return err != nil && !strings.EqualFold(host, "localhost")
}

// hostAllowed says whether a Host header names this server. Others come from a name that an attacker made lead here.
func (s *Server) hostAllowed(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if name == "localhost" || slices.Contains(s.o.Hosts, name) {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.IsLoopback()
}

// audit writes a line about every request that may change something, whatever came of it.
func (s *Server) audit(r *http.Request, who *caller, status int) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return
	}
	attrs := []any{"method", short(r.Method), "path", short(r.URL.Path), "status", status, "by", who.name, "from", who.peer}
	attrs = append(attrs, who.about...)
	if who.problem != nil {
		attrs = append(attrs, "code", who.problem.Code, "reason", who.problem.Detail)
	}
	s.o.Log.Info("audit", attrs...)
}

// note adds to the audit line of a request.
func note(r *http.Request, attrs ...any) {
	c := callerOf(r)
	c.about = append(c.about, attrs...)
}

// counting remembers the status of an answer.
type counting struct {
	http.ResponseWriter
	status int
}

func (c *counting) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counting) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	return c.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (c *counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// within bounds how long a handler works.
func within(r *http.Request, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), d)
}
