package api

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"

	"hyper2kvm/internal/manifest"
)

// Times of logging in.
const (
	LoginTime   = 15 * time.Minute // how long the code of a login link may be used, once
	sessionTime = 12 * time.Hour   // a working day; then the link or the token is asked for again
)

// maxLogin bounds the body of a login: a code or a token.
const maxLogin = 4 << 10

// maxSessions bounds the sessions; the oldest goes for a new one.
const maxSessions = 256

// session is a browser that logged in.
type session struct {
	role  role
	name  string
	until time.Time
}

// sessions are kept in memory only, under the hashes of their secrets: they end with the program.
type sessions struct {
	now func() time.Time

	mu    sync.Mutex
	codes map[[sha256.Size]byte]time.Time // until
	open  map[[sha256.Size]byte]session
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, codes: map[[sha256.Size]byte]time.Time{}, open: map[[sha256.Size]byte]session{}}
}

func (ss *sessions) newCode() string {
	code := rand.Text()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.codes[sha256.Sum256([]byte(code))] = ss.now().Add(LoginTime)
	return code
}

// useCode takes a code; it is gone then. Looking it up by its hash tells nothing about how much of a wrong one was right.
func (ss *sessions) useCode(code string) bool {
	key := sha256.Sum256([]byte(code))
	ss.mu.Lock()
	defer ss.mu.Unlock()
	until, ok := ss.codes[key]
	delete(ss.codes, key)
	return ok && ss.now().Before(until)
}

func (ss *sessions) start(r role, name string) (secret string) {
	secret = rand.Text() + rand.Text()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	now := ss.now()
	if len(ss.open) >= maxSessions {
		var oldest [sha256.Size]byte
		first := now.Add(2 * sessionTime)
		for key, sn := range ss.open {
			if sn.until.Before(first) {
				oldest, first = key, sn.until
			}
		}
		delete(ss.open, oldest)
	}
	ss.open[sha256.Sum256([]byte(secret))] = session{r, name, now.Add(sessionTime)}
	return secret
}

func (ss *sessions) find(secret string) (session, bool) {
	key := sha256.Sum256([]byte(secret))
	ss.mu.Lock()
	defer ss.mu.Unlock()
	sn, ok := ss.open[key]
	if ok && !ss.now().Before(sn.until) {
		delete(ss.open, key)
		return session{}, false
	}
	return sn, ok
}

func (ss *sessions) end(secret string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.open, sha256.Sum256([]byte(secret)))
}

// loginRequest is the body of POST /api/session: one of the two.
type loginRequest struct {
	Code  string `json:"code"`  // of the link that hyperctl serve printed
	Token string `json:"token"` // of the token file
}

// sessionDoc says who the client is.
type sessionDoc struct {
	Role string `json:"role"` // read or full
	Name string `json:"name"`
}

func newSessionDoc(r role, name string) sessionDoc {
	if r == writer {
		return sessionDoc{"full", name}
	}
	return sessionDoc{"read", name}
}

// login gives a cookie for a login code or a token.
func (s *Server) login(w http.ResponseWriter, r *http.Request) error {
	var in loginRequest
	r.Body = http.MaxBytesReader(w, r.Body, maxLogin) // anybody may send it
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	as, name := nobody, ""
	switch {
	case in.Code != "" && s.sessions.useCode(in.Code):
		as, name = writer, "login link"
	case in.Code == "" && in.Token != "":
		if t, ok := s.o.Tokens.find(in.Token); ok {
			as, name = roleOf(t.Full), t.Name
		}
	}
	if as == nobody {
		return newProblem(http.StatusUnauthorized, manifest.CodeAPIToken, "the code was used, is too old, or is not known; so is a token that does not fit")
	}
	callerOf(r).name = name
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: s.sessions.start(as, name), Path: "/", MaxAge: int(sessionTime.Seconds()),
		HttpOnly: true, Secure: s.o.Secure, SameSite: http.SameSiteStrictMode,
	})
	return reply(w, newSessionDoc(as, name))
}

func (s *Server) whoami(w http.ResponseWriter, r *http.Request) error {
	who := callerOf(r)
	return reply(w, newSessionDoc(who.role, who.name))
}

// logout ends the session of the cookie.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) error {
	if who := callerOf(r); who.session != "" {
		s.sessions.end(who.session)
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Path: "/", MaxAge: -1, HttpOnly: true, Secure: s.o.Secure, SameSite: http.SameSiteStrictMode,
	})
	w.WriteHeader(http.StatusNoContent)
	return nil
}
