package main

import (
	"context"
	"slices"
	"time"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// How many finished jobs are looked at for an estimate, and how many reports it is made from: the newest say most.
const (
	maxPast      = 60
	enoughOfPast = 20
)

// paced are the stages whose time goes with what is read. The others take about as long for any disk.
var paced = []string{convert.StageConvert, convert.StageValidate}

// pastReports are the reports of the jobs that were done last, newest days first.
func pastReports(ctx context.Context, sp *queue.Spool) []manifest.Report {
	dir := jobs.NewDir(sp, "")
	var out []manifest.Report
	for j, err := range sp.Jobs(ctx, queue.Filter{All: true, States: []queue.State{queue.Done}, Limit: maxPast}) {
		if err != nil || len(out) >= enoughOfPast {
			break
		}
		if d, err := dir.Detail(ctx, jobs.RefOf(j)); err == nil && d.Report != nil && !d.Report.Job.DryRun {
			out = append(out, *d.Report)
		}
	}
	return out
}

// pace is how long the stages of past jobs took.
type pace struct {
	jobs  int
	took  map[string]float64 // seconds of all jobs in which the stage ran
	read  map[string]float64 // bytes that they read in it
	ran   map[string]int     // in how many
	boot  float64            // seconds of boot tests, which are part of validate
	boots int
}

// paceOf sums up reports. Those that wrote the same kind of image count alone, where there are any.
func paceOf(all []manifest.Report, like manifest.Convert) pace {
	same := slices.DeleteFunc(slices.Clone(all), func(r manifest.Report) bool {
		c := r.Job.Convert
		return c.Format != like.Format || c.Compress != like.Compress || c.Compress && c.Compression != like.Compression
	})
	if len(same) > 0 {
		all = same
	}
	p := pace{jobs: len(all), took: map[string]float64{}, read: map[string]float64{}, ran: map[string]int{}}
	for _, r := range all {
		read := 0.0
		for _, d := range r.Disks {
			read += float64(d.AllocatedBytes)
		}
		for _, s := range r.Stages {
			if s.Status != manifest.StageDone {
				continue
			}
			took := s.Seconds
			if s.Name == convert.StageValidate && r.BootTest != nil {
				took -= r.BootTest.Seconds
			}
			p.took[s.Name] += max(took, 0)
			p.read[s.Name] += read
			p.ran[s.Name]++
		}
		if r.BootTest != nil {
			p.boot += r.BootTest.Seconds
			p.boots++
		}
	}
	return p
}

// estimate says how long a job would take, and which stages are left out of that because none of the past jobs ran them. It is not
// known where the disks' content never was read before, or where it is not known how much is read.
func (p pace) estimate(job manifest.Job, plan convert.Plan) (took time.Duration, apart []string, known bool) {
	read := 0.0
	for _, d := range plan.Disks {
		if d.MaxBytes == 0 {
			return 0, nil, false
		}
		read += float64(d.ReadBytes)
	}
	sum := 0.0
	for _, s := range plan.Stages {
		n := p.ran[s.Name]
		switch {
		case s.Skip != "":
		case slices.Contains(paced, s.Name) && p.read[s.Name] == 0:
			return 0, nil, false
		case slices.Contains(paced, s.Name):
			sum += p.took[s.Name] / p.read[s.Name] * read
		case n == 0:
			apart = append(apart, s.Name)
		default:
			sum += p.took[s.Name] / float64(n)
		}
	}
	switch {
	case !job.Check.Enabled || !job.Check.BootTest:
	case p.boots == 0:
		apart = append(apart, "the boot test")
	default:
		sum += p.boot / float64(p.boots)
	}
	return time.Duration(sum * float64(time.Second)), apart, true
}
