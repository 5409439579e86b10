package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
	"hyper2kvm/tui/wizard"
	"hyper2kvm/tui/wizard/answers"
)

// previewer tells what would become of a new manifest. It plans as plan and submit --dry-run do.
type previewer struct {
	con    *console
	sp     *queue.Spool // nil where there is no workflow directory yet
	def    createDefaults
	dir    string // of the files that are named by a plain name
	guests convert.Guests

	past func() []manifest.Report // read when they are needed first
}

// newPreviewer looks at the queue that the manifest would go to. from is the manifest that it began with; "" = none.
func (c *console) newPreviewer(from string) *previewer {
	p := &previewer{con: c, dir: ".", guests: convert.HostGuests{}}
	if from != "" && from != "-" {
		p.dir = filepath.Dir(from)
	}
	if sp, err := c.openSpool(); err == nil { // a manifest can be made where there is none
		p.sp = sp
	}
	p.def = c.createDefaults(p.sp)
	p.past = sync.OnceValue(func() []manifest.Report {
		if p.sp == nil {
			return nil
		}
		return pastReports(context.Background(), p.sp) // a part of them would be remembered as all
	})
	return p
}

// requests are the jobs that a form becomes, of as many VMs as are looked at beforehand.
func (p *previewer) requests(form answers.Form) ([]convert.Request, error) {
	content, err := form.YAML()
	if err != nil {
		return nil, err
	}
	doc := document{path: filepath.Join(p.dir, "manifest.yaml"), name: "the new manifest", content: content}
	doc.drafts, doc.problems = manifest.Load("manifest.yaml", content)
	if err := doc.problems.Err(); err != nil {
		return nil, err
	}
	doc.drafts = doc.drafts[:min(len(doc.drafts), wizard.MaxPlanned)]
	return parcel{doc: &doc}.requests(p.def.jobs)
}

// changes implements wizard.ChangesFunc as the plan command does.
func (p *previewer) changes(ctx context.Context, form answers.Form, vm int) ([]string, error) {
	reqs, err := p.requests(form)
	if err != nil {
		return nil, err
	}
	if vm >= len(reqs) {
		return nil, fmt.Errorf("only the first %d VMs are looked at", len(reqs))
	}
	quiet := *p.con
	quiet.out, quiet.err, quiet.opts.quiet = io.Discard, io.Discard, true // the screen is somebody else's
	req := reqs[vm]
	req.Guest.AgentPackages = quiet.knownConfig().AgentPackages
	found, err := convert.LookInto(ctx, req, &lookEvents{con: &quiet}, nil, quiet.acceleration)
	if err != nil {
		f := convert.Failure(convert.StageInspect, err)
		return nil, errors.New(strings.TrimSpace(f.Code + " " + f.Message))
	}
	var lines []string
	for _, w := range found.Report.Warnings {
		lines = append(lines, "warning "+w.Code+": "+w.Message)
	}
	all := found.Changes()
	for _, c := range all {
		lines = append(lines, strings.Split(strings.TrimSuffix(c, "\n"), "\n")...)
		lines = append(lines, "")
	}
	if len(all) == 0 {
		lines = append(lines, "nothing is changed in the guest")
	}
	return lines, nil
}

// preview implements wizard.PreviewFunc.
func (p *previewer) preview(ctx context.Context, form answers.Form, handIn bool) (wizard.Preview, error) {
	reqs, err := p.requests(form)
	if err != nil {
		return wizard.Preview{}, err
	}
	var out wizard.Preview
	places := p.newPlaces()
	for _, req := range reqs {
		vm, plan, err := p.plan(ctx, req)
		if err != nil {
			return wizard.Preview{}, err
		}
		pace := paceOf(p.past(), req.Job.Convert)
		out.Past = pace.jobs
		if vm.Fails == "" {
			vm.Took, vm.Apart, vm.Known = pace.estimate(req.Job, plan)
			need := plan.Reserves(req.Job)
			places.add(wizard.Place{What: "output", Dir: cmp.Or(req.Job.Convert.OutputDir, p.def.outputDir), Need: need, Vague: need == 0, Repairs: need > plan.MaxBytes})
		}
		out.VMs = append(out.VMs, vm)
	}
	if p.sp != nil {
		places.add(wizard.Place{What: "queue", Dir: p.sp.Dir(), Need: p.handedIn(ctx, form, handIn)})
		if st, live, err := p.sp.Status(); err == nil && live == queue.LiveRunning {
			out.Before = st.Counts.Queued
		}
	}
	out.Places = places.list
	return out, nil
}

// plan plans one job. Why it would fail is no error here.
func (p *previewer) plan(ctx context.Context, req convert.Request) (wizard.Planned, convert.Plan, error) {
	vm := wizard.Planned{Name: req.Job.Name}
	plan, err := convert.DryRun(ctx, req, p.guests)
	switch {
	case ctx.Err() != nil:
		return vm, plan, ctx.Err()
	case errors.Is(err, os.ErrPermission):
		vm.Fails, vm.Hint = "this user may not read it: "+err.Error(), "The daemon may be allowed to."
		return vm, plan, nil
	case err != nil:
		f := convert.Failure(convert.StageLoad, err)
		vm.Fails, vm.Code = f.Message, f.Code
		vm.Hint, _, _ = strings.Cut(f.Hint, ", then: hyperctl workflow retry") // there is no job yet
		return vm, plan, nil
	}
	var text bytes.Buffer
	if err := plan.Write(&text); err != nil {
		return vm, plan, err
	}
	vm.Plan = strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	return vm, plan, nil
}

// handedIn is how many bytes go into the drop zone with the manifest.
func (p *previewer) handedIn(ctx context.Context, form answers.Form, all bool) int64 {
	files, _, err := filesOf(form.Clone(), []string{p.dir}, all)
	if err != nil {
		return 0 // which submitting says
	}
	whole, err := withCompanions(ctx, files)
	if err != nil {
		return 0
	}
	sum := int64(0)
	for _, path := range slices.Concat(whole...) {
		if st, err := os.Stat(path); err == nil {
			sum += st.Size()
		}
	}
	return sum
}

// places gathers what jobs need on each file system.
type places struct {
	list  []wizard.Place
	ids   []unix.Fsid
	known []queue.Space // as the daemon published them
}

func (p *previewer) newPlaces() *places {
	out := &places{}
	if p.sp == nil {
		return out
	}
	if st, live, err := p.sp.Status(); err == nil && live == queue.LiveRunning {
		out.known = st.Space
	}
	return out
}

// add adds a need to the file system of a directory.
func (p *places) add(place wizard.Place) {
	var id unix.Fsid
	if place.Dir == "" {
		place.Unknown = "the daemon's output_dir is not known here"
	} else {
		place.Free, place.Total, id, place.Unknown = roomOn(place.Dir)
	}
	for i := range p.list {
		have := &p.list[i]
		if have.Dir == place.Dir || place.Unknown == "" && have.Unknown == "" && p.ids[i] == id {
			if !strings.Contains(have.What, place.What) {
				have.What += " and " + place.What
			}
			have.Need += place.Need
			have.Vague, have.Repairs = have.Vague || place.Vague, have.Repairs || place.Repairs
			return
		}
	}
	for _, s := range p.known {
		_, _, other, unknown := roomOn(s.Dir)
		switch {
		case place.Unknown != "" && s.Dir == place.Dir: // which the daemon sees and this user does not
			place.Free, place.Total, place.Reserved, place.Unknown = s.Free, s.Total, s.Reserved, ""
		case place.Unknown == "" && unknown == "" && other == id:
			place.Reserved = s.Reserved
		}
	}
	p.list, p.ids = append(p.list, place), append(p.ids, id)
}

// roomOn looks at the file system of a directory, or of the nearest parent that exists.
func roomOn(dir string) (free, total int64, id unix.Fsid, unknown string) {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if err == nil {
			return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, st.Fsid, ""
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, unix.ENOENT) || parent == dir {
			return 0, 0, id, err.Error()
		}
		dir = parent
	}
}
