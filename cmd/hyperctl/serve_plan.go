package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hyper2kvm/internal/api"
	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
	"hyper2kvm/internal/version"
)

// planner makes plans for the REST API, with the daemon's defaults.
type planner struct {
	con *console
	sp  *queue.Spool
}

// PlanManifest plans the jobs of a manifest that would stand in the drop zone: plain names are those of files there.
func (p planner) PlanManifest(ctx context.Context, name string, content []byte) (any, error) {
	drafts, problems := manifest.Load(name, content)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	files, err := filesBeside(filepath.Join(p.sp.Dir(), queue.DirQueued), false)
	if err != nil {
		return nil, err
	}
	return p.plans(ctx, drafts, files, name)
}

// PlanEntry plans what stands at a path of the workflow directory: a disk, a manifest or a folder with both.
func (p planner) PlanEntry(ctx context.Context, path string) (any, error) {
	st, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: the source is not there any more: %w", queue.ErrNotFound, err)
	}
	dir, entry := filepath.Dir(path), filepath.Base(path)
	if st.IsDir() {
		dir, entry = path, ""
	}
	files, err := filesBeside(dir, st.IsDir())
	if err != nil {
		return nil, err
	}
	if entry == "" {
		var manifests []string
		for name := range files {
			if isManifest(name) && !strings.Contains(name, "/") && !strings.HasPrefix(name, ".") {
				manifests = append(manifests, name)
			}
		}
		if len(manifests) == 1 {
			entry = manifests[0]
		}
	}
	switch {
	case entry == "":
		return p.plans(ctx, []manifest.Draft{manifest.FromFiles(filepath.Base(path))}, files, "")
	case !isManifest(entry):
		return p.plans(ctx, []manifest.Draft{manifest.FromFiles(entry, entry)}, files, entry)
	}
	d, err := p.con.readManifest(filepath.Join(dir, entry))
	if err != nil {
		return nil, err
	}
	if err := d.problems.Err(); err != nil {
		return nil, planError(err)
	}
	return p.plans(ctx, d.drafts, files, entry)
}

// plans makes a plan for each job.
func (p planner) plans(ctx context.Context, drafts []manifest.Draft, files map[string]string, entry string) (any, error) {
	st, _, err := p.sp.Status()
	if err != nil {
		return nil, err
	}
	def := p.con.jobDefaults()
	out := []convert.Plan{}
	for _, d := range drafts {
		req := convert.Request{
			JobID: d.Name, Job: d.Resolve(def), Files: maps.Clone(files), Roots: map[string]string{}, Entry: entry, Version: version.Get().Version,
		}
		for _, in := range d.Inputs() {
			if !filepath.IsAbs(in) {
				continue
			}
			root := importRoot(st.ImportRoots, in)
			if root == "" {
				return nil, &api.PlanError{
					Code: manifest.CodePolicyPath, Message: fmt.Sprintf("%q is not under the import roots of the daemon", in),
					Hint: "ask an administrator to add to the daemon's configuration: import_roots: [" + filepath.Dir(in) + "]",
				}
			}
			req.Files[in], req.Roots[in] = in, root
		}
		plan, err := convert.DryRun(ctx, req, convert.HostGuests{})
		if err != nil {
			return nil, planError(err)
		}
		plan.DryRun = true
		out = append(out, plan)
	}
	return out, nil
}

// importRoot is the import root that a path is under; "" for none. Links on the way are dealt with where the file is opened.
func importRoot(roots []string, path string) string {
	i := slices.IndexFunc(roots, func(root string) bool {
		rel, err := filepath.Rel(filepath.Clean(root), filepath.Clean(path))
		return err == nil && filepath.IsLocal(rel)
	})
	if i < 0 {
		return ""
	}
	return roots[i]
}

// planError says why a job would fail.
func planError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if invalid, ok := errors.AsType[*manifest.InvalidError](err); ok {
		first := invalid.First()
		return &api.PlanError{Code: first.Code, Message: first.String(), Hint: first.Hint}
	}
	f := convert.Failure("load", err)
	return &api.PlanError{Code: f.Code, Message: f.Message, Hint: f.Hint}
}
