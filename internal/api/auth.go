package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/manifest"
)

// Token is one line of a token file.
type Token struct {
	Hash [sha256.Size]byte // SHA-256 of the token
	Full bool              // it may change things
	Name string            // for the audit log
}

// Tokens are all that let a client in.
type Tokens []Token

// find compares a token with all there are, in a time that does not tell how much of it was right.
func (ts Tokens) find(token string) (Token, bool) {
	hash := sha256.Sum256([]byte(token))
	at := -1
	for i := range ts {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], ts[i].Hash[:]), i, at)
	}
	if at < 0 {
		return Token{}, false
	}
	return ts[at], true
}

func roleOf(full bool) role {
	if full {
		return writer
	}
	return reader
}

// peerKey is where ConnContext puts the user at the other end of a unix socket.
type peerKey struct{}

// peer is a user on the unix socket.
type peer struct{ uid uint32 }

// ConnContext is for http.Server: it remembers which user is at the other end of a unix socket. Who may open the socket is
// decided by its mode, as it is for the directory, so that no token is asked for there.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return ctx
	}
	var cred *unix.Ucred
	cerr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if cerr != nil || err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, peer{cred.Uid})
}

func peerOf(r *http.Request) string {
	if p, ok := r.Context().Value(peerKey{}).(peer); ok {
		return "uid " + strconv.FormatUint(uint64(p.uid), 10)
	}
	return r.RemoteAddr
}

// sessionCookie is the name of the cookie; __Host- makes browsers refuse it from any other host or path.
const sessionCookie = "hyper2kvm_session"

func (s *Server) cookieName() string {
	if s.o.Secure {
		return "__Host-" + sessionCookie
	}
	return sessionCookie
}

// identify finds out who asks: the user on the unix socket, a token, or a session.
func (s *Server) identify(r *http.Request, who *caller) {
	if _, ok := r.Context().Value(peerKey{}).(peer); ok {
		who.role, who.name = writer, who.peer
		return
	}
	if s.o.NoAuth {
		who.role, who.name = writer, "anybody"
		return
	}
	if token, ok := bearer(r); ok {
		if t, ok := s.o.Tokens.find(token); ok {
			who.role, who.name = roleOf(t.Full), t.Name
		}
		return // a wrong token is not made right by a cookie
	}
	if c, err := r.Cookie(s.cookieName()); err == nil {
		if sn, ok := s.sessions.find(c.Value); ok {
			who.role, who.name, who.session = sn.role, sn.name, c.Value
		}
	}
}

// bearer is the token of the Authorization header.
func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}

// allow says whether a caller may use a route.
func (s *Server) allow(rt route, who *caller, r *http.Request) error {
	switch {
	case who.role >= rt.role:
		return nil
	case who.role == reader:
		return newProblem(http.StatusForbidden, manifest.CodeAPIRole, "%s %s needs the role full; this token has the role read", r.Method, rt.pattern[strings.IndexByte(rt.pattern, ' ')+1:])
	case r.Header.Get("Authorization") != "":
		return newProblem(http.StatusUnauthorized, manifest.CodeAPIToken, "the token in the header Authorization is not known")
	}
	return newProblem(http.StatusUnauthorized, manifest.CodeAPIToken, "send the header Authorization: Bearer TOKEN")
}
