package api

import (
	"net/http"

	"hyper2kvm/internal/manifest"
)

// failureDoc is the failed jobs that have one code.
type failureDoc struct {
	Code      string   `json:"code"` // "" = their records have none
	Title     string   `json:"title"`
	Cause     string   `json:"cause"`
	Hint      string   `json:"hint"`
	Retryable bool     `json:"retryable"`
	Count     int      `json:"count"`
	Newest    jobDoc   `json:"newest"`
	IDs       []string `json:"ids"` // newest first; the first thousand
}

type failuresDoc struct {
	Failures []failureDoc `json:"failures"`
	More     bool         `json:"more,omitempty"` // older ones were not read
}

// failures groups the failed jobs of all days by code.
func (s *Server) failures(w http.ResponseWriter, r *http.Request) error {
	if err := known(r.URL.Query()); err != nil {
		return err
	}
	ctx, cancel := within(r, readTime)
	defer cancel()
	groups, more, err := s.dir.Failures(ctx)
	if err != nil {
		return err
	}
	d := failuresDoc{Failures: []failureDoc{}, More: more}
	for _, g := range groups {
		c, _ := manifest.LookupCode(g.Code)
		d.Failures = append(d.Failures, failureDoc{
			Code: g.Code, Title: c.Title, Cause: c.Cause, Hint: c.Hint, Retryable: c.Retryable, Count: g.Count,
			Newest: newJobDoc(g.Newest, s.o.Now()), IDs: g.IDs,
		})
	}
	return reply(w, d)
}

// codeDoc is one entry of the table of codes.
type codeDoc struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	Cause     string `json:"cause"`
	Hint      string `json:"hint"`
	Retryable bool   `json:"retryable"`
}

// codes answers with the table of all codes.
func (s *Server) codes(w http.ResponseWriter, r *http.Request) error {
	if err := known(r.URL.Query()); err != nil {
		return err
	}
	var d struct {
		Codes []codeDoc `json:"codes"`
	}
	for _, c := range manifest.Codes() {
		d.Codes = append(d.Codes, codeDoc(c))
	}
	return reply(w, d)
}
