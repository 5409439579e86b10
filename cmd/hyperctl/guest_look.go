package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hyper2kvm/internal/accel"
	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// looked is what was found in one VM.
type looked struct {
	name string
	convert.Look
}

// look looks into the VMs that the arguments name: files, folders and manifests, or jobs of the queue.
func (c *console) look(ctx context.Context, args []string, edit func(*manifest.Job)) ([]looked, error) {
	var out []looked
	def, packages := c.jobDefaults(), c.knownConfig().AgentPackages
	parcels, err := c.lookParcels(ctx, args)
	if err != nil {
		return nil, err
	}
	for _, p := range parcels {
		reqs, err := p.requests(def)
		if err != nil {
			return nil, err
		}
		for _, req := range reqs {
			edit(&req.Job)
			req.Guest.AgentPackages = packages
			found, err := convert.LookInto(ctx, req, &lookEvents{con: c}, nil, c.acceleration)
			if err != nil {
				return out, planFailure(p.name(), req, err)
			}
			out = append(out, looked{name: req.Job.Name, Look: found})
		}
	}
	return out, nil
}

// lookParcels takes what is a file for a file, and else looks for a job of that name.
func (c *console) lookParcels(ctx context.Context, args []string) ([]parcel, error) {
	var paths []string
	for _, arg := range args {
		if _, err := os.Lstat(arg); err == nil || strings.ContainsRune(arg, '/') {
			paths = append(paths, arg)
			continue
		}
		path, err := c.jobSource(ctx, arg)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path...)
	}
	return c.pack(ctx, paths)
}

// jobSource is where the source of a job stands now: a file, or a folder, or the manifest of a job that was made of several files.
func (c *console) jobSource(ctx context.Context, key string) ([]string, error) {
	sp, err := c.openSpool()
	if err != nil {
		return nil, err
	}
	j, err := findJob(ctx, sp, key)
	if err != nil {
		return nil, jobFailure(key, err)
	}
	if j.State == queue.Running {
		return nil, &failure{exit: exitConflict, what: fmt.Sprintf("the job %q runs", j.Name), try: "hyperctl workflow show " + quoteArg(j.Name)}
	}
	entries, err := os.ReadDir(j.Path)
	if err != nil {
		return []string{j.Path}, nil //nolint:nilerror // a file
	}
	for _, e := range entries {
		if path := filepath.Join(j.Path, e.Name()); e.Type().IsRegular() && isManifest(path) {
			return []string{path}, nil
		}
	}
	return []string{j.Path}, nil
}

// acceleration says whether KVM works here; the answer is kept in the user's cache.
func (c *console) acceleration(ctx context.Context) (kvm bool, why string) {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	dir = filepath.Join(dir, "hyperctl")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		res := accel.Probe(ctx, accel.Options{})
		return res.KVM, res.Why
	}
	res, err := accel.Remember(ctx, filepath.Join(dir, "acceleration.json"), accel.Options{})
	if err != nil {
		c.note("%v", err)
	}
	return res.KVM, res.Why
}

// lookEvents tells what takes long.
type lookEvents struct{ con *console }

// Stage implements convert.Events.
func (e *lookEvents) Stage(name string, _, _ int, status, _ string, _ time.Duration) {
	if name == convert.StageInspect && status == "start" {
		e.con.note("looking into the guest; without KVM this takes half a minute")
	}
}

// Progress implements convert.Events.
func (e *lookEvents) Progress(string, int64, int64) {}

// Log implements convert.Events.
func (e *lookEvents) Log(_, message string) {
	if e.con.opts.verbose {
		e.con.note("%s", message)
	}
}

// Warning implements convert.Events.
func (e *lookEvents) Warning(manifest.Warning) {}
