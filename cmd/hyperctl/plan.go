package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strings"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
	"hyper2kvm/internal/version"
	"hyper2kvm/tui/wizard"
)

// dryRunDoc is what would become of one job, in JSON and YAML.
type dryRunDoc struct {
	convert.Plan
	Reserves int64    `json:"reserves_bytes"`              // of the output's file system; 0 = not known before a source is unpacked
	Seconds  *float64 `json:"estimated_seconds,omitempty"` // as the last jobs went; absent = not known
	Apart    []string `json:"estimate_leaves_out,omitempty"`
}

// runPlan prints what would be done, how long it takes and what room it needs, and submits nothing. Defaults are those of the daemon's
// configuration where there is one that can be read.
func runPlan(ctx context.Context, con *console, parcels []parcel) error {
	look := con.newPreviewer("")
	var docs []dryRunDoc
	ahead := wizard.Preview{}
	room := look.newPlaces()
	for _, p := range parcels {
		reqs, err := p.requests(look.def.jobs)
		if err != nil {
			return err
		}
		for _, req := range reqs {
			plan, err := convert.DryRun(ctx, req, convert.HostGuests{})
			if err != nil {
				return planFailure(p.name(), req, err)
			}
			plan.DryRun = true
			past := paceOf(look.past(), req.Job.Convert)
			vm := wizard.Planned{Name: req.Job.Name}
			vm.Took, vm.Apart, vm.Known = past.estimate(req.Job, plan)
			d := dryRunDoc{Plan: plan, Reserves: plan.Reserves(req.Job), Apart: vm.Apart}
			if vm.Known {
				d.Seconds = new(vm.Took.Seconds())
			}
			docs, ahead.VMs, ahead.Past = append(docs, d), append(ahead.VMs, vm), past.jobs
			room.add(wizard.Place{
				What: "output", Dir: cmp.Or(req.Job.Convert.OutputDir, look.def.outputDir), Need: d.Reserves, Vague: d.Reserves == 0,
				Repairs: d.Reserves > plan.MaxBytes,
			})
		}
	}
	if !con.opts.output.people() {
		return printAll(con, view[dryRunDoc]{
			name: func(d dryRunDoc) string { return d.Name },
			doc:  func(d dryRunDoc) any { return d },
		}, all(docs))
	}
	ahead.Places = room.list
	if look.sp != nil {
		if st, live, err := look.sp.Status(); err == nil && live == queue.LiveRunning {
			ahead.Before = st.Counts.Queued
		}
	}
	return con.printOne(docs, "", func(w io.Writer) {
		for i, d := range docs {
			if i > 0 {
				fmt.Fprintln(w)
			}
			if err := d.Write(w); err != nil {
				return // w is a buffer
			}
		}
		writeAhead(w, ahead)
	})
}

// writeAhead tells how long the planned jobs take, what is before them, and what room there is.
func writeAhead(w io.Writer, ahead wizard.Preview) {
	fmt.Fprintln(w)
	for _, line := range []string{ahead.Time(), ahead.Turn()} {
		if line != "" {
			fmt.Fprintln(w, cleanLine(line))
		}
	}
	for _, place := range ahead.Places {
		line := place.String()
		if place.Short() {
			line += ": the space runs short, so that the job waits for more"
		}
		fmt.Fprintln(w, cleanLine(line))
	}
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
	f.code, f.why = cause.Code, cause.Message
	f.try, _, _ = strings.Cut(cause.Hint, ", then: hyperctl workflow retry JOB") // there is no job yet
	return &f
}
