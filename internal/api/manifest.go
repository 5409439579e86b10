package api

import (
	"net/http"
	"strings"

	"hyper2kvm/internal/manifest"
)

// posted is a manifest in a body.
type posted struct {
	name     string // as problems call it
	ext      string // of a file
	content  []byte
	drafts   []manifest.Draft
	problems manifest.Problems
}

// readManifest reads and checks the manifest in a body. The error is about reading only.
func readManifest(w http.ResponseWriter, r *http.Request) (posted, error) {
	kind, b, err := bodyOf(w, r, "application/json", "application/yaml", "application/x-yaml", "text/yaml")
	if err != nil {
		return posted{}, err
	}
	p := posted{ext: ".yaml", content: b}
	if kind == "application/json" {
		p.ext = ".json"
	}
	p.name = "manifest" + p.ext
	p.drafts, p.problems = manifest.Load(p.name, b)
	return p, nil
}

// invalid is the problem of a manifest that cannot be a job; nil when it can.
func (p posted) invalid() error {
	for _, first := range p.problems {
		if first.Severity == manifest.SeverityError {
			out := newProblem(http.StatusBadRequest, first.Code, "Invalid manifest: %s", first.String())
			out.Problems = p.problems
			if first.Hint != "" {
				out.Hint = first.Hint
			}
			return out
		}
	}
	return nil
}

// validDoc is the answer of validate: the two fields that existing clients read, and the problems with their places.
type validDoc struct {
	Valid    bool              `json:"valid"`
	Errors   []string          `json:"errors"`
	Warnings []string          `json:"warnings"`
	Problems manifest.Problems `json:"problems"`
	VMs      []string          `json:"vms"` // the names of the jobs that it asks for
}

// validate says whether a manifest is right, and what is wrong with it. It answers 200 either way.
func (s *Server) validate(w http.ResponseWriter, r *http.Request) error {
	if err := known(r.URL.Query()); err != nil {
		return err
	}
	p, err := readManifest(w, r)
	if err != nil {
		return err
	}
	d := validDoc{Valid: p.invalid() == nil, Errors: []string{}, Warnings: []string{}, Problems: list(p.problems), VMs: []string{}}
	for _, problem := range p.problems {
		text := strings.TrimPrefix(problem.String(), p.name+":")
		if problem.Severity == manifest.SeverityError {
			d.Errors = append(d.Errors, strings.TrimSpace(text))
		} else {
			d.Warnings = append(d.Warnings, strings.TrimSpace(text))
		}
	}
	for _, draft := range p.drafts {
		d.VMs = append(d.VMs, draft.Name)
	}
	return reply(w, d)
}
