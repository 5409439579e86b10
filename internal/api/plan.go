package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"hyper2kvm/internal/manifest"
)

// planTime is how long a plan may take: only headers and descriptors are read, though on slow disks.
const planTime = 45 * time.Second

// plansDoc is what would be done, a plan for each VM.
type plansDoc struct {
	Plans any `json:"plans"`
}

// planJob says what would be done with the sources of a job as they stand now.
func (s *Server) planJob(w http.ResponseWriter, r *http.Request) error {
	if err := known(r.URL.Query()); err != nil {
		return err
	}
	j, err := s.find(r)
	if err != nil {
		return err
	}
	return s.plan(w, r, func(ctx context.Context) (any, error) { return s.o.Planner.PlanEntry(ctx, j.Path) })
}

// planManifest says what would be done if a manifest were submitted, and submits nothing.
func (s *Server) planManifest(w http.ResponseWriter, r *http.Request) error {
	if err := known(r.URL.Query()); err != nil {
		return err
	}
	p, err := readManifest(w, r)
	if err != nil {
		return err
	}
	if err := p.invalid(); err != nil {
		return err
	}
	return s.plan(w, r, func(ctx context.Context) (any, error) { return s.o.Planner.PlanManifest(ctx, p.name, p.content) })
}

// plan makes one plan, of which few are made at once.
func (s *Server) plan(w http.ResponseWriter, r *http.Request, make func(context.Context) (any, error)) error {
	if s.o.Planner == nil {
		return newProblem(http.StatusNotImplemented, manifest.CodeAPIMissing, "this server was started without what makes plans")
	}
	select {
	case s.plans <- struct{}{}:
		defer func() { <-s.plans }()
	default:
		return newProblem(http.StatusServiceUnavailable, manifest.CodeAPIBusy, "%d plans are being made already", maxPlans)
	}
	ctx, cancel := within(r, planTime)
	defer cancel()
	plans, err := make(ctx)
	if wrong, ok := errors.AsType[*PlanError](err); ok {
		return newProblem(http.StatusUnprocessableEntity, wrong.Code, "%s", printable(wrong.Message)).hint(wrong.Hint)
	}
	if err != nil {
		return err
	}
	return reply(w, plansDoc{plans})
}
