package main

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"hyper2kvm/internal/queue"
)

// jobDoc is a job in JSON and YAML: the queue's record of it and, flat beside it, what people ask for most. Fields are only
// ever added.
type jobDoc struct {
	queue.Job
	Stage       string   `json:"stage,omitempty"`            // under way, or in which it failed
	Percent     *float64 `json:"percent,omitempty"`          // of the stage under way
	BytesPerSec *float64 `json:"bytes_per_second,omitempty"` //
	ETASeconds  *float64 `json:"eta_seconds,omitempty"`      // of the stage under way; absent = not known
	AgeSeconds  *float64 `json:"age_seconds,omitempty"`      // since it was queued or, when it ended, finished
	Priority    int      `json:"priority"`                   // 1 (last) to 100 (first)
}

// columns implements ordered.
func (jobDoc) columns() []string {
	return []string{
		"id", "job_id", "name", "original_name", "kind", "state", "reason", "path", "size", "date", "queued_at", "started_at", "finished_at",
		"output_dir", "code", "hint", "warnings", "submitter_uid", "priority", "log", "stage", "percent", "bytes_per_second", "eta_seconds",
		"age_seconds",
	}
}

func newJobDoc(j queue.Job, now time.Time) jobDoc {
	d := jobDoc{Job: j, Stage: j.Stage, Priority: cmp.Or(j.Priority, queue.PriorityNormal)}
	d.Hint = hintOf(j)
	if p := j.Progress; p != nil && j.State == queue.Running {
		d.Stage = p.Stage
		if p.BytesTotal > 0 {
			f := percent(p)
			d.Percent = &f
		}
		if p.BytesPerSec > 0 {
			d.BytesPerSec = &p.BytesPerSec
		}
		if p.ETASeconds >= 0 && p.BytesTotal > 0 {
			d.ETASeconds = &p.ETASeconds
		}
	}
	if at := since(j); !at.IsZero() {
		s := max(now.Sub(at), 0).Round(time.Second).Seconds()
		d.AgeSeconds = &s
	}
	return d
}

// percent is how much of the stage is done, 0..100.
func percent(p *queue.Progress) float64 {
	if p.BytesTotal <= 0 {
		return 0
	}
	f := 100 * float64(min(max(p.BytesDone, 0), p.BytesTotal)) / float64(p.BytesTotal)
	return float64(int(f*10)) / 10 // never rounded up: 100 means done
}

// since is the time that a job's age counts from: its end, its start, or when it was queued.
func since(j queue.Job) time.Time {
	for _, t := range []*time.Time{j.FinishedAt, j.StartedAt, j.QueuedAt} {
		if t != nil && !t.IsZero() {
			return *t
		}
	}
	return time.Time{}
}

// jobsView is the table of jobs.
func jobsView(c *console) view[*queue.Job] {
	now := c.now()
	plain := func(f func(*queue.Job) string) func(*queue.Job) (string, string) {
		return func(j *queue.Job) (string, string) { return f(j), "" }
	}
	states := map[queue.State]cell{}
	for st := range looks {
		text, color := c.style.state(st)
		states[st] = cell{text, color}
	}
	return view[*queue.Job]{
		name: func(j *queue.Job) string { return jobKey(*j) },
		doc:  func(j *queue.Job) any { return newJobDoc(*j, now) },
		columns: []column[*queue.Job]{
			{title: "STATE", cell: func(j *queue.Job) (string, string) {
				if s, ok := states[j.State]; ok {
					return s.text, s.color
				}
				return clean(string(j.State)), ""
			}},
			{title: "NAME", cell: plain(func(j *queue.Job) string { return clean(j.Name) })},
			{title: "STAGE", cell: plain(func(j *queue.Job) string { return stageText(*j) })},
			{title: "PROGRESS", right: true, cell: plain(func(j *queue.Job) string { return progressText(*j) })},
			{title: "RATE", right: true, cell: plain(func(j *queue.Job) string {
				if j.Progress == nil || j.State != queue.Running {
					return ""
				}
				return rateText(j.Progress.BytesPerSec)
			})},
			{title: "ETA", right: true, cell: plain(func(j *queue.Job) string {
				if j.Progress == nil || j.State != queue.Running || j.Progress.BytesTotal <= 0 {
					return ""
				}
				return etaText(j.Progress.ETASeconds)
			})},
			{title: "AGE", right: true, cell: plain(func(j *queue.Job) string {
				at := since(*j)
				if at.IsZero() {
					return ""
				}
				return spanText(now.Sub(at))
			})},
			{title: "ID", wide: true, cell: plain(func(j *queue.Job) string { return clean(j.ID) })},
			{title: "PRIO", wide: true, cell: plain(func(j *queue.Job) string { return queue.PriorityText(j.Priority) })},
			{title: "KIND", wide: true, cell: plain(func(j *queue.Job) string { return clean(j.Kind) })},
			{title: "SIZE", wide: true, right: true, cell: plain(func(j *queue.Job) string { return sizeText(*j) })},
			{title: "DATE", wide: true, cell: plain(func(j *queue.Job) string { return clean(j.Date) })},
			{title: "CODE", wide: true, cell: plain(func(j *queue.Job) string { return clean(j.Code) })},
			{title: "REASON OR OUTPUT", wide: true, cell: plain(func(j *queue.Job) string {
				if j.Reason != "" {
					return cleanLine(j.Reason)
				}
				return clean(j.OutputDir)
			})},
		},
	}
}

// sizeText is how large the source of a job is. Of a manifest only its own few bytes are known, which say nothing.
func sizeText(j queue.Job) string {
	if j.Size <= 0 || j.Kind == "manifest" || j.Kind == "batch" {
		return ""
	}
	return bytesText(j.Size)
}

// jobKey is what names a job on the command line: its id once it has one, else the name of its entry.
func jobKey(j queue.Job) string {
	if j.ID != "" {
		return j.ID
	}
	return j.Name
}

func stageText(j queue.Job) string {
	if j.State == queue.Done && j.Warnings > 0 { // a success that a person should look at
		return count(j.Warnings, "warning", "warnings")
	}
	if j.State == queue.Failed {
		return clean(j.Stage)
	}
	p := j.Progress
	if p == nil || j.State != queue.Running || p.Stage == "" {
		return ""
	}
	if p.StageCount > 0 {
		return strconv.Itoa(p.StageIndex) + "/" + strconv.Itoa(p.StageCount) + " " + clean(p.Stage)
	}
	return clean(p.Stage)
}

func progressText(j queue.Job) string {
	switch {
	case j.State == queue.Done:
		return "100%"
	case j.State != queue.Running || j.Progress == nil || j.Progress.BytesTotal <= 0:
		return ""
	}
	return strconv.Itoa(int(percent(j.Progress))) + "%"
}

// progressLine is one line about a running job: convert 3/4  74 %  29.6/40.0 GiB  96 MB/s  ETA 4m10s.
func progressLine(p *queue.Progress) string {
	s := clean(p.Stage)
	if p.StageCount > 0 {
		s += fmt.Sprintf(" %d/%d", p.StageIndex, p.StageCount)
	}
	if p.BytesTotal > 0 {
		s += fmt.Sprintf("  %d %%  %s of %s", int(percent(p)), bytesText(p.BytesDone), bytesText(p.BytesTotal))
		if p.BytesPerSec > 0 {
			s += "  " + rateText(p.BytesPerSec)
		}
		if p.ETASeconds >= 0 {
			s += "  ETA " + etaText(p.ETASeconds)
		}
	}
	if p.Message != "" {
		s += "  " + cleanLine(p.Message)
	}
	return s
}
