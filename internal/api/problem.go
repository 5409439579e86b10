package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// problem is an error as clients get it: RFC 9457, with our codes beside its fields.
type problem struct {
	Type     string            `json:"type"` // the code as a URN
	Title    string            `json:"title"`
	Status   int               `json:"status"`
	Detail   string            `json:"detail"`
	Code     string            `json:"code"` // H2K-AREA-NNN
	Hint     string            `json:"hint,omitempty"`
	Problems manifest.Problems `json:"problems,omitempty"` // of a manifest
}

func (p *problem) Error() string { return p.Detail }

// newProblem makes a problem of a code of the table.
func newProblem(status int, code, format string, args ...any) *problem {
	c, _ := manifest.LookupCode(code)
	return &problem{
		Type: "urn:hyper2kvm:" + code, Title: c.Title, Status: status, Detail: fmt.Sprintf(format, args...), Code: code, Hint: c.Hint,
	}
}

func (p *problem) hint(hint string) *problem {
	p.Hint = hint
	return p
}

func badRequest(format string, args ...any) *problem {
	return newProblem(http.StatusBadRequest, manifest.CodeAPIRequest, format, args...)
}

func noRoute(r *http.Request) *problem {
	return newProblem(http.StatusNotFound, manifest.CodeAPIRoute, "there is nothing at %q", short(r.URL.Path))
}

func wrongMethod(w http.ResponseWriter, r *http.Request, allowed []string) *problem {
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return newProblem(http.StatusMethodNotAllowed, manifest.CodeAPIRoute, "%s is not for %q; %s is", short(r.Method), short(r.URL.Path), strings.Join(allowed, " or "))
}

// maxQuoted bounds what of a request is repeated in an answer.
const maxQuoted = 200

// short cuts a text from a request for a message, where it is quoted.
func short(text string) string {
	if len(text) > maxQuoted {
		return text[:maxQuoted] + "..."
	}
	return text
}

// kinds are what the kinds of errors of the queue become; the first that fits counts.
var kinds = []struct {
	kind   error
	status int
	code   string
}{
	{queue.ErrNotFound, http.StatusNotFound, manifest.CodeAPINoJob},
	{queue.ErrState, http.StatusConflict, manifest.CodeAPIState},
	{queue.ErrExists, http.StatusConflict, manifest.CodeAPIState},
	{queue.ErrDenied, http.StatusForbidden, manifest.CodePolicyOwner},
	{queue.ErrName, http.StatusBadRequest, manifest.CodeAPIRequest},
	{queue.ErrNoSpace, http.StatusInsufficientStorage, manifest.CodeSpaceQueue},
	{queue.ErrLayout, http.StatusInternalServerError, manifest.CodeQueueLayout},
	{fs.ErrPermission, http.StatusInternalServerError, manifest.CodeAPIInternal},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, manifest.CodeAPIDaemon},
}

// problemOf turns any error into a problem.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooMuch(tooLarge.Limit)
	}
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			return newProblem(k.status, k.code, "%s", printable(err.Error()))
		}
	}
	return newProblem(http.StatusInternalServerError, manifest.CodeAPIInternal, "%s", printable(err.Error()))
}

// printable writes control characters of an error's text as escapes.
func printable(text string) string {
	q := fmt.Sprintf("%+q", text)
	if q == `"`+text+`"` {
		return text
	}
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

// fail answers with a problem.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // nobody is there to read it
	}
	p := problemOf(err)
	callerOf(r).problem = p
	if p.Status >= http.StatusInternalServerError {
		s.o.Log.Error("request failed", "method", r.Method, "path", short(r.URL.Path), "status", p.Status, "error", err.Error())
	}
	h := w.Header()
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	h.Set("Cache-Control", "no-store")
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="hyper2kvm"`)
		if wantsPage(r) {
			loginPage(w)
			return
		}
	}
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		h.Set("Retry-After", "2")
	}
	h.Set("Content-Type", "application/problem+json")
	b, merr := json.Marshal(p)
	if merr != nil { // a problem holds nothing but text
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(b, '\n')) // the client went away
}

// reply answers with a document.
func reply(w http.ResponseWriter, doc any) error {
	b, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(append(b, '\n')) // the client went away
	return nil
}
