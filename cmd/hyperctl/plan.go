package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/version"
)

// runPlan prints what would be done, and submits nothing. Defaults are those of the daemon's configuration where there is one
// that can be read.
func runPlan(ctx context.Context, con *console, parcels []parcel) error {
	def := con.jobDefaults()
	var plans []convert.Plan
	for _, p := range parcels {
		reqs, err := p.requests(def)
		if err != nil {
			return err
		}
		for _, req := range reqs {
			plan, err := convert.DryRun(ctx, req, convert.HostGuests{})
			if err != nil {
				return planFailure(p.name(), req, err)
			}
			plan.DryRun = true
			plans = append(plans, plan)
		}
	}
	if !con.opts.output.people() {
		return printAll(con, view[convert.Plan]{
			name: func(p convert.Plan) string { return p.Name },
			doc:  func(p convert.Plan) any { return p },
		}, all(plans))
	}
	return con.printOne(plans, "", func(w io.Writer) {
		for i, p := range plans {
			if i > 0 {
				fmt.Fprintln(w)
			}
			if err := p.Write(w); err != nil {
				return // w is a buffer
			}
		}
	})
}

// jobDefaults are the answers for what a manifest leaves open.
func (c *console) jobDefaults() manifest.Defaults {
	def := manifest.ProductDefaults()
	conf, there, err := readDaemonConfig(c.opts.daemonConfig)
	if err != nil {
		c.note("the plan knows the product's defaults only: %s", explainError(err).Error())
		return def
	}
	if !there {
		return def
	}
	return manifest.Defaults{
		Format: conf.OutFormat, Compress: conf.Compress, Compression: conf.Compression, Level: conf.CompressLevel, Flatten: conf.Flatten,
		FstabMode: conf.FstabMode, Grub: conf.FixGrub, Initramfs: conf.RegenInitramfs, Network: conf.FixNetwork,
		NetworkLevel: conf.NetworkFixLevel, RemoveTools: conf.RemoveVMwareTools, Inspect: conf.Inspect, Fix: conf.Fix,
		Validate: conf.ValidateResult, BootTest: conf.BootTest, Serial: conf.SerialConsole, Compact: conf.Compact, Networks: conf.NetworkMap,
	}
}

// requests are the jobs that a parcel becomes.
func (p parcel) requests(def manifest.Defaults) ([]convert.Request, error) {
	files := map[string]string{}
	var drafts []manifest.Draft
	entry := ""
	if p.doc != nil {
		drafts = p.doc.drafts
		dir := "."
		if p.doc.path != "-" {
			dir = filepath.Dir(p.doc.path)
			entry = filepath.Base(p.doc.path)
		}
		if err := besideInto(files, dir); err != nil {
			return nil, err
		}
	}
	for _, path := range p.paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		if isDir(abs) {
			inside, err := filesBeside(abs, true)
			if err != nil {
				return nil, err
			}
			maps.Copy(files, inside)
			if p.doc == nil {
				drafts = append(drafts, manifest.FromFiles(filepath.Base(abs)))
			}
			continue
		}
		if p.doc == nil {
			entry = filepath.Base(abs)
			drafts = append(drafts, manifest.FromFiles(entry, entry))
			if err := besideInto(files, filepath.Dir(abs)); err != nil {
				return nil, err
			}
		}
		files[filepath.Base(abs)] = abs
	}
	var out []convert.Request
	for _, d := range drafts {
		req := convert.Request{JobID: d.Name, Job: d.Resolve(def), Files: maps.Clone(files), Entry: entry, Version: version.Get().Version}
		for _, in := range d.Inputs() {
			if filepath.IsAbs(in) {
				req.Files[in] = in
			}
		}
		out = append(out, req)
	}
	return out, nil
}

// besideInto adds the files that stand in a directory. A plan may see them all: the job will see those that are submitted.
func besideInto(files map[string]string, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	beside, err := filesBeside(dir, false)
	if err != nil {
		return readFailure(dir, err)
	}
	maps.Copy(files, beside)
	return nil
}

// planFailure says why a job would fail.
func planFailure(name string, req convert.Request, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	f := *explainError(err)
	f.what, f.why, f.err = fmt.Sprintf("the job for %s (VM %s) would fail", name, req.Job.Name), err.Error(), err
	cause := convert.Failure("load", err)
	f.code, f.why, f.try = cause.Code, cause.Message, cause.Hint
	return &f
}
