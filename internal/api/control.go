package api

import (
	"context"
	"errors"
	"net/http"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// answerDoc is what the daemon answered to a request.
type answerDoc struct {
	Success bool   `json:"success"`
	ID      string `json:"id,omitempty"`
	Message string `json:"message"`
}

func (s *Server) retry(w http.ResponseWriter, r *http.Request) error {
	return s.askAbout(w, r, queue.VerbRetry)
}

func (s *Server) cancel(w http.ResponseWriter, r *http.Request) error {
	return s.askAbout(w, r, queue.VerbCancel)
}

// release lets a held entry run by itself.
func (s *Server) release(w http.ResponseWriter, r *http.Request) error {
	return s.askAbout(w, r, queue.VerbRelease)
}

// priorityRequest is the body of priority.
type priorityRequest struct {
	Priority int `json:"priority"` // 1 (last) to 100 (first)
}

// priority lets a job that is queued or waits start sooner or later than its turn.
func (s *Server) priority(w http.ResponseWriter, r *http.Request) error {
	var in priorityRequest
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if in.Priority < queue.PriorityLast || in.Priority > queue.PriorityFirst {
		return badRequest("priority is a number from %d (last) to %d (first), not %d", queue.PriorityLast, queue.PriorityFirst, in.Priority)
	}
	return s.askFor(w, r, queue.Control{Verb: queue.VerbPriority, Priority: in.Priority})
}

// askAbout asks the daemon for something about a job.
func (s *Server) askAbout(w http.ResponseWriter, r *http.Request, verb string) error {
	if err := noBody(w, r); err != nil {
		return err
	}
	return s.askFor(w, r, queue.Control{Verb: verb})
}

// askFor sends a request about the job that the path names.
func (s *Server) askFor(w http.ResponseWriter, r *http.Request, c queue.Control) error {
	j, err := s.find(r)
	if err != nil {
		return err
	}
	note(r, "verb", c.Verb, "job", jobKey(j), "entry", j.Name)
	c.Job, c.By = jobKey(j), s.o.User
	answer, err := s.ask(r.Context(), c)
	if err != nil {
		return err
	}
	return reply(w, answerDoc{true, jobKey(j), answer})
}

// noBody refuses a body where nothing is read of it, except for an empty document.
func noBody(w http.ResponseWriter, r *http.Request) error {
	var none struct{}
	return maybeJSON(w, r, &none)
}

// pauseRequest is the body of pause; it may be left out.
type pauseRequest struct {
	Reason string `json:"reason"`
}

// maxReason bounds why somebody paused the queue: it stands on one line of a status.
const maxReason = 200

func (s *Server) pause(w http.ResponseWriter, r *http.Request) error {
	var in pauseRequest
	if err := maybeJSON(w, r, &in); err != nil {
		return err
	}
	if len(in.Reason) > maxReason || printable(in.Reason) != in.Reason && !isText(in.Reason) {
		return badRequest("reason is one line of at most %d bytes", maxReason)
	}
	return s.askQueue(w, r, queue.Control{Verb: queue.VerbPause, Reason: in.Reason, By: s.o.User})
}

// isText says whether a text has no control characters.
func isText(text string) bool {
	for _, r := range text {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r == 0x2028 || r == 0x2029 || r == 0xfffd {
			return false
		}
	}
	return true
}

func (s *Server) resume(w http.ResponseWriter, r *http.Request) error {
	if err := noBody(w, r); err != nil {
		return err
	}
	return s.askQueue(w, r, queue.Control{Verb: queue.VerbResume, By: s.o.User})
}

func (s *Server) askQueue(w http.ResponseWriter, r *http.Request, c queue.Control) error {
	note(r, "verb", c.Verb)
	answer, err := s.ask(r.Context(), c)
	if err != nil {
		return err
	}
	return reply(w, answerDoc{Success: true, Message: answer})
}

// ask puts a request into the control directory and waits for the daemon's answer.
func (s *Server) ask(ctx context.Context, c queue.Control) (string, error) {
	_, live, err := s.o.Spool.Status()
	if err != nil {
		return "", err
	}
	if live == queue.LiveNotRunning || live == queue.LiveNeverStarted {
		return "", newProblem(http.StatusServiceUnavailable, manifest.CodeAPIDaemon, "the daemon does not run on %s", s.o.Spool.Dir())
	}
	answer, err := s.o.Spool.Request(ctx, c)
	switch {
	case err == nil:
		return answer.Message, nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return "", newProblem(http.StatusServiceUnavailable, manifest.CodeAPIDaemon, "the daemon does not answer")
	case answer.Message == "" && errors.Is(err, queue.ErrDenied):
		return "", newProblem(http.StatusInternalServerError, manifest.CodeAPIInternal, "hyperctl serve may not write requests: %s", printable(err.Error())).
			hint("put its user into the group of the workflow directory and start it again")
	}
	return "", err
}
