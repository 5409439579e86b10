package api

import (
	"net/http"
	"time"

	"hyper2kvm/internal/manifest"
)

// heartbeat is how often a stream says that it is alive, so that proxies and clients keep it open.
const heartbeat = 15 * time.Second

// events streams what happens: text/event-stream with the events status, job, jobs and reset.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	if err := known(r.URL.Query()); err != nil {
		return err
	}
	c, missed, ok := s.hub.join(r.Header.Get("Last-Event-ID"))
	if !ok {
		return newProblem(http.StatusServiceUnavailable, manifest.CodeAPIBusy, "%d event streams are open already, or the server is about to end", s.hub.count())
	}
	defer s.hub.leave(c)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	put := func(texts ...[]byte) bool {
		_ = out.SetWriteDeadline(time.Now().Add(streamWrite))
		for _, text := range texts {
			if _, err := w.Write(text); err != nil {
				return false
			}
		}
		return out.Flush() == nil
	}
	if !put([]byte("retry: 2000\n\n")) {
		return nil
	}
	unbound(out)
	for _, f := range missed {
		if !put(f.text) {
			return nil
		}
	}
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for {
		select {
		case <-r.Context().Done():
			return nil
		case f, ok := <-c.frames:
			if !ok || !put(f.text) {
				return nil
			}
		case <-alive.C:
			if !put([]byte(": alive\n\n")) {
				return nil
			}
		}
	}
}
